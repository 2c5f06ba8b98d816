/** A job whose tasks are in a file, when something goes wrong: with a line, with a task, a server, a worker, the file. */
import type { JobResult, TaskResult } from '../model/result';
import { FileJob } from './support/file-job';
import { expectAllPaidOnce, expectEachRunOnce, since } from './support/proof';
import { startWebServer, type WebServer } from './support/web-server';
import { startWorld, type World } from './support/world';

const PROVIDERS = 4;
let world: World;
let web: WebServer;
beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({ continueAsNewAfter: 200, devnet: { paymentCycleSec: 0.1 } });
});
afterAll(async () => {
  await world?.close();
  await web.close();
});
beforeEach(() => {
  web.putStatus = 200;
});

const job = (lines: readonly unknown[]): FileJob => new FileJob(world, web, lines);
/** Ten of these lines are a page, whatever they do. */
const long = (line: string): string => `${line} # ${'x'.repeat(20_000)}`;
const echoes = (count: number): string[] => Array.from({ length: count }, (_, i) => long(`echo ${i + 1}`));
/** Fifteen of these outputs are a part. */
const loud = (count: number): string[] =>
  Array.from({ length: count }, () => 'head -c 20000 /dev/zero | tr "\\0" x');

async function failureOf(result: Promise<JobResult>): Promise<{ type?: string; message: string }> {
  return await result.then(
    () => ({ message: 'none' }),
    (error: { type?: string; message: string }) => error,
  );
}

function expectOnce(written: readonly TaskResult[], count: number): void {
  const names = new Set(written.map(({ name }) => name));
  expect(written).toHaveLength(names.size);
  expect(names.size).toBe(count);
}

test('every mistake of the file is told by its line, and nothing is rented', async () => {
  const bad = job([]);
  bad.write([
    '"true"',
    '{"commands":["true"],"timeoutSec":0}',
    '',
    'no json',
    '{"name":"task-1","commands":["true"]}',
    '{"vm":"a","commands":["true"]}',
    '"true"',
    '{"vm":"a","commands":[{"rum":"x"}]}',
    '{"vm":"a","commands":["true"]}',
    '{"commands":[{"transfer":{"from":"files:/in.txt","to":"/golem/in.txt"}}]}',
    '{"commands":["true"],"checkpoint":{"files":["/golem/state"],"to":"files:/state.tar"}}',
    '{"commands":["true"],"checkpoint":{"files":["state"],"to":"https://example.org/state.tar"}}',
  ]);
  await bad.start();
  const { type, message } = await failureOf(bad.result());
  expect(type).toBe('InvalidJobSpec');
  expect(message.split('\n').map((line) => line.replace(/^job .*InvalidJobSpec: /, ''))).toEqual([
    expect.stringMatching(/^tasks line 2: timeoutSec: must be a whole number/),
    'tasks line 4: is no JSON; give a string or an object',
    'tasks line 5: name: "task-1" is the name of line 1 already; give each task its own',
    'tasks line 8: commands[0].rum: unknown key, did you mean "run"?',
    'tasks line 9: vm: "a" was that of earlier lines; put all tasks of a vm one after the other',
    'tasks line 10: commands[0].transfer.from: files:/in.txt: the worker serves no files; start it with --files DIR, or give an http(s) URL',
    'tasks line 11: checkpoint.to: files:/state.tar: the worker serves no files; start it with --files DIR, or give an http(s) URL',
    expect.stringMatching(/^tasks line 12: checkpoint\.files/),
  ]);
  expect((await since(world, bad.began)).all()).toEqual([]);
});

test('a file that is not there is told without its query', async () => {
  const none = job([]);
  web.files.delete(`${none.name}.jsonl`);
  await none.start();
  const { type, message } = await failureOf(none.result());
  expect(type).toBe('TasksNotFound');
  expect(message).not.toContain('secret');
});

test('a task that fails is told, with those that needed its files, and tasks of a vm share them', async () => {
  const mixed = job([
    { name: 'a', vm: 'one', commands: ['echo kept > /golem/work/x'] },
    { name: 'b', vm: 'one', commands: ['cat /golem/work/x'] },
    { name: 'bad', vm: 'two', commands: ['echo why >&2; exit 3'], maxAttempts: 2 },
    { name: 'after', vm: 'two', commands: ['true'] },
    'echo alone',
  ]);
  await mixed.start();
  const { state, results } = await mixed.result();
  expect(state).toBe('failed');
  expect(results).toMatchObject({ parts: 1, tasks: { done: 3, failed: 2, cancelled: 0 } });
  expect(results?.firstFailed.map(({ name }) => name)).toEqual(['bad', 'after']);
  const written = new Map(mixed.written().map((result) => [result.name, result]));
  expect(written.get('b')?.results[0]?.stdout).toBe('kept\n');
  expect(written.get('task-5')?.results[0]?.stdout).toBe('alone\n');
  expect(written.get('bad')?.attempts).toHaveLength(2);
  expect(written.get('bad')?.results[0]?.stderr).toBe('why\n');
  await world.golem.settled(mixed.jobId);
});

