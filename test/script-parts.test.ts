/** A task's script in parts: transfers tried again, and a program with checkpoints. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ScriptCommand } from '../activities/contract';
import type { CommandResult } from '../model/result';
import {
  commandsOf,
  earlierOf,
  nextPart,
  partsOf,
  type Parts,
  type WholeScript,
} from '../workflows/state/script-parts';
import { tempDir } from './support/temp-dir';

const OUT: ScriptCommand = { transfer: { from: '/golem/output/x', to: 'https://example.org/x' } };
const IN: ScriptCommand = { transfer: { from: 'https://example.org/x', to: '/golem/input/x' } };
const RUN: ScriptCommand = { run: 'work' };

const results = (...ends: ('Ok' | 'Error')[]): CommandResult[] =>
  ends.map((result, index) => ({ index, result, stdout: `${index}`, stderr: null, message: null }));
const said = (stdout: string, result: 'Ok' | 'Error' = 'Error'): CommandResult[] => [
  { index: 0, result, stdout, stderr: null, message: null },
];
const failed = (...ends: ('Ok' | 'Error')[]) => ({ state: 'failed' as const, results: results(...ends) });
const done = (...ends: ('Ok' | 'Error')[]) => ({ state: 'done' as const, results: results(...ends) });

const begin = (commands: ScriptCommand[], more: Partial<WholeScript> = {}): Parts => {
  const parts = partsOf({ key: 'k', commands, restore: false, ...more });
  if (!parts) throw new Error('it has no parts');
  return parts;
};
const outcome = ({ kept }: Parts) => kept.map(({ index, result }) => [index, result]);

describe('transfers', () => {
  test('a script that moves nothing out or in is one part', () => {
    const within: ScriptCommand = { transfer: { from: '/golem/a', to: '/golem/b' } };
    expect(partsOf({ key: 'k', commands: [RUN, within], restore: false })).toBeUndefined();
  });

  test('one that fails is tried again, with what follows it, and nothing before it', () => {
    const parts = begin([RUN, OUT, RUN]);
    expect(commandsOf(parts)).toEqual([RUN, OUT, RUN]);
    expect(nextPart(parts, failed('Ok', 'Error'))).toEqual({ commands: [OUT, RUN], pauseMs: 2000 });
    expect(nextPart(parts, done('Ok', 'Ok'))).toBeUndefined();
    expect(outcome(parts)).toEqual([
      [0, 'Ok'],
      [1, 'Ok'],
      [2, 'Ok'],
    ]);
  });

  test('three failures in a row are the end; one that succeeds begins the count anew', () => {
    const parts = begin([IN, RUN, OUT]);
    expect(nextPart(parts, failed('Error'))?.pauseMs).toBe(2000);
    expect(nextPart(parts, failed('Error'))?.pauseMs).toBe(4000);
    expect(nextPart(parts, failed('Ok', 'Ok', 'Error'))).toEqual({ commands: [OUT], pauseMs: 2000 });
    expect(nextPart(parts, failed('Error'))?.pauseMs).toBe(4000);
    expect(nextPart(parts, failed('Error'))).toBeUndefined();
    expect(outcome(parts)).toEqual([
      [0, 'Ok'],
      [1, 'Ok'],
      [2, 'Error'],
    ]);
  });

  test('of a file that is not there it is not tried again', () => {
    const parts = begin([IN, RUN]);
    const [moved] = results('Error');
    const message = 'Local service error: Transfer error: HTTP error: client error: 404 Not Found (from x)';
    expect(nextPart(parts, { state: 'failed', results: [{ ...moved!, message }] })).toBeUndefined();
    expect(outcome(parts)).toEqual([[0, 'Error']]);
  });

  test('a program that fails is not run again', () => {
    const parts = begin([IN, RUN, OUT]);
    expect(nextPart(parts, failed('Ok', 'Error'))).toBeUndefined();
    expect(outcome(parts)).toEqual([
      [0, 'Ok'],
      [1, 'Error'],
    ]);
  });
});

describe('checkpoints', () => {
  const checkpoint = { files: ['/golem/work/state'], to: 'files:/state.tar', everySec: 60 };

  test('a program is begun, waited for, its files taken out, and its results collected', () => {
    const parts = begin([IN, RUN, OUT], { checkpoint });
    expect(commandsOf(parts)).toHaveLength(2);
    const wait = nextPart(parts, done('Ok', 'Ok'));
    expect(wait?.commands).toEqual([
      expect.objectContaining({ run: '/bin/sh' }),
      { transfer: { from: '/golem/work/.golem-checkpoint.tar', to: 'files:/state.tar' } },
    ]);
    expect(nextPart(parts, done('Ok', 'Ok'))).toEqual(wait);
    expect(parts.checkpoints).toBe(1);
    const collect = nextPart(parts, { state: 'failed', results: said('golem: finished\n') });
    expect(collect?.commands).toEqual([expect.objectContaining({ run: '/bin/sh' }), OUT]);
    expect(nextPart(parts, failed('Ok', 'Error'))).toEqual({ commands: [OUT], pauseMs: 2000 });
    expect(nextPart(parts, done('Ok'))).toBeUndefined();
    expect(outcome(parts)).toEqual([
      [0, 'Ok'],
      [1, 'Ok'],
      [2, 'Ok'],
    ]);
  });

  describe('an attempt elsewhere', () => {
    const restoring = (stored?: boolean) => begin([RUN], { checkpoint, restore: true, stored });
    const says = (message: string) => ({
      state: 'failed' as const,
      results: [{ index: 0, result: 'Error' as const, stdout: null, stderr: null, message }],
    });
    const http = (answer: string) =>
      says(`Local service error: Transfer error: HTTP error: ${answer} (from x)`);

    test('begins with what the one before has left', () => {
      const parts = restoring();
      expect(commandsOf(parts)[0]).toEqual({
        transfer: { from: 'files:/state.tar', to: '/golem/work/.golem-checkpoint.tar' },
      });
      nextPart(parts, done('Ok', 'Ok'));
      expect(parts.stage).toBe('launch');
    });

    test.each(['404 Not Found', '410 Gone'])('begins at zero where the server says %s', (status) => {
      const parts = restoring(true);
      expect(nextPart(parts, http(`client error: ${status}`))).toMatchObject({ pauseMs: 0 });
      expect(parts.stage).toBe('launch');
    });

    test.each([
      ['503', http('server error: 503 Service Unavailable')],
      ['403', http('client error: 403 Forbidden')],
      [
        'no answer',
        says('Local service error: Transfer error: HTTP error: io error: refused (from http://x/404)'),
      ],
      ['an archive that cannot be unpacked', failed('Ok', 'Error')],
    ])('never begins at zero over what was stored (%s): after minutes it fails', (_what, end) => {
      const parts = restoring(true);
      const pauses: number[] = [];
      for (let part = nextPart(parts, end); part; part = nextPart(parts, end))
        pauses.push(part.pauseMs / 1000);
      expect(pauses).toEqual([2, 4, 8, 16, 32, 60, 60, 60, 60]);
      expect([parts.stage, outcome(parts)]).toEqual(['restore', [[0, 'Error']]]);
    });

    test('begins at zero where nothing is known to have been stored, and what comes is no archive', () => {
      const parts = restoring();
      expect(nextPart(parts, failed('Ok', 'Error'))).toMatchObject({ pauseMs: 2000 });
      expect(nextPart(parts, failed('Ok', 'Error'))).toMatchObject({ pauseMs: 4000 });
      nextPart(parts, failed('Ok', 'Error'));
      expect(parts.stage).toBe('launch');
    });
  });

  test('a checkpoint that cannot be taken out costs no work', () => {
    const parts = begin([RUN], { checkpoint });
    nextPart(parts, done('Ok'));
    for (let i = 0; i < 5; i++) expect(nextPart(parts, failed('Ok', 'Error'))).toBeDefined();
    for (let i = 0; i < 5; i++)
      expect(nextPart(parts, { state: 'failed', results: said('golem: nothing yet\n') })).toBeDefined();
    expect([parts.stage, earlierOf(parts)]).toEqual(['wait', {}]);
    nextPart(parts, done('Ok', 'Ok'));
    expect(earlierOf(parts)).toEqual({ checkpoints: 1 });
  });

  test('a VM in which nothing can be run any more is given up', () => {
    const parts = begin([RUN], { checkpoint });
    nextPart(parts, done('Ok'));
    expect(nextPart(parts, failed('Error'))).toBeDefined();
    expect(nextPart(parts, failed('Error'))).toBeDefined();
    expect(nextPart(parts, failed('Error'))).toBeUndefined();
    expect(outcome(parts)).toEqual([[0, 'Error']]);
  });

  test('a program that fails fails the task, with what it printed', () => {
    const parts = begin([RUN, OUT], { checkpoint });
    nextPart(parts, done('Ok'));
    nextPart(parts, { state: 'failed', results: said('golem: finished\n') });
    expect(nextPart(parts, failed('Error'))).toBeUndefined();
    expect(outcome(parts)).toEqual([[0, 'Error']]);
  });
});

test('the batches of parts before are told, the newest of many', () => {
  const parts = begin([RUN], { checkpoint: { files: ['/golem/work/x'], to: 'files:/x', everySec: 5 } });
  expect(earlierOf(parts)).toEqual({});
  for (let n = 1; n <= 150; n++) nextPart(parts, { ...done('Ok', 'Ok'), batchId: `batch-${n}` });
  const { earlierBatches = [] } = earlierOf(parts);
  expect([earlierBatches.length, earlierBatches.at(0), earlierBatches.at(-1)]).toEqual([
    ...[100, 'batch-51', 'batch-150'],
  ]);
});

describe('the lines that are run in a VM', () => {
  const folder = tempDir('parts');
  const files = [join(folder, 'a b'), join(folder, 'deep'), join(folder, 'none')];
  // Where the lines keep what the program prints, unless it is collected.
  afterAll(() => rmSync(`/tmp/golem-test-${process.pid}`, { recursive: true, force: true }));
  const whole = (line: string): WholeScript => ({
    ...{ key: `test-${process.pid}`, commands: [{ run: line }], restore: false },
    checkpoint: { files, to: 'files:/x', everySec: 1 },
  });
  const untilThere = async (path: string): Promise<void> => {
    while (!existsSync(path)) await delay(20);
  };
  const run = (command: ScriptCommand | undefined) => {
    if (!command || !('run' in command)) throw new Error('it is no program');
    try {
      return { code: 0, out: execFileSync(command.run, command.args ?? [], { encoding: 'utf8' }) };
    } catch (error) {
      const { status, stdout } = error as { status: number; stdout: string };
      return { code: status, out: stdout };
    }
  };

  test('keep what is there, say when the program has ended, and give what it printed and its code', async () => {
    writeFileSync(join(folder, 'a b'), 'one');
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'deep', 'file'), 'two');
    const go = join(folder, 'go');
    const script = whole(
      `echo out; echo "it's \\"quoted\\"" >&2; while [ ! -e '${go}' ]; do sleep 0.1; done; exit 7`,
    );
    const parts = begin(script.commands, script);
    expect(run(commandsOf(parts)[0])).toEqual({ code: 0, out: '' });
    nextPart(parts, done('Ok'));
    expect(run(commandsOf(parts)[0])).toEqual({ code: 0, out: '' });
    const archive = join(folder, '.golem-checkpoint.tar');
    const kept = execFileSync('tar', ['-tf', archive], { encoding: 'utf8' }).trim().split('\n');
    expect(kept.map((name) => `/${name}`)).toEqual([files[0], `${files[1]}/`, join(folder, 'deep', 'file')]);
    writeFileSync(join(folder, 'a b'), 'lost');
    const again = begin(script.commands, { ...script, restore: true });
    expect(run(commandsOf(again)[1])).toEqual({ code: 0, out: '' });
    expect(readFileSync(join(folder, 'a b'), 'utf8')).toBe('one');
    expect(existsSync(archive)).toBe(false);
    const noArchive = Buffer.alloc(10_240, 'x');
    for (const broken of ['', '<html>503 Service Unavailable</html>', noArchive]) {
      writeFileSync(archive, broken);
      expect(run(commandsOf(again)[1]).code).not.toBe(0);
    }
    writeFileSync(go, '');
    await untilThere(`/tmp/golem-${script.key}/code`);
    const end = run(commandsOf(parts)[0]);
    expect(end).toEqual({ code: 1, out: 'golem: finished\n' });
    nextPart(parts, { state: 'failed', results: said(end.out) });
    expect(run(commandsOf(parts)[0])).toEqual({ code: 7, out: 'out\n' });
    expect(existsSync(`/tmp/golem-${script.key}`)).toBe(false);
  });

  test('say that nothing is there yet', async () => {
    const go = join(folder, 'go then');
    const program = `while [ ! -e '${go}' ]; do sleep 0.1; done`;
    const script = { ...whole(program), checkpoint: { files: ['/none/x'], to: 'files:/x', everySec: 1 } };
    const parts = begin(script.commands, script);
    run(commandsOf(parts)[0]);
    nextPart(parts, done('Ok'));
    expect(run(commandsOf(parts)[0])).toEqual({ code: 1, out: 'golem: nothing yet\n' });
    writeFileSync(go, '');
    await untilThere(`/tmp/golem-${script.key}/code`);
    rmSync(`/tmp/golem-${script.key}`, { recursive: true });
  });
});
