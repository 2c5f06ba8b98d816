/**
 * A rental that lasts long: thousands of debit notes, of which each is decided once, and the settlement's history stays
 * short. In the tests its Temporal suggests early that it continue as new; with SOAK=1 it does so as it would in use.
 */
import type { JobEvent } from '../client';
import type { SettlementProgress } from '../model/result';
import { expectAllPaidOnce, now, since } from './support/proof';
import { activitiesIn, continued, runsOf, type Run } from './support/runs';
import { startWorld, type World } from './support/world';

const SOAK = process.env.SOAK !== undefined;
const NOTES = SOAK ? 3000 : 300;
/** Beside two for each note: what the beginning and the end take. */
const SPARE_ACTIVITIES = 20;
const LONG = SOAK ? 1_800_000 : 240_000;

let world: World;
let began: number;

beforeAll(async () => {
  world = await startWorld({
    continueAsNewAfter: SOAK ? undefined : 200,
    devnet: {
      paymentCycleSec: 0.2,
      providers: [
        {
          ...{ name: 'one', minDebitNoteIntervalSec: 0.1, debitNoteIntervalSec: 0.1 },
          ...{ minPaymentTimeoutSec: 0.1, paymentTimeoutSec: 1 },
        },
      ],
    },
    env: {
      // Notes come some hundred times as often as in use. To accept and to pay them there is time for a busy machine.
      GOLEM_DURATION_CLASSES: JSON.stringify({
        ...{ debitNotesOverSec: 1, paymentsOverSec: 1800, midAgreementDebitNoteIntervalSec: 0.1 },
        ...{ debitNotesAcceptanceTimeoutSec: 60, midAgreementPaymentTimeoutSec: 30 },
      }),
    },
  });
});
afterAll(() => world?.close());
beforeEach(async () => {
  began = await now(world);
});

const SPEC = { image: 'golem/alpine:latest', budget: '1', interactive: true };

const terminate = (jobId: string): Promise<void> =>
  world.client.workflow.getHandle(jobId).executeUpdate('terminate', { args: [{ reason: 'enough' }] });

const settlementProgress = (jobId: string): Promise<SettlementProgress> =>
  world.client.workflow.getHandle(`${jobId}/settlement`).query<SettlementProgress>('progress');

/** Resolves when so many notes of this test were accepted on the devnet. */
async function notesAccepted(count: number): Promise<void> {
  let after = began;
  for (let n = 0; n < count; n++) after = (await world.effect('debit-note-accepted', after)).seq;
}

/** All events of the job, read by somebody who follows it. */
async function follow(jobId: string): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const event of world.golem.followEvents(jobId)) events.push(event);
  return events;
}

function largest(runs: readonly Run[]): number {
  return Math.max(...runs.map(({ events }) => events.length));
}

/** Everything of the job is settled; each note was accepted once, and is in the books and among the events once. */
async function expectEachNoteOnce(jobId: string, events: readonly JobEvent[]): Promise<number> {
  const { state, agreements } = await world.golem.settled(jobId);
  expect(state).toBe('settled');
  const all = await expectAllPaidOnce(world, began);
  const accepted = all
    .of('debit-note-accepted')
    .map((effect) => (effect as { debitNoteId?: string }).debitNoteId);
  expect(new Set(accepted).size).toBe(accepted.length);
  const ofSettlement = events.filter(({ workflowId }) => workflowId === `${jobId}/settlement`);
  expect(ofSettlement.map(({ seq }) => seq)).toEqual(ofSettlement.map((_, index) => index + 1));
  const received = ofSettlement
    .filter(({ name }) => name === 'DebitNoteReceived')
    .map(({ details }) => details.id);
  expect(new Set(received).size).toBe(received.length);
  expect(agreements).toMatchObject([{ debitNotes: received.length, state: 'settled' }]);
  expect(received.length).toBe(all.count('debit-note-issued'));
  return received.length;
}

test(
  `${NOTES} debit notes are decided once each, at two activities a note, and no history grows long`,
  async () => {
    const { jobId } = await world.golem.startJob(SPEC);
    const following = follow(jobId);
    await notesAccepted(NOTES);
    await terminate(jobId);
    await world.golem.result(jobId);
    const count = await expectEachNoteOnce(jobId, await following);
    const runs = await runsOf(world, `${jobId}/settlement`);
    const jobRuns = await runsOf(world, jobId);
    const { golemWatchSettlement = 0, golemDecideDocument = 0 } = activitiesIn(runs);
    console.log(
      `${count} notes: ${runs.length} runs of the settlement, the largest of ${largest(runs)} events; ` +
        `${golemWatchSettlement} watches, ${golemDecideDocument} decisions; the job's largest ${largest(jobRuns)}`,
    );
    expect(golemDecideDocument).toBe(count + 1);
    expect(golemWatchSettlement + golemDecideDocument).toBeLessThanOrEqual(2 * count + SPARE_ACTIVITIES);
    expect(runs.length).toBeGreaterThan(2);
    // A run goes on until nothing is under way: how far past its mark, a busy machine says. In one it would be thousands.
    expect(largest(runs)).toBeLessThanOrEqual(SOAK ? 10_000 : 800);
    expect(largest(jobRuns)).toBeLessThanOrEqual(10_000);
  },
  LONG,
);

test(
  'a worker killed around the continuation loses and repeats nothing',
  async () => {
    const { jobId } = await world.golem.startJob(SPEC);
    const following = follow(jobId);
    const settlement = `${jobId}/settlement`;
    await world.effect('debit-note-accepted', began);
    const { runId } = await world.client.workflow.getHandle(settlement).describe();
    await continued(world, settlement, runId);
    await world.worker.kill();
    await world.startWorker();
    const [second] = (await runsOf(world, settlement)).slice(-1);
    await continued(world, settlement, second?.runId ?? '');
    await terminate(jobId);
    await world.golem.result(jobId);
    await expectEachNoteOnce(jobId, await following);
  },
  LONG,
);

test(
  'notes that are payable while the agreement lasts are paid, and that is known, in whichever run',
  async () => {
    const { jobId } = await world.golem.startJob({
      ...SPEC,
      demand: { expirationSec: 3600 },
    });
    await world.effect('paid', (await world.effect('paid', began)).seq);
    await notesAccepted(40);
    const { money } = await settlementProgress(jobId);
    expect(Number(money.paid)).toBeGreaterThan(0);
    await terminate(jobId);
    await world.golem.result(jobId);
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
    expect((await since(world, began)).count('paid')).toBeGreaterThan(2);
  },
  LONG,
);
