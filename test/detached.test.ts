/**
 * Agreements that outlive their rental on purpose: nobody computes for them any more, and their settlement pays until they
 * end, or until somebody attaches.
 */
import { randomUUID } from 'node:crypto';
import { reconcile } from '../client';
import type { SettlementProgress, SettlementResult } from '../model/result';
import type { SettlementInput } from '../workflows/protocol';
import { PLATFORM, Requestor } from './support/devnet-requestor';
import { expectAllPaidOnce, now, since } from './support/proof';
import { runsOf } from './support/runs';
import { settlementShows } from './support/settlement-shows';
import { terminateAll } from './support/workflow-ends';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

let world: World;
let requestor: Requestor;
let began: number;

beforeAll(async () => {
  const fast = { minDebitNoteIntervalSec: 1, debitNoteIntervalSec: 1, minExpirationSec: 1 };
  world = await startWorld({
    continueAsNewAfter: 100,
    env: { GOLEM_DURATION_CLASSES: '{"minExpirationSec":1,"reservedSec":2}' },
    devnet: {
      paymentCycleSec: 0.2,
      providers: [
        { name: 'one', ...fast },
        { name: 'theirs', subnet: 'theirs', agreementLimit: 2, ...fast },
      ],
    },
  });
  requestor = new Requestor(world.devnet.url, world.devnet.appKey, world.devnet.adminUrl);
});
afterAll(() => world?.close());
beforeEach(async () => {
  began = await now(world);
});

const SPEC = {
  ...{ image: 'golem/alpine:latest', budget: '1', interactive: true },
  demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 30 },
};

const handle = (workflowId: string) => world.client.workflow.getHandle(workflowId);
/** What the settlement shows when that is so. */
const when = (
  settlement: string,
  isSo: (shown: SettlementProgress) => boolean,
): Promise<SettlementProgress> => settlementShows(world, settlement, isSo);

/** Resolves when so many more debit notes were accepted. */
async function moreNotes(count: number): Promise<void> {
  let after = await now(world);
  for (let n = 0; n < count; n++) after = (await world.effect('debit-note-accepted', after)).seq;
}

interface Left {
  settlement: string;
  agreementId: string;
  activityId: string;
}

/** A rental of an interactive job has left its VM alive, and is gone, as its job is. */
async function detach(demand: object = {}): Promise<Left> {
  const { rentalId, jobId } = await world.golem.rent({ ...SPEC, demand: { ...SPEC.demand, ...demand } });
  const { agreementId, activityId } = await world.golem.detach(rentalId);
  const settlement = `${jobId}/settlement`;
  const shown = await when(settlement, ({ detached }) => detached !== undefined);
  expect(shown).toMatchObject({
    phase: 'detached',
    detached: [{ agreementId, activityId, validTo: expect.any(String) }],
  });
  expect(await world.open()).toEqual({ allocations: 1, demands: 0, agreements: 1, activities: 1 });
  return { settlement, agreementId, activityId };
}

async function standIn(): Promise<{ workflowId: string; runId: string }> {
  const workflowId = `attached-${randomUUID()}`;
  const options = { workflowId, taskQueue: 'nobody', args: [] };
  const { firstExecutionRunId: runId } = await world.client.workflow.start('golemRental', options);
  return { workflowId, runId };
}

/** Somebody looks after the agreement again. */
async function attach({ settlement, activityId }: Left): Promise<string> {
  const { rentalId } = await world.golem.attach({ activityId });
  const shown = await when(settlement, ({ phase }) => phase === 'open');
  expect(shown.detached).toBeUndefined();
  return rentalId;
}

async function isSettled(settlement: string): Promise<void> {
  const { state } = (await handle(settlement).result()) as SettlementResult;
  expect(state).toBe('settled');
  await expectAllPaidOnce(world, began);
}

test('is paid for through the death of a worker, left alone by reconcile, and ended when who attached is gone', async () => {
  const detached = await detach();
  await world.worker.kill();
  const left = await now(world);
  await world.effect('debit-note-issued', (await world.effect('debit-note-issued', left)).seq);
  expect((await since(world, left)).count('debit-note-accepted')).toBe(0);
  await world.startWorker();
  await moreNotes(3);
  const found = await reconcile({ client: world.client, taskQueue: world.taskQueue }, { olderThanSec: 0 });
  expect(found).toEqual({ orphans: [], more: 0, settlements: [] });
  const owner = await attach(detached);
  await moreNotes(2);
  expect(await world.golem.exec(owner, ['echo here'])).toMatchObject({ results: [{ stdout: 'here\n' }] });
  expect((await since(world, began)).count('agreement-terminated')).toBe(0);
  await handle(owner).terminate();
  await isSettled(detached.settlement);
  const [ended] = (await since(world, began)).of('agreement-terminated');
  expect(ended).toMatchObject({ agreementId: detached.agreementId, terminator: 'Requestor' });
  expect((await runsOf(world, detached.settlement)).length).toBeGreaterThan(1);
});

