/** A Golem job as its users see it: real Temporal server, real worker process, devnet over HTTP. */
import { providerNodeId } from '../devnet/identity';
import type { JobResult, TaskResult } from '../model/result';
import { FaultProxy } from './support/fault-proxy';
import { startWebServer, type WebServer } from './support/web-server';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const proxy = new FaultProxy();
let world: World;
let web: WebServer;
beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({ yagnaUrl: (url) => proxy.start(url), devnet: { paymentCycleSec: 0.1 } });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
  await web.close();
});

const BASE = { image: 'golem/alpine:latest', budget: '1' };

/** Runs a job to its results, and until its providers are free again; what else a spec needs is filled in. */
async function run(spec: object): Promise<JobResult> {
  const { jobId } = await world.golem.startJob({ ...BASE, ...spec });
  const result = await world.golem.result(jobId);
  await world.golem.settled(jobId);
  return result;
}

function task(result: JobResult, name: string): TaskResult {
  const found = result.tasks.find((each) => each.name === name);
  if (!found) throw new Error(`no task ${name}`);
  return found;
}

const stdout = (found: TaskResult | undefined): (string | null)[] =>
  found?.results.map((each) => each.stdout) ?? [];

const providersOf = (result: JobResult): string[] => result.tasks.map(({ provider }) => provider?.name ?? '');

test('a job of one line returns what the line printed, pays for it and leaves nothing behind', async () => {
  const { golem } = world;
  const { jobId } = await golem.startJob({ ...BASE, tasks: ['echo hello'] });
  const result = await golem.result(jobId);
  expect(result.state).toBe('done');
  expect(result.tasks).toHaveLength(1);
  expect(result.tasks[0]?.results).toMatchObject([
    { index: 0, result: 'Ok', stdout: 'hello\n', message: null },
  ]);
  const settlement = await golem.settled(jobId);
  expect(settlement.state).toBe('settled');
  expect(settlement.money.paid).toBe(settlement.money.accepted);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('results tell index, outcome, both outputs, message, provider, attempts and times', async () => {
  const before = Date.now();
  const result = await run({
    tasks: [
      { name: 'talker', commands: ['echo out; echo err >&2', { run: '/bin/echo', args: ['a  b', '$c'] }] },
    ],
  });
  const talker = task(result, 'talker');
  expect(talker.results).toEqual([
    {
      ...{ index: 0, result: 'Ok', stdout: 'out\n', stderr: 'err\n', message: null },
      eventDate: expect.any(String) as string,
    },
    {
      ...{ index: 1, result: 'Ok', stdout: 'a  b $c\n', stderr: null, message: null },
      eventDate: expect.any(String) as string,
    },
  ]);
  expect(talker.provider?.id).toBe(providerNodeId(talker.provider?.name ?? ''));
  expect(talker.attempts).toEqual([
    {
      ...{ attempt: 1, provider: talker.provider, state: 'done' },
      agreementId: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      activityId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      batchId: expect.any(String) as string,
      startedAt: expect.any(String) as string,
      finishedAt: expect.any(String) as string,
    },
  ]);
  const times = [
    ...[result.startedAt, talker.startedAt, talker.attempts[0]?.startedAt],
    ...[talker.attempts[0]?.finishedAt, talker.finishedAt, result.finishedAt],
  ].map((time) => Date.parse(time ?? ''));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times[0]).toBeGreaterThanOrEqual(before);
  expect(times.at(-1)).toBeLessThanOrEqual(Date.now());
});

test('tasks run on several providers at the same time', async () => {
  const url = web.meeting(3);
  // None goes on before all have begun.
  const commands = [{ transfer: { from: url, to: '/golem/work/met' } }, 'cat /golem/work/met'];
  const result = await run({ tasks: [1, 2, 3].map((n) => ({ name: `t${n}`, commands, timeoutSec: 40 })) });
  expect(result.state).toBe('done');
  expect(new Set(result.tasks.map(({ provider }) => provider?.id)).size).toBe(3);
  const activities = result.tasks.map(({ attempts }) => attempts[0]?.activityId);
  const scripts = (await world.effects('script-started,script-finished')).filter(
    ({ activityId, commands: names }) => activities.includes(activityId) && names?.[0] === 'transfer',
  );
  expect(scripts.map(({ kind }) => kind)).toEqual([
    ...['script-started', 'script-started', 'script-started'],
    ...['script-finished', 'script-finished', 'script-finished'],
  ]);
});

test('tasks of one vm run in order and see each other’s files; a vm beside it does not', async () => {
  const meeting = { transfer: { from: web.meeting(2), to: '/golem/work/met' } };
  const result = await run({
    tasks: [
      { name: 'a', vm: 'one', commands: [meeting, 'echo a >> /golem/work/log'], timeoutSec: 40 },
      { name: 'other', vm: 'two', commands: [meeting, 'ls /golem/work'], timeoutSec: 40 },
      { name: 'b', vm: 'one', commands: ['echo b >> /golem/work/log'] },
      { name: 'c', vm: 'one', commands: ['cat /golem/work/log'] },
    ],
  });
  expect(result.state).toBe('done');
  expect(stdout(task(result, 'c'))).toEqual(['a\nb\n']);
  expect(stdout(task(result, 'other'))).toEqual([null, 'met\n']);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => task(result, name).attempts[0]);
  expect(b?.activityId).toBe(a?.activityId);
  expect(c?.activityId).toBe(a?.activityId);
  expect(task(result, 'other').attempts[0]?.activityId).not.toBe(a?.activityId);
  const order = [a, b, c].flatMap((each) => [each?.startedAt ?? '', each?.finishedAt ?? '']);
  expect(order).toEqual([...order].sort());
});

