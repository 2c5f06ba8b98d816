/** Golem from a user's own workflows: our worker beside theirs, or our plugin in theirs. */
import { randomUUID } from 'node:crypto';
import { NativeConnection, Worker } from '@temporalio/worker';
import { GolemPlugin } from '../worker';
import { temporalAddress } from './support/temporal';
import { NOTHING_OPEN, startWorld, type World } from './support/world';
import type { pipeline } from './support/pipeline-workflows';

const SPEC = { image: 'golem/alpine:latest', budget: '1', tasks: ['echo one', 'echo two'] };
const workflowsPath = require.resolve('./support/pipeline-workflows');

let world: World;
let connection: NativeConnection;
beforeAll(async () => {
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
  const theirs = await Worker.create({ connection, taskQueue: `theirs-${randomUUID()}`, workflowsPath });
  const { printed, phases } = await runPipeline(theirs, world.taskQueue);
  expect(printed).toEqual(['one\n', 'two\n']);
  expect(phases.at(-1)).toBe('done');
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
        workflowsPath,
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
    workflowsPath,
    activities: { golemSendScript: () => undefined },
    plugins: [new GolemPlugin({ env: { YAGNA_APPKEY: 'key' } })],
  });
  await expect(creating).rejects.toThrow('an activity named golemSendScript is registered already');
});
