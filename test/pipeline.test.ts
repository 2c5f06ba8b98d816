/** Golem from a user's own workflows: our worker beside theirs, or our plugin in theirs. */
import { randomUUID } from 'node:crypto';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import { GolemPlugin } from '../worker';
import { scriptIsKnown } from './support/pending';
import { temporalAddress } from './support/temporal';
import { NOTHING_OPEN, startWorld, type World } from './support/world';
import type { conversation, pipeline } from './support/pipeline-workflows';

const SPEC = { image: 'golem/alpine:latest', budget: '1', tasks: ['echo one', 'echo two'] };

let world: World;
let connection: NativeConnection;
let workflowBundle: { code: string };
beforeAll(async () => {
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: require.resolve('./support/pipeline-workflows'),
    plugins: [new GolemPlugin({ env: { YAGNA_APPKEY: 'none' } })],
    logger: new DefaultLogger('ERROR'),
  });
  world = await startWorld();
  connection = await NativeConnection.connect({ address: temporalAddress() });
});
afterAll(async () => {
  await connection?.close();
  await world?.close();
});

async function runPipeline(theirs: Worker, taskQueue: string) {
  return await theirs.runUntil(async () => {
    const workflowId = `pipeline-${randomUUID()}`;
    const handle = await world.client.workflow.start<typeof pipeline>('pipeline', {
      workflowId,
      taskQueue: theirs.options.taskQueue,
      args: [SPEC, taskQueue],
    });
    return await handle.result();
  });
}

test('a workflow on a worker of its own runs a job on our worker, and hears of its progress', async () => {
  const theirs = await Worker.create({ connection, taskQueue: `theirs-${randomUUID()}`, workflowBundle });
  const { printed, phases } = await runPipeline(theirs, world.taskQueue);
  expect(printed).toEqual(['one\n', 'two\n']);
  expect(phases.at(-1)).toBe('done');
});

const RENTED = { image: 'golem/alpine:latest', budget: '1' };

async function converse(theirs: Worker, jobId: string, scripts: string[], spec: object = RENTED) {
  return await world.client.workflow.start<typeof conversation>('conversation', {
    workflowId: `talks-${randomUUID()}`,
    taskQueue: theirs.options.taskQueue,
    args: [spec as typeof RENTED, scripts, { taskQueue: world.taskQueue, workflowId: jobId }],
  });
}

describe("a VM rented by a user's own workflow", () => {
  let theirs: Worker;
  let working: Promise<void>;
  beforeAll(async () => {
    theirs = await Worker.create({ connection, taskQueue: `theirs-${randomUUID()}`, workflowBundle });
    working = theirs.run();
  });
  afterAll(async () => {
    theirs.shutdown();
    await working;
  });

  test('runs scripts one after the other, each once though its worker is killed half way, and ends when told to', async () => {
    const jobId = `rented-${randomUUID()}`;
    const [{ seq: began } = { seq: 0 }] = (await world.effects()).slice(-1);
    const talk = await converse(theirs, jobId, [
      'echo first > /golem/work/log',
      'echo again >> /golem/work/log; sleep 3; cat /golem/work/log',
      'exit 3',
    ]);
    const booted = await world.effect('script-started', began);
    const first = await world.effect('script-started', booted.seq);
    await world.effect('script-started', first.seq);
    await scriptIsKnown(world, `${jobId}/rental/1`);
    await world.worker.kill();
    await world.startWorker();
    const outcomes = await talk.result();
    expect(outcomes.map(({ state }) => state)).toEqual(['done', 'done', 'failed']);
    expect(outcomes[1]?.results[0]?.stdout).toBe('first\nagain\n');
    const { state, failure } = await world.golem.result(jobId);
    expect({ state, failure }).toEqual({ state: 'done', failure: undefined });
    expect((await world.golem.settled(jobId)).state).toBe('settled');
  });

  test('ends with the workflow when that is cancelled', async () => {
    const jobId = `rented-${randomUUID()}`;
    const [{ seq: began } = { seq: 0 }] = (await world.effects()).slice(-1);
    const talk = await converse(theirs, jobId, ['sleep 60']);
    const booted = await world.effect('script-started', began);
    await world.effect('script-started', booted.seq);
    await talk.cancel();
    await expect(talk.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });

  test('that cannot be had is a failure of the workflow, by its name', async () => {
    const talk = await converse(theirs, `rented-${randomUUID()}`, [], { ...RENTED, budget: 'much' });
    await expect(talk.result()).rejects.toMatchObject({ cause: { type: 'InvalidJobSpec' } });
  });
});

test("with one plugin each of a user's own workers runs jobs, watches included", async () => {
  const env = {
    YAGNA_APPKEY: world.devnet.appKey,
    YAGNA_API_URL: world.devnet.url,
    GOLEM_REGISTRY_URL: `${world.devnet.url}/registry`,
  };
  const plugin = new GolemPlugin({ env });
  const [one, two] = await Promise.all(
    ['one', 'two'].map((name) =>
      Worker.create({
        connection,
        taskQueue: `${name}-${randomUUID()}`,
        workflowBundle,
        plugins: [plugin],
      }),
    ),
  );
  if (!one || !two) throw new Error('two workers were made');
  const runJob = async (taskQueue: string) => {
    const jobId = `job-${randomUUID()}`;
    const handle = await world.client.workflow.start('golemJob', {
      workflowId: jobId,
      taskQueue,
      args: [SPEC],
    });
    await handle.result();
    return (await world.golem.settled(jobId)).state;
  };
  const states = await one.runUntil(
    two.runUntil(() => Promise.all([one, two].map(({ options }) => runJob(options.taskQueue)))),
  );
  expect(states).toEqual(['settled', 'settled']);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('an activity of the user with the name of one of ours is an error that names it', async () => {
  const creating = Worker.create({
    connection,
    taskQueue: 'clash',
    workflowBundle,
    activities: { golemSendScript: () => undefined },
    plugins: [new GolemPlugin({ env: { YAGNA_APPKEY: 'key' } })],
  });
  await expect(creating).rejects.toThrow('an activity named golemSendScript is registered already');
});
