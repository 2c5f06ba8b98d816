/** What the crash matrix checks beside the judge of all chaos runs sees every promise that is broken. */
import type { Effect } from '../devnet';
import type { JobResult } from '../model/result';
import type { ScriptOutcome } from '../model/script';
import type { ScriptEvidence } from './chaos/evidence';
import { judgeEvents, judgeParts, tasksIn } from './chaos/file-verdict';
import { judgeRefusals } from './chaos/rental-scenarios';
import { judgeScripts } from './chaos/script-verdict';

const part = (...names: string[]): Buffer =>
  Buffer.from(names.map((name) => `${JSON.stringify({ name })}\n`).join(''));
const told = (parts: number, done: number, failed = 0): JobResult['results'] => ({
  ...{ parts, tasks: { done, failed, cancelled: 0 }, firstFailed: [] },
});
const NAMES = ['a', 'b', 'c'];

test('parts that have each task once, one of them written again as it was, break nothing', () => {
  const written = new Map([
    [1, [part('a', 'b'), part('a', 'b')]],
    [2, [part('c')]],
  ]);
  expect(judgeParts(written, told(2, 3), NAMES)).toEqual([]);
  expect(tasksIn(written).map(({ name }) => name)).toEqual(NAMES);
});

test.each<[string, [number, Buffer[]][], JobResult['results'], RegExp]>([
  ['a part that is missing', [[2, [part(...NAMES)]]], told(1, 3), /^the parts 2 were written/],
  ['a part too many', [1, 2].map((n) => [n, [part()]]), told(1, 3), /^the parts 1, 2 were written/],
  [
    'a part written again with other content',
    [[1, [part('a', 'b'), part(...NAMES)]]],
    told(1, 3),
    /^part 1 was written again with other content/,
  ],
  ['a part written thrice', [[1, Array(3).fill(part(...NAMES))]], told(1, 3), /^part 1 was written 3 times/],
  ['a task that is lost', [[1, [part('a', 'c')]]], told(1, 3), /^task b is in the parts 0 times/],
  ['a task told twice', [[1, [part('a', 'b', 'b', 'c')]]], told(1, 3), /^task b is in the parts 2 times/],
  ['a count that is wrong', [[1, [part(...NAMES)]]], told(1, 2, 1), /^the result tells of 2 done, 1 failed/],
  ['a result without parts', [[1, [part(...NAMES)]]], undefined, /^the result tells nothing/],
])('%s is seen', (_what, written, results, says) => {
  expect(judgeParts(new Map(written), results, NAMES)).toContainEqual(expect.stringMatching(says));
});

test('an event that is lost or repeated is seen, in whichever workflow', () => {
  const events = (...seqs: [string, number][]) => seqs.map(([workflowId, seq]) => ({ workflowId, seq }));
  expect(judgeEvents(events(['a', 1], ['b', 1], ['a', 2], ['b', 2]))).toEqual([]);
  expect(judgeEvents(events(['a', 1], ['a', 3]))).toEqual(['event 3 of a comes after its event 1']);
  expect(judgeEvents(events(['b', 1], ['a', 1], ['b', 1]))).toEqual(['event 1 of b comes after its event 1']);
});

test('a refusal that failed to come, came by another name, or was not told is seen', () => {
  const tried = (answer: string) => [{ expected: 'Replayed', told: answer }];
  expect(judgeRefusals(tried('Replayed'), ['Replayed'])).toEqual([]);
  expect(judgeRefusals(tried('nothing'), ['Replayed'])).toEqual([
    'what should be refused as Replayed came to: nothing',
  ]);
  for (const events of [[], ['Replayed', 'Replayed'], ['Revoked']])
    expect(judgeRefusals(tried('Replayed'), events)).toHaveLength(1);
});

const RESULT: JobResult = {
  ...{ jobId: 'job', jobUuid: 'uuid', state: 'done', tasks: [], settlementId: 'job/settlement' },
  ...{ startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:00:00Z' },
};

/** What is said of scripts from outside, of which so many were started. */
function judged(started: number, ...scripts: ScriptEvidence[]): ReturnType<typeof judgeScripts> {
  const effects = Array.from({ length: started }, (_, i) => ({
    ...{ seq: i + 1, kind: 'script-started', agreementId: 'A', activityId: 'V' },
    ...{ batchId: `b${i}`, commands: ['run'] },
  })) as unknown as Effect[];
  const jobs = [{ budget: '1', tasks: [], result: RESULT, scripts }];
  return judgeScripts({ effects, jobs, ledger: [], open: { ...NOTHING } });
}
const NOTHING = { allocations: 0, demands: 0, agreements: 0, activities: 0 };
function script(state: ScriptOutcome['state'], stdout = 'hello\n', isInherited = false): ScriptEvidence {
  const results = [{ index: 0, result: 'Ok' as const, stdout, stderr: null, message: null }];
  return { what: 'x', outcome: { scriptId: 'x', state, results }, stdout: /^hello\n$/, isInherited };
}

test('scripts from outside are run once each; one that is uncertain may have been', () => {
  expect(judged(1, script('done'))).toMatchObject({ broken: [], scriptsRunAgain: 0, uncertain: 0 });
  expect(judged(1, script('uncertain'), script('done'))).toMatchObject({ broken: [], uncertain: 1 });
  expect(judged(2, script('uncertain'), script('done'))).toMatchObject({ broken: [], scriptsRunAgain: 1 });
});

test.each<[string, ReturnType<typeof judged>, RegExp]>([
  ['a script run twice', judged(2, script('done')), /^script b1 was run in V, and no attempt/],
  ['one that was not run', judged(1, script('done'), script('done')), /^2 scripts from outside ended, and/],
  ['one that is lost', judged(1, script('lost')), /^the script x is lost/],
  ['a wrong output', judged(1, script('done', 'bye\n')), /^the script x printed "bye\\n" instead of/],
  [
    'one that was there already, run again',
    judged(1, script('done', 'hello\n', true)),
    /^script b0 was run in V, and no attempt/,
  ],
])('%s is seen', (_what, { broken }, says) => {
  expect(broken).toContainEqual(expect.stringMatching(says));
});
