/**
 * An Update that came while no worker was there, and a worker that reads the workflow anew for it: whoever reads it later sees
 * it go the same way.
 */
import { judgeReplays } from './chaos/replay-verdict';
import { runsOfJob } from './support/runs';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const SPEC = { image: 'golem/alpine:latest', budget: '1' };

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

/** Kills the worker, sends the Update, and starts another worker when Temporal has a task for it. */
async function updateUnseen(workflowId: string, update: string, args: unknown[] = []): Promise<unknown> {
  await world.worker.kill();
  const handle = world.client.workflow.getHandle(workflowId);
  const updated = handle.executeUpdate(update, { args: args as [unknown] });
  updated.catch(() => undefined);
  // Nothing is an event but what the Update brings.
  while (!(await handle.describe()).raw.pendingWorkflowTask);
  await world.startWorker();
  return await updated;
}

async function expectSameWay(jobId: string): Promise<void> {
  expect(await judgeReplays(await runsOfJob(world, jobId))).toEqual([]);
}

const rented = (): Promise<{ jobId: string; rentalId: string }> => world.golem.rent(SPEC);

test('a rented job that is terminated meanwhile', async () => {
  const { jobId } = await rented();
  await updateUnseen(jobId, 'terminate');
  await world.golem.result(jobId);
  await world.golem.settled(jobId);
  await expectSameWay(jobId);
});

test('a job with a task under way that is terminated meanwhile', async () => {
  const { jobId } = await world.golem.startJob({ ...SPEC, tasks: ['sleep 100', 'sleep 100'] });
  while ((await world.golem.progress(jobId)).tasks.running < 2);
  await updateUnseen(jobId, 'terminate', [{ reason: 'enough' }]);
  await world.golem.result(jobId);
  await world.golem.settled(jobId);
  await expectSameWay(jobId);
});

test('a rental that is given a script, and is terminated, meanwhile; and a budget that is raised', async () => {
  const { jobId, rentalId } = await rented();
  await updateUnseen(rentalId, 'executeScript', [{ commands: ['echo 1'] }]);
  await updateUnseen(jobId, 'topUp', [{ amount: '1' }]);
  await updateUnseen(rentalId, 'terminate');
  await world.golem.settled(jobId);
  await expectSameWay(jobId);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});