test('and detached once more, lasts until its provider ends it', async () => {
  const detached = await detach();
  const { settlement, agreementId } = detached;
  await world.golem.detach(await attach(detached));
  await when(settlement, ({ phase, detached: left }) => phase === 'detached' && left !== undefined);
  await moreNotes(2);
  await world.devnet.shutDownProvider('one');
  await isSettled(settlement);
  const events = await handle(settlement).query<{ name: string; details: object }[]>('events');
  expect(events.filter(({ name }) => name === 'AgreementTerminated')).toMatchObject([
    { details: { id: agreementId, terminator: 'Provider', reason: expect.stringMatching(/Shutdown/) } },
  ]);
  world.devnet.reopenProvider('one');
});

test('and that nobody attaches to, is settled when its own time is over, with nothing left open', async () => {
  const { settlement, agreementId } = await detach({ expirationSec: 15 });
  await isSettled(settlement);
  const effects = await since(world, began);
  expect(effects.count('debit-note-accepted')).toBeGreaterThan(0);
  // Its provider may say so before yagna sees it.
  for (const ended of effects.of('agreement-terminated'))
    expect(ended).toMatchObject({ agreementId, reason: { 'golem.provider.code': 'Expired' } });
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

const theirs = (): Promise<string> =>
  requestor.rent('their-session', {
    'golem.node.debug.subnet': 'theirs',
    'golem.com.scheme.payu.debit-note.interval-sec?': 1,
  });

/** A settlement as an attaching rental starts it for an agreement that bears no mark. */
async function attachToTheirs(agreementId: string): Promise<{ owner: string; settlement: string }> {
  const { runId: jobUuid, workflowId: owner } = await standIn();
  const { namespaceInfo } = await world.client.workflowService.describeNamespace({
    namespace: world.client.options.namespace,
  });
  const input: SettlementInput = {
    job: {
      connection: 'default',
      jobId: owner,
      jobUuid,
      owner: namespaceInfo?.id ?? '',
      agreements: [agreementId],
    },
    budget: { amount: '1', network: 'holesky', driver: 'erc20', token: 'tglm', onLow: 'finish' },
    ...{ platform: PLATFORM, invoiceWaitSec: 60, acceptanceTimeoutSec: 240 },
    tolerance: { usageSec: 10, usageRatio: 0.05 },
    ...{ requestLifetimeMs: 4000, allocationLifeSec: 86_400 },
    attached: [{ workflowId: owner, agreementId }],
  };
  const settlement = `${owner}/settlement`;
  await world.client.workflow.start('golemSettlement', {
    ...{ workflowId: settlement, taskQueue: world.taskQueue, args: [input] },
    memo: { golemJob: jobUuid },
  });
  return { owner, settlement };
}

test('of other software is settled by who attaches to it, from its beginning, and no other of that software', async () => {
  const agreementId = await theirs();
  const notOurs = await theirs();
  const activityId = await requestor.createActivity(agreementId);
  await requestor.createActivity(notOurs);
  // Nobody decides them yet.
  await world.effect('debit-note-issued', (await world.effect('debit-note-issued', began)).seq);
  const { owner, settlement } = await attachToTheirs(agreementId);
  await moreNotes(3);
  const accepted = (await since(world, began)).of('debit-note-accepted');
  expect(new Set(accepted.map((effect) => effect.activityId))).toEqual(new Set([activityId]));
  await handle(owner).terminate();
  const result = (await handle(settlement).result()) as SettlementResult;
  expect(result).toMatchObject({ state: 'settled', agreements: [{ agreementId }] });
  const whole = await since(world, began);
  const issued = whole.of('debit-note-issued').filter((effect) => effect.activityId === activityId);
  expect(result.agreements[0]?.debitNotes).toBe(issued.length);
  expect(whole.of('agreement-terminated').map((effect) => effect.agreementId)).toEqual([agreementId]);
  expect(await world.open()).toEqual({ allocations: 0, demands: 0, agreements: 1, activities: 1 });
  await requestor.terminate(notOurs);
});

test('of other software is found by reconcile, when who attached and the settlement are gone', async () => {
  const agreementId = await theirs();
  await requestor.createActivity(agreementId);
  const { owner, settlement } = await attachToTheirs(agreementId);
  await moreNotes(1);
  await terminateAll(world.client, [settlement, owner]);
  const client = { client: world.client, taskQueue: world.taskQueue };
  for (;;) {
    const { settlements } = await reconcile(client, { olderThanSec: 0 });
    // Temporal lists a workflow a moment after it has ended.
    if (settlements.length === 0) continue;
    expect(settlements).toEqual([settlement]);
    break;
  }
  await isSettled(settlement);
});