test('setup runs once in each VM, before its first task', async () => {
  const meeting = { transfer: { from: web.meeting(2), to: '/golem/work/met' } };
  const count = 'cat /golem/work/setups';
  const result = await run({
    setup: ['echo ready >> /golem/work/setups'],
    tasks: [
      { name: 'a1', vm: 'a', commands: [meeting, count], timeoutSec: 40 },
      { name: 'b1', vm: 'b', commands: [meeting, count], timeoutSec: 40 },
      { name: 'a2', vm: 'a', commands: [count] },
      { name: 'b2', vm: 'b', commands: [count] },
    ],
  });
  expect(result.state).toBe('done');
  for (const each of result.tasks) expect(each.results.at(-1)?.stdout).toBe('ready\n');
});

test('a setup that fails is told with its own words, after other providers were tried', async () => {
  const { jobId } = await world.golem.startJob({
    ...BASE,
    setup: ['echo no such tool >&2; exit 9'],
    tasks: ['echo never'],
  });
  const activities = await follow(jobId, 'ActivityDestroyed', 2);
  expect(activities).toHaveLength(2);
  const { lastFailure } = await world.golem.progress(jobId);
  expect(lastFailure?.message).toMatch(/setup\[0\]: .*exited with code 9.*no such tool/s);
  await world.golem.cancel(jobId);
  await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
  await world.golem.settled(jobId);
});

test('a setup that fails on all providers at once, and works a moment later, does not end the job', async () => {
  const url = web.failsAtFirst(5);
  const result = await run({
    providers: { max: 5 },
    setup: [{ transfer: { from: url, to: '/golem/work/setup' } }],
    tasks: Array.from({ length: 5 }, () => 'cat /golem/work/setup'),
    demand: { offerFetchingIntervalSec: 1 },
  });
  expect(result.state).toBe('done');
  for (const each of result.tasks) expect(stdout(each)).toEqual(['served\n']);
});