test('a file that changes ends the job by name, and what was read before is done', async () => {
  const changing = job(echoes(60));
  await changing.start();
  await changing.progressed(({ tasks }) => tasks.running > 0);
  changing.write(echoes(61).map((line) => JSON.stringify(line)));
  const { state, failure, results } = await changing.result();
  expect({ state, type: failure?.type }).toEqual({ state: 'failed', type: 'TasksChanged' });
  const done = results?.tasks.done ?? 0;
  expect(done).toBeGreaterThan(0);
  expect(results?.tasks).toEqual({ done, failed: 0, cancelled: 60 - done });
  expectOnce(changing.written(), done);
  await world.golem.settled(changing.jobId);
});

test('results that are not taken for a while hold the job back, and none is lost', async () => {
  web.putStatus = 503;
  const held = await job(loud(60)).start();
  const { tasks, lastFailure } = await held.progressed(
    ({ lastFailure: last, tasks: { running } }) => last?.type === 'ResultsNotWritten' && running === 0,
  );
  expect(lastFailure?.message).not.toContain('secret');
  expect(tasks.waiting).toBeGreaterThan(0);
  web.putStatus = 200;
  const { state, results } = await held.result();
  expect(state).toBe('done');
  expect(results?.parts).toBe(held.parts().length);
  expect(results?.parts).toBeGreaterThan(2);
  expectOnce(held.written(), 60);
  expect(new Set(held.written().map(({ results: [only] }) => only?.stdout?.length))).toEqual(
    new Set([20_000]),
  );
  await world.golem.settled(held.jobId);
  expectEachRunOnce(await expectAllPaidOnce(world, held.began), held.written());
});

test('results that are never taken come with the result of the job that is terminated', async () => {
  web.putStatus = 403;
  const refused = await job(loud(60)).start();
  await refused.progressed(
    ({ lastFailure, tasks: { running } }) => lastFailure?.type === 'ResultsNotWritten' && running === 0,
  );
  await world.client.workflow.getHandle(refused.jobId).executeUpdate('terminate');
  const { state, failure, tasks, results } = await refused.result();
  expect({ state, type: failure?.type }).toEqual({ state: 'failed', type: 'ResultsNotWritten' });
  expect(results).toMatchObject({ parts: 0, tasks: { done: tasks.length, failed: 0 } });
  expectOnce(tasks, tasks.length);
  expect(tasks.length).toBeGreaterThan(10);
  await world.golem.settled(refused.jobId);
});

test('cancelled, it writes what is done', async () => {
  const cancelled = await job(echoes(200)).start();
  await cancelled.progressed(({ tasks }) => tasks.done >= 20);
  await world.golem.cancel(cancelled.jobId);
  expect((await failureOf(cancelled.result())).type).toBe('Cancelled');
  await world.golem.settled(cancelled.jobId);
  const { tasks } = await world.golem.progress(cancelled.jobId);
  expect(tasks).toMatchObject({ total: 200, waiting: 0, running: 0 });
  expectOnce(cancelled.written(), tasks.done);
  await expectAllPaidOnce(world, cancelled.began);
});

test('its worker killed twice, each task is done and written once', async () => {
  const killed = await job(echoes(80)).start({ providers: { max: PROVIDERS } });
  for (const done of [10, 45]) {
    await killed.progressed(({ tasks }) => tasks.done >= done);
    await world.worker.kill();
    await world.startWorker();
  }
  const { state, results } = await killed.result();
  expect(state).toBe('done');
  expect(results?.tasks).toEqual({ done: 80, failed: 0, cancelled: 0 });
  expectOnce(killed.written(), 80);
  await world.golem.settled(killed.jobId);
  const scripts = (await expectAllPaidOnce(world, killed.began)).taskScripts().map(({ batchId }) => batchId);
  expect(new Set(scripts).size).toBe(scripts.length);
  const known = killed.written().flatMap(({ attempts }) => attempts.flatMap(({ batchId }) => batchId ?? []));
  for (const batchId of known) expect(scripts).toContain(batchId);
});
