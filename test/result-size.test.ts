/** What a workflow keeps and returns has limits. */
import {
  appendEvents,
  carryEvents,
  emptyEventLog,
  EVENTS_CARRIED_JSON,
  EVENTS_KEPT,
  readEvents,
  resumeEvents,
  type NewEvent,
} from '../model/events';
import type { TaskResult } from '../model/result';
import { cutOutput, fitScriptResults, fitTaskResults } from '../model/result-size';

const AT = '2026-01-01T00:00:00.000Z';

describe('a log of events', () => {
  const events = (count: number): NewEvent[] =>
    Array.from({ length: count }, (_, i) => ({ name: 'ScriptSent', at: AT, details: { i } }));

  test('numbers events from 1 and gives those after a cursor, the oldest first', () => {
    const log = emptyEventLog();
    appendEvents(log, events(2));
    appendEvents(log, events(3));
    expect(readEvents(log).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(readEvents(log, { after: 2, limit: 2 }).map(({ seq }) => seq)).toEqual([3, 4]);
    expect(readEvents(log, { after: 5 })).toEqual([]);
  });

  test('keeps the newest, and a cursor stays true when older ones are dropped', () => {
    const log = emptyEventLog();
    appendEvents(log, events(EVENTS_KEPT + 7));
    const kept = readEvents(log);
    expect(kept).toHaveLength(EVENTS_KEPT);
    expect(kept[0]?.seq).toBe(8);
    appendEvents(log, events(1));
    expect(readEvents(log, { after: EVENTS_KEPT + 7 }).map(({ seq }) => seq)).toEqual([EVENTS_KEPT + 8]);
  });

  test('goes on in the next run with its numbers and its newest events, as many as are carried', () => {
    const log = emptyEventLog();
    appendEvents(log, [{ name: 'ScriptSent', at: AT, details: { reason: 'é'.repeat(300_000) } }]);
    appendEvents(log, events(3));
    const carried = carryEvents(log);
    expect(Buffer.byteLength(JSON.stringify(carried.kept))).toBeLessThanOrEqual(EVENTS_CARRIED_JSON);
    const next = resumeEvents(carried);
    appendEvents(next, events(1));
    expect(readEvents(next).map(({ seq }) => seq)).toEqual([2, 3, 4, 5]);
    expect(readEvents(resumeEvents(carryEvents(log, 0)))).toEqual([]);
    expect(carryEvents(log, 0).next).toBe(5);
    expect(resumeEvents()).toEqual(emptyEventLog());
  });
});

describe('results are cut to what travels', () => {
  const result = (stdout: string, stderr: string | null = null) => ({
    ...{ index: 0, result: 'Ok' as const, stdout, stderr, message: null },
  });
  const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

  test('at the limit in bytes, never within a character', () => {
    expect(cutOutput(null, 5)).toBeNull();
    expect(cutOutput('hello', 5)).toBe('hello');
    expect(cutOutput('hello!', 5)).toBe('hello\n… [1 bytes cut]');
    expect(cutOutput('añ€😀', 4)).toBe('añ\n… [7 bytes cut]');
    expect(cutOutput('añ€😀', 9)).toBe('añ€\n… [4 bytes cut]');
    expect(cutOutput('añ€😀', 10)).toBe('añ€😀');
  });

  test.each(['\u0001', '"', '\n', 'x', '€', '😀', '\ud800', '\u007f', '\u000b'])(
    'a script of many commands fits, were all its output %j',
    (character) => {
      const text = character.repeat(70_000);
      const results = Array.from({ length: 200 }, () => result(text, text));
      const fitted = fitScriptResults(results, 65_536);
      expect(size(fitted)).toBeLessThan(1_250_000);
      expect(size(fitted)).toBeGreaterThan(1_000_000);
      for (const { stdout } of fitted) expect(stdout).toMatch(/\n… \[\d+ bytes cut\]$/);
    },
  );

  test('short outputs stay whole beside long ones, and a cut is told once and rightly', () => {
    const results = [result('short'), result('y'.repeat(3_000_000)), result('also short')];
    const [short, long, other] = fitScriptResults(results, 2_000_000);
    expect([short?.stdout, other?.stdout]).toEqual(['short', 'also short']);
    const [, kept = '', cut] = /^(y+)\n… \[(\d+) bytes cut\]$/.exec(long?.stdout ?? '') ?? [];
    expect(kept.length + Number(cut)).toBe(3_000_000);
    expect(kept.length).toBeGreaterThan(1_000_000);
  });

  test('the largest of jobs fits into one payload, whatever it prints and however often it fails', () => {
    const line = 'x'.repeat(500);
    const attempt = {
      ...{ attempt: 1, provider: { id: `0x${'a'.repeat(40)}`, name: 'n'.repeat(100) } },
      ...{ agreementId: 'a'.repeat(64), activityId: 'b'.repeat(32), batchId: 'c'.repeat(32) },
      ...{ startedAt: AT, finishedAt: AT, state: 'failed' as const, reason: line },
    };
    const tasks = Array.from({ length: 500 }, (_, i): TaskResult => ({
      ...{ name: `task-${i}`, state: 'failed', provider: attempt.provider, startedAt: AT, finishedAt: AT },
      results: [0, 1, 2].map((index) => ({ ...result('\u0001'.repeat(512), '\u0002'.repeat(512)), index })),
      attempts: Array.from({ length: 100 }, (_each, n) => ({ ...attempt, attempt: n + 1 })),
      failure: { type: 'CommandFailed', message: line },
    }));
    const fitted = fitTaskResults(tasks);
    expect(size(fitted)).toBeLessThan(2_000_000);
    expect(fitted).toHaveLength(500);
    expect(fitted[0]?.results).toHaveLength(3);
    expect(fitted[0]?.attempts.at(-1)?.attempt).toBe(100);
  });

  test('a job of ordinary size is left as it is', () => {
    const task: TaskResult = {
      name: 'a',
      state: 'done',
      results: [result('x'.repeat(60_000))],
      attempts: [],
    };
    expect(fitTaskResults([task])).toEqual([task]);
  });
});