/** Waits for the n-th event of a name. */
async function follow(jobId: string, name: string, count: number): Promise<object[]> {
  const found: object[] = [];
  for await (const event of world.golem.followEvents(jobId)) {
    if (event.name === name) found.push(event);
    if (found.length >= count) break;
  }
  return found;
}

test('a failed task goes to another provider, and its attempts tell who failed and why', async () => {
  const url = web.failsAtFirst(3);
  const result = await run({
    tasks: [
      { name: 'flaky', commands: [{ transfer: { from: url, to: '/golem/work/x' } }, 'cat /golem/work/x'] },
    ],
  });
  const flaky = task(result, 'flaky');
  expect(flaky).toMatchObject({
    state: 'done',
    attempts: [{ attempt: 1, state: 'failed' }, { state: 'done' }],
  });
  expect(flaky.failure).toBeUndefined();
  expect(flaky.attempts[0]?.reason).toMatch(/503/);
  expect(flaky.attempts[0]?.provider.id).not.toBe(flaky.attempts[1]?.provider.id);
  expect(flaky.provider).toEqual(flaky.attempts[1]?.provider);
  expect(stdout(flaky)).toEqual([null, 'served\n']);
});

test('a task is tried maxAttempts times; the job then returns failed, with the results of the others', async () => {
  const result = await run({
    tasks: [
      { name: 'hopeless', commands: ['echo tried; exit 3', 'echo never'], maxAttempts: 3 },
      { name: 'fine', commands: ['echo fine'] },
    ],
  });
  expect(result.state).toBe('failed');
  const hopeless = task(result, 'hopeless');
  expect(hopeless.state).toBe('failed');
  expect(hopeless.failure?.type).toBe('CommandFailed');
  expect(hopeless.failure?.message).toMatch(/exited with code 3/);
  expect(hopeless.results).toMatchObject([{ index: 0, result: 'Error', stdout: 'tried\n' }]);
  expect(hopeless.attempts.map(({ attempt, state }) => [attempt, state])).toEqual([
    ...[
      [1, 'failed'],
      [2, 'failed'],
      [3, 'failed'],
    ],
  ]);
  for (const { reason } of hopeless.attempts) expect(reason).toMatch(/exited with code 3/);
  expect(new Set(hopeless.attempts.map(({ provider }) => provider.id)).size).toBe(3);
  expect(task(result, 'fine')).toMatchObject({ state: 'done', results: [{ stdout: 'fine\n' }] });
});

test('where there is only one provider, it gets the failed task again', async () => {
  const result = await run({
    providers: { allow: [providerNodeId('steady')] },
    demand: { offerFetchingIntervalSec: 1 },
    tasks: [{ name: 'flaky', commands: [{ transfer: { from: web.failsAtFirst(3), to: '/golem/work/x' } }] }],
  });
  expect(result.state).toBe('done');
  expect(task(result, 'flaky').attempts.map(({ provider }) => provider.name)).toEqual(['steady', 'steady']);
});

test('a command that fails is noticed when it fails, whatever would have come after it', async () => {
  const result = await run({
    tasks: [{ name: 'early', commands: ['echo first', 'false', 'sleep 3600'], maxAttempts: 1 }],
  });
  expect(task(result, 'early')).toMatchObject({
    state: 'failed',
    results: [
      { index: 0, result: 'Ok' },
      { index: 1, result: 'Error' },
    ],
  });
});

test('a task over its time fails as TaskTimedOut and does not hold up the others', async () => {
  const result = await run({
    providers: { max: 1 },
    tasks: [
      { name: 'endless', commands: ['echo begun', 'sleep 3600'], timeoutSec: 1, maxAttempts: 1 },
      { name: 'next', commands: ['echo next'] },
    ],
  });
  expect(result.state).toBe('failed');
  const endless = task(result, 'endless');
  expect(endless).toMatchObject({ state: 'failed', failure: { type: 'TaskTimedOut' } });
  expect(endless.results).toMatchObject([{ index: 0, stdout: 'begun\n' }]);
  expect(task(result, 'next').state).toBe('done');
});

