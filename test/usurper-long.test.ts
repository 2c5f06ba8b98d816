/** What a closed rental knows of grants and signatures goes along when it continues as a new run; who knocks in vain costs little. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { ControlSigner, GolemClient, signedFor } from '../client';
import type { Detached } from '../model/attach';
import { PERMISSIONS } from '../model/control';
import { continuedAsNew } from './support/history';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

type History = temporal.api.history.v1.IHistory;

let world: World;
beforeAll(async () => {
  world = await startWorld({ devnet: { paymentCycleSec: 0.1 }, continueAsNewAfter: 60 });
});
afterAll(() => world?.close());

test('grants, what was revoked and what was signed outlive the runs of a rental', async () => {
  const [owner, agent, former] = (await Promise.all([1, 2, 3].map(() => ControlSigner.generate()))) as [
    ControlSigner,
    ControlSigner,
    ControlSigner,
  ];
  const { client, taskQueue } = world;
  const as = (signer: ControlSigner) => new GolemClient({ client, taskQueue, signer });
  const spec = { image: 'golem/alpine:latest', budget: '1', control: { owner: owner.key } };
  const { jobId, rentalId } = await as(owner).rent(spec);
  const handle = client.workflow.getHandle(rentalId);
  const until = new Date(Date.now() + 3_600_000);
  await as(owner).grant(rentalId, { key: agent.key, permissions: ['exec', 'read'], until });
  await as(owner).grant(rentalId, { key: former.key, permissions: PERMISSIONS, until });
  await as(owner).revoke(rentalId, former.key);
  const once = await agent.authorize(await signedFor(client, rentalId), 'executeScript', {
    commands: ['true'],
    scriptId: 'once',
  });
  const send = (name: string, argument: object): Promise<unknown> =>
    handle.executeUpdate(name, { args: [argument] });
  await send('executeScript', once);

  const runs = new Set([(await handle.describe()).runId]);
  // Each script is signed for, and each question for its result.
  for (let n = 1; runs.size < 4; n++) {
    expect(await as(agent).exec(rentalId, [`echo ${n}`])).toMatchObject({ results: [{ stdout: `${n}\n` }] });
    runs.add((await handle.describe()).runId);
  }
  const refusal = async (doing: Promise<unknown>): Promise<unknown> => {
    const error: unknown = await doing.catch((reason: unknown) => reason);
    const failed = error instanceof WorkflowUpdateFailedError ? error : (error as Error).cause;
    return ((failed as WorkflowUpdateFailedError).cause as ApplicationFailure).details?.[0];
  };
  expect(await refusal(as(former).exec(rentalId, ['true']))).toBe('Revoked');
  expect(await refusal(as(agent).terminate(rentalId))).toBe('NotPermitted');
  expect(await refusal(send('executeScript', once))).toBe('Replayed');
  expect(await refusal(send('executeScript', { commands: ['true'] }))).toBe('NoSignature');

  // Fifty that nobody has signed: not one look at a signature.
  const checks = async (): Promise<number> => {
    let count = 0;
    for (let runId: string | undefined = first; runId !== undefined;) {
      const history: History = await client.workflow.getHandle(rentalId, runId).fetchHistory();
      const events = history.events ?? [];
      count += events.filter(
        (each) => each.activityTaskScheduledEventAttributes?.activityType?.name === 'golemVerifyControl',
      ).length;
      const end = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
      runId = end?.newExecutionRunId ?? undefined;
    }
    return count;
  };
  const [first = ''] = runs;
  const before = await checks();
  expect(before).toBeGreaterThan(10);
  for (let n = 0; n < 5; n++)
    await Promise.allSettled(Array.from({ length: 10 }, () => send('terminate', { reason: 'mine' })));
  expect(await checks()).toBe(before);
  expect(await as(agent).exec(rentalId, ['echo mine'])).toMatchObject({ results: [{ stdout: 'mine\n' }] });

  await as(owner).terminate(rentalId);
  await world.golem.result(jobId);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('who is refused keeps neither an idle job nor its settlement from going on, nor a rental from being left in that moment', async () => {
  const owner = await ControlSigner.generate();
  const { client, taskQueue } = world;
  const asOwner = new GolemClient({ client, taskQueue, signer: owner });
  const spec = { image: 'golem/alpine:latest', budget: '1', control: { owner: owner.key } };
  const { jobId, rentalId } = await asOwner.rent(spec);
  const settlementId = `${jobId}/settlement`;
  const handleOf = (workflowId: string) => client.workflow.getHandle(workflowId);
  const runOf = async (workflowId: string): Promise<string> => (await handleOf(workflowId).describe()).runId;

  const ofJob = await runOf(jobId);
  for (let n = 0; n < 30; n++)
    await expect(handleOf(jobId).executeUpdate('terminate')).rejects.toThrow(WorkflowUpdateFailedError);
  await continuedAsNew(world, jobId, ofJob);
  expect(await asOwner.topUp(jobId, '1')).toMatchObject({ budget: '2' });

  const ofSettlement = await runOf(settlementId);
  const refused = { workflowId: 'x', operation: 'attach', refusal: 'NoSignature' };
  for (let n = 0; n < 60; n++) await handleOf(settlementId).signal('golemControlRefused', refused);
  await continuedAsNew(world, settlementId, ofSettlement);

  // Asked for, and not yet known to be the owner's, when the rental has become long.
  await world.worker.stop();
  const args: [object] = [await owner.authorize(await signedFor(client, rentalId), 'detach', {})];
  const leaving = handleOf(rentalId).executeUpdate<Detached, [object]>('detach', { args, updateId: 'leave' });
  await updateArrived(rentalId, 'leave');
  for (let n = 0; n < 60; n++) await handleOf(rentalId).signal('golemAssignment', 'of nobody');
  await world.startWorker();
  const { activityId } = await leaving;
  await handleOf(rentalId).result();
  await world.golem.result(jobId);

  const attached = await asOwner.attach({ activityId });
  await asOwner.terminate(attached.rentalId);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

/** Temporal has it, whether or not there is a worker. */
async function updateArrived(workflowId: string, updateId: string): Promise<void> {
  const { workflowService, options } = world.client;
  const updateRef = { workflowExecution: { workflowId }, updateId };
  for (;;) {
    const asked = workflowService.pollWorkflowExecutionUpdate({ namespace: options.namespace, updateRef });
    const isThere = await asked.then(
      () => true,
      (error: unknown) => {
        if ((error as { code?: number }).code === NOT_FOUND) return false;
        throw error;
      },
    );
    if (isThere) return;
  }
}

const NOT_FOUND = 5;
