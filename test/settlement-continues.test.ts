/** A settlement that has gone on as a new run knows all it knew, and is known by all who have to do with it. */
import { reconcile } from '../client';
import type { SettlementProgress, SettlementResult } from '../model/result';
import type { SettlementInput } from '../workflows/protocol';
import { expectAllPaidOnce, now } from './support/proof';
import { continued, runsOf } from './support/runs';
import { terminateAll } from './support/workflow-ends';
import { startWorld, type World } from './support/world';

let world: World;
let began: number;

beforeAll(async () => {
  const fast = { minDebitNoteIntervalSec: 1, debitNoteIntervalSec: 1 };
  world = await startWorld({
    continueAsNewAfter: 60,
    devnet: { paymentCycleSec: 0.2, providers: [{ name: 'one', ...fast }] },
  });
});
afterAll(() => world?.close());
beforeEach(async () => {
  began = await now(world);
});

const SPEC = {
  ...{ image: 'golem/alpine:latest', interactive: true, invoiceWaitSec: 77 },
  budget: { amount: '1', onLow: 'topUp', max: '5' },
  demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 30 },
};

const handle = (workflowId: string) => world.client.workflow.getHandle(workflowId);
const money = async (settlement: string): Promise<SettlementProgress['money']> =>
  (await handle(settlement).query<SettlementProgress>('progress')).money;

/** Id of its newest run, when that is another one. */
async function nextRun(settlement: string): Promise<string> {
  const { runId } = await handle(settlement).describe();
  await continued(world, settlement, runId);
  return (await handle(settlement).describe()).runId;
}

async function start(): Promise<{ jobId: string; settlement: string }> {
  const { jobId } = await world.golem.startJob(SPEC);
  await world.effect('debit-note-accepted', began);
  return { jobId, settlement: `${jobId}/settlement` };
}

test('what was reserved for the job, and asked for, goes on with it; the job follows its settlement', async () => {
  const { jobId, settlement } = await start();
  expect(await world.golem.topUp(jobId, '1', { updateId: 'once' })).toEqual({ reserved: '2', budget: '6' });
  await nextRun(settlement);
  expect(await money(settlement)).toMatchObject({ reserved: '2', budget: '6' });
  expect(await world.golem.topUp(jobId, '2')).toEqual({ reserved: '4', budget: '8' });
  await nextRun(settlement);
  await handle(jobId).executeUpdate('terminate', { args: [{}] });
  expect((await world.golem.result(jobId)).state).toBe('done');
  const settled = await world.golem.settled(jobId);
  expect(settled).toMatchObject({ state: 'settled', money: { reserved: '4', budget: '8' } });
  await expectAllPaidOnce(world, began);
  const runs = await runsOf(world, settlement);
  expect(runs.length).toBeGreaterThan(2);
});

test('what is terminated with all that is its own after that, reconcile settles on its terms', async () => {
  const { jobId, settlement } = await start();
  const before = await nextRun(settlement);
  await terminateAll(world.client, [settlement, jobId, `${jobId}/rental/1`]);
  const { settlements } = await reconcile(
    { client: world.client, taskQueue: world.taskQueue },
    { olderThanSec: 0 },
  );
  expect(settlements).toEqual([settlement]);
  const revived = await runsOf(world, settlement);
  expect(revived[0]?.runId).not.toBe(before);
  const payload = revived[0]?.events[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
  const input = JSON.parse(Buffer.from(payload ?? []).toString()) as SettlementInput;
  expect(input).toMatchObject({ invoiceWaitSec: 77, budget: { max: '5' }, job: { jobId } });
  // It begins from what yagna holds, not from what the one before knew.
  expect(input.carried).toBeUndefined();
  const { state } = (await handle(settlement).result()) as SettlementResult;
  expect(state).toBe('settled');
  await expectAllPaidOnce(world, began);
});
