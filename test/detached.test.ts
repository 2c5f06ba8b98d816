/**
 * Agreements that outlive their rental on purpose: nobody computes for them any more, and their settlement pays until they
 * end, or until somebody attaches. Rentals here are ended by hand, so that only what the settlement does counts.
 */
import { randomUUID } from 'node:crypto';
import { reconcile } from '../client';
import type { RentalProgress, SettlementProgress, SettlementResult } from '../model/result';
import type { OwnerAttached, OwnerClosed, SettlementInput } from '../workflows/protocol';
import { PLATFORM, Requestor } from './support/devnet-requestor';
import { expectAllPaidOnce, now, since } from './support/proof';
import { runsOf } from './support/runs';
import { startWorld, type World } from './support/world';

/** Job, rental and settlement may be ended by Temporal, so that clean-up waits for what may still land. */
const LONG = 120_000;

let world: World;
let requestor: Requestor;
let began: number;

beforeAll(async () => {
  const fast = { minDebitNoteIntervalSec: 1, debitNoteIntervalSec: 1 };
  world = await startWorld({
    continueAsNewAfter: 100,
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
const progress = (settlement: string): Promise<SettlementProgress> =>
  handle(settlement).query<SettlementProgress>('progress');

/** What the settlement shows when that is so. */
async function when(
  settlement: string,
  isSo: (shown: SettlementProgress) => boolean,
): Promise<SettlementProgress> {
  for (;;) {
    const shown = await progress(settlement).catch(() => undefined);
    if (shown && isSo(shown)) return shown;
  }
}

/** Resolves when so many more debit notes were accepted. */
async function moreNotes(count: number): Promise<void> {
  let after = await now(world);
  for (let n = 0; n < count; n++) after = (await world.effect('debit-note-accepted', after)).seq;
}

interface Detached {
  jobId: string;
  settlement: string;
  agreementId: string;
}

/** A rental of an interactive job is gone, and its job, and has left its agreement alive. */
async function detach(): Promise<Detached> {
  const { jobId } = await world.golem.startJob(SPEC);
  await world.effect('script-finished', began);
  await world.effect('debit-note-accepted', began);
  const rental = `${jobId}/rental/1`;
  const { agreementId = '' } = await handle(rental).query<RentalProgress>('progress');
  const settlement = `${jobId}/settlement`;
  await say(settlement, { workflowId: rental, clean: true, detached: [agreementId] });
  await Promise.all([jobId, rental].map((id) => handle(id).terminate()));
  const shown = await when(settlement, ({ detached }) => detached !== undefined);
  expect(shown).toMatchObject({
    phase: 'detached',
    detached: [{ agreementId, activityId: expect.any(String), validTo: expect.any(String) }],
  });
  expect(await world.open()).toEqual({ allocations: 1, demands: 0, agreements: 1, activities: 1 });
  return { jobId, settlement, agreementId };
}

const say = (settlement: string, closed: OwnerClosed): Promise<void> =>
  handle(settlement).signal('golemOwnerClosed', closed);

/** A rental that does nothing, since no worker has it, looks after the agreement until the test ends it. */
async function attach({ settlement, agreementId }: Detached): Promise<string> {
  const workflowId = `attached-${randomUUID()}`;
  await world.client.workflow.start('golemRental', { workflowId, taskQueue: 'nobody', args: [] });
  const attached: OwnerAttached = { workflowId, agreementId };
  await handle(settlement).signal('golemAttached', attached);
  const shown = await when(settlement, ({ phase }) => phase === 'open');
  expect(shown.detached).toBeUndefined();
  return workflowId;
}

async function isSettled(settlement: string): Promise<void> {
  const { state } = (await handle(settlement).result()) as SettlementResult;
  expect(state).toBe('settled');
  await expectAllPaidOnce(world, began);
}

test(
  'is paid for through the death of a worker, left alone by reconcile, and ended when who attached is gone',
  async () => {
    const detached = await detach();
    await world.worker.kill();
    await world.startWorker();
    await moreNotes(3);
    const found = await reconcile({ client: world.client, taskQueue: world.taskQueue }, { olderThanSec: 0 });
    expect(found).toEqual({ orphans: [], more: 0, settlements: [] });
    const owner = await attach(detached);
    await moreNotes(2);
    expect((await since(world, began)).count('agreement-terminated')).toBe(0);
    await handle(owner).terminate();
    await isSettled(detached.settlement);
    const [ended] = (await since(world, began)).of('agreement-terminated');
    expect(ended).toMatchObject({ agreementId: detached.agreementId, terminator: 'Requestor' });
    expect((await runsOf(world, detached.settlement)).length).toBeGreaterThan(1);
  },
  LONG,
);

test(
  'and detached once more, lasts until its provider ends it',
  async () => {
    const detached = await detach();
    const { settlement, agreementId } = detached;
    const owner = await attach(detached);
    await say(settlement, { workflowId: owner, clean: true, detached: [agreementId] });
    await handle(owner).terminate();
    await when(settlement, ({ phase, detached: left }) => phase === 'detached' && left !== undefined);
    await moreNotes(2);
    await world.devnet.shutDownProvider('one');
    await isSettled(settlement);
    const events = await handle(settlement).query<{ name: string; details: object }[]>('events');
    expect(events.filter(({ name }) => name === 'AgreementTerminated')).toMatchObject([
      { details: { id: agreementId, terminator: 'Provider', reason: expect.stringMatching(/Shutdown/) } },
    ]);
    world.devnet.reopenProvider('one');
  },
  LONG,
);

test(
  'of other software is settled by who attaches to it, from its beginning, and no other of that software',
  async () => {
    const properties = {
      'golem.node.debug.subnet': 'theirs',
      'golem.com.scheme.payu.debit-note.interval-sec?': 1,
    };
    const subnet = (session: string): Promise<string> => requestor.rent(session, properties);
    const agreementId = await subnet('their-session');
    const notOurs = await subnet('their-session');
    const activityId = await requestor.createActivity(agreementId);
    await requestor.createActivity(notOurs);
    // Nobody decides them yet.
    await world.effect('debit-note-issued', (await world.effect('debit-note-issued', began)).seq);
    const owner = `attached-${randomUUID()}`;
    await world.client.workflow.start('golemRental', {
      workflowId: owner,
      taskQueue: 'nobody',
      args: [],
    });
    const jobUuid = randomUUID();
    const input: SettlementInput = {
      job: { connection: 'default', jobId: owner, jobUuid, owner: 'test', agreements: [agreementId] },
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
    await moreNotes(3);
    const all = await since(world, began);
    const accepted = all.of('debit-note-accepted');
    expect(new Set(accepted.map((effect) => effect.activityId))).toEqual(new Set([activityId]));
    await handle(owner).terminate();
    await when(settlement, ({ agreements }) => agreements[0]?.state === 'settled');
    const result = (await handle(settlement).result()) as SettlementResult;
    expect(result).toMatchObject({ state: 'settled', agreements: [{ agreementId }] });
    const whole = await since(world, began);
    const issued = whole.of('debit-note-issued').filter((effect) => effect.activityId === activityId);
    expect(result.agreements[0]?.debitNotes).toBe(issued.length);
    expect(whole.of('agreement-terminated').map((effect) => effect.agreementId)).toEqual([agreementId]);
    expect(await world.open()).toEqual({ allocations: 0, demands: 0, agreements: 1, activities: 1 });
    await requestor.terminate(notOurs);
  },
  LONG,
);