describe('outputs beyond the limit', () => {
  test('are cut with a mark that tells how much is missing', async () => {
    const result = await run({
      outputLimitBytes: 1000,
      tasks: ['head -c 5000 /dev/zero | tr "\\0" x; echo e >&2', 'echo short'],
    });
    expect(result.state).toBe('done');
    const [long, short] = result.tasks;
    expect(long?.results[0]?.stdout).toMatch(/^x{1000}\n… \[4000 bytes cut\]$/);
    expect(long?.results[0]?.stderr).toBe('e\n');
    expect(short?.results[0]?.stdout).toBe('short\n');
  });

  test('of many tasks, megabytes each, leave the job fine', async () => {
    const line = 'head -c 3000000 /dev/zero | tr "\\0" y; head -c 1000000 /dev/zero | tr "\\0" z >&2';
    const result = await run({ tasks: Array.from({ length: 12 }, () => line) });
    expect(result.state).toBe('done');
    for (const { results } of result.tasks) {
      expect(results[0]?.stdout).toMatch(/^y{10000,}\n… \[\d+ bytes cut\]$/);
      expect(results[0]?.stderr).toMatch(/^z{10000,}\n… \[\d+ bytes cut\]$/);
    }
  });

  test('that are longer as JSON than they are as bytes leave the job fine', async () => {
    // A control character takes six characters of JSON.
    const line = 'head -c 70000 /dev/zero | tr "\\0" "\\1"; head -c 70000 /dev/zero | tr "\\0" "\\2" >&2';
    const result = await run({
      tasks: Array.from({ length: 2 }, () => ({ commands: Array(10).fill(line) })),
    });
    expect(result.state).toBe('done');
    for (const { stdout: text } of result.tasks.flatMap(({ results }) => results)) {
      expect(text).toMatch(/bytes cut\]$/);
    }
    expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThan(2_000_000);
  });

  test('of a setup leave the job fine', async () => {
    const line = 'head -c 300000 /dev/zero | tr "\\0" s';
    const result = await run({ setup: Array(40).fill(line), tasks: ['echo done'] });
    expect(result.tasks[0]?.results[0]?.stdout).toBe('done\n');
  });
});

test('files travel in and out by HTTP, and within the VM', async () => {
  web.files.set('scene', Buffer.from([0, 1, 2, 255]));
  const result = await run({
    tasks: [
      {
        name: 'move',
        commands: [
          { transfer: { from: web.fileUrl('scene'), to: '/golem/input/scene' } },
          { transfer: { from: '/golem/input/scene', to: '/golem/work/copy' } },
          'cat /golem/input/scene /golem/work/copy > /golem/output/double',
          { transfer: { from: '/golem/output/double', to: web.fileUrl('double') } },
        ],
      },
      {
        name: 'missing',
        commands: [{ transfer: { from: web.fileUrl('nothing'), to: '/golem/input/x' } }],
        maxAttempts: 1,
      },
    ],
  });
  expect(task(result, 'move').state).toBe('done');
  expect(web.files.get('double')).toEqual(Buffer.from([0, 1, 2, 255, 0, 1, 2, 255]));
  expect(task(result, 'missing')).toMatchObject({ state: 'failed', failure: { type: 'CommandFailed' } });
  expect(task(result, 'missing').failure?.message).toMatch(/404/);
});

describe('the provider is chosen', () => {
  test('as the cheapest by default, the fastest when asked for', async () => {
    expect(providersOf(await run({ tasks: ['true'] }))).toEqual(['cheap-and-slow']);
    expect(providersOf(await run({ tasks: ['true'], providers: { select: 'fastest' } }))).toEqual([
      'big-iron',
    ]);
  });

  test('by allow and deny', async () => {
    const steady = providerNodeId('steady');
    expect(
      providersOf(
        await run({ tasks: ['true'], providers: { allow: [steady.toUpperCase().replace('X', 'x')] } }),
      ),
    ).toEqual(['steady']);
    const deny = ['cheap-and-slow', 'pay-to-enter'].map(providerNodeId);
    expect(providersOf(await run({ tasks: ['true'], providers: { deny } }))).toEqual(['late-riser']);
  });

  test('within the price caps', async () => {
    const fastest = { select: 'fastest' };
    const capped = await run({ tasks: ['true'], providers: fastest, pricing: { maxCpuPerHour: '0.05' } });
    expect(providersOf(capped)).toEqual(['pay-to-enter']);
    const free = await run({
      ...{ tasks: ['true'], providers: fastest },
      pricing: { maxCpuPerHour: '0.05', maxStartPrice: '0.0099' },
    });
    expect(providersOf(free)).toEqual(['cheap-and-slow']);
    const env = await run({ tasks: ['true'], providers: fastest, pricing: { maxEnvPerHour: '0.1' } });
    expect(providersOf(env)).toEqual(['pay-to-enter']);
  });

  test('by what the demand asks for', async () => {
    const result = await run({ tasks: ['true'], demand: { minMemGib: 32, capabilities: ['vpn'] } });
    expect(providersOf(result)).toEqual(['big-iron']);
  });
});

test('a provider that is busy is waited for, and both jobs end', async () => {
  const spec = { providers: { allow: [providerNodeId('steady')] } };
  const door = web.door();
  const first = await world.golem.startJob({
    ...{ ...BASE, ...spec },
    tasks: [{ commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }] }],
  });
  await door.knocked;
  const latest = (await world.effects()).at(-1)?.seq;
  const second = await world.golem.startJob({ ...BASE, ...spec, tasks: ['echo second'] });
  await world.effect('proposal-countered', latest);
  door.open();
  const results = await Promise.all([first, second].map(({ jobId }) => world.golem.result(jobId)));
  expect(results.map(({ state }) => state)).toEqual(['done', 'done']);
  expect(results.flatMap(providersOf)).toEqual(['steady', 'steady']);
});

test('a provider that is busy is left for another one', async () => {
  const door = web.door();
  const first = await world.golem.startJob({
    ...BASE,
    tasks: [{ commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }] }],
  });
  await door.knocked;
  expect(providersOf(await run({ tasks: ['echo second'] }))).not.toEqual(['cheap-and-slow']);
  door.open();
  expect(providersOf(await world.golem.result(first.jobId))).toEqual(['cheap-and-slow']);
});

test('the id of a running job, and of one whose money is not settled yet, is not taken', async () => {
  const door = web.door();
  const spec = { ...BASE, tasks: [{ commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }] }] };
  const { jobId } = await world.golem.startJob(spec);
  await door.knocked;
  await expect(world.golem.startJob(spec, { jobId })).rejects.toMatchObject({ type: 'JobIdInUse' });
  const accept = proxy.hold(/^POST .*\/invoices\/.*\/accept$/);
  door.open();
  expect((await world.golem.result(jobId)).state).toBe('done');
  await accept.reached;
  await world.golem.startJob(spec, { jobId });
  await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'JobIdInUse' });
  accept.release();
});

test('after all this nothing is left on yagna', async () => {
  for (const { agreementId } of await world.effects('agreement-approved')) {
    await ended(agreementId ?? '');
  }
  const settlements = world.client.workflow.list({
    query: `WorkflowType = 'golemSettlement' AND ExecutionStatus = 'Running' AND TaskQueue = '${world.taskQueue}'`,
  });
  for await (const { workflowId } of settlements) await world.client.workflow.getHandle(workflowId).result();
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

async function ended(agreementId: string): Promise<void> {
  for (let after = 0; ;) {
    const effect = await world.effect('agreement-terminated', after);
    if (effect.agreementId === agreementId) return;
    after = effect.seq;
  }
}
