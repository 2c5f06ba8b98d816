/**
 * An engagement of twelve hours, with every number divided by 360: what it asks of the market, what is agreed, what it shows
 * of itself meanwhile, and that it is paid as it lasts. With SOAK=1 it lasts to its end.
 */
import type { JobProgress, RentalProgress, SettlementProgress } from '../model/result';
import { expectAllPaidOnce, now } from './support/proof';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const SOAK = process.env.SOAK !== undefined;
const SCALE = 360;
const HOUR = 3600 / SCALE;

let world: World;
beforeAll(async () => {
  world = await startWorld({
    devnet: {
      paymentCycleSec: 0.5,
      providers: {
        timeScale: SCALE,
        // A busy machine needs seconds to accept a note, whatever their scale.
        providers: [
          { name: 'patient', subnet: 'long', acceptTimeoutSec: 7200, paymentTimeoutSec: 7200 },
          { name: 'hasty', subnet: 'hasty', acceptTimeoutSec: 7200, minAcceptTimeoutSec: 5000 },
          { name: 'short', subnet: 'short', maxExpirationSec: 36_000, acceptTimeoutSec: 7200 },
        ],
      },
    },
    env: {
      GOLEM_DURATION_CLASSES: JSON.stringify({
        ...{ defaultExpirationSec: 5, minExpirationSec: 300 / SCALE, reservedSec: 300 / SCALE },
        ...{ debitNotesOverSec: HOUR / 2, paymentsOverSec: 10 * HOUR },
        ...{ debitNotesAcceptanceTimeoutSec: 20, midAgreementDebitNoteIntervalSec: 120 / SCALE },
        ...{ midAgreementPaymentTimeoutSec: 2 * HOUR, minAcceptanceTimeoutSec: 1 },
      }),
    },
  });
});
afterAll(() => world?.close());

const BASE = { image: 'golem/alpine:latest', budget: '5' };
const TWELVE_HOURS = { subnetTag: 'long', expirationSec: 12 * HOUR };

/** Asks until it is so; nothing tells of what a workflow shows. */
async function progressThat(jobId: string, isSo: (progress: JobProgress) => boolean): Promise<JobProgress> {
  let last: JobProgress | undefined;
  for await (const event of world.golem.followEvents(jobId)) {
    if (!event) continue;
    last = await world.golem.progress(jobId);
    if (isSo(last)) return last;
  }
  throw new Error(`it is over, and was never so: ${JSON.stringify(last)}`);
}

/** The one that works: on a busy machine a provider may have failed before it. */
const busyRental = ({ rentals }: JobProgress): RentalProgress | undefined =>
  rentals.find(({ state }) => state === 'busy');

test(
  'a job of twelve hours promises what its class needs, shows what it costs, and pays as it lasts',
  async () => {
    const began = await now(world);
    const { jobId } = await world.golem.startJob({
      ...{ ...BASE, demand: TWELVE_HOURS },
      tasks: [{ commands: [`sleep ${SOAK ? 10 * HOUR : 3 * HOUR}`], timeoutSec: 11 * HOUR }],
    });
    const promised = {
      ...{ expirationSec: 120, debitNotesAcceptanceTimeoutSec: 20 },
      ...{ midAgreementDebitNoteIntervalSec: 120 / SCALE, midAgreementPaymentTimeoutSec: 20 },
    };
    const running = await progressThat(
      jobId,
      (progress) => busyRental(progress) !== undefined && Number(progress.money.accepted) > 0,
    );
    expect(running.duration).toEqual(promised);
    const rental = busyRental(running);
    const { expirationSec: _, ...terms } = promised;
    expect(rental?.terms).toEqual(terms);
    const endsInMs = Date.parse(rental?.endsAt ?? '') - Date.now();
    expect(endsInMs).toBeGreaterThan(0);
    expect(endsInMs).toBeLessThanOrEqual(120_000);
    const { cost } = running;
    expect(Number(cost.perHour)).toBeGreaterThan(0);
    expect(Number(cost.accrued)).toBeGreaterThanOrEqual(0);
    expect(cost.budgetLastsSec).toBeGreaterThan(0);
    // Paid while it lasts, before there is an invoice.
    const paid = await world.effect('debit-note-settled', began);
    expect(paid.seq).toBeGreaterThan(began);
    const meanwhile = await progressThat(jobId, ({ money }) => Number(money.paid) > 0);
    expect(meanwhile.phase).toBe('running');
    expect((await world.golem.result(jobId)).state).toBe('done');
    const { state, money } = await world.golem.settled(jobId);
    const { events } = await world.golem.events(jobId);
    const confirmed = events.filter(({ name }) => name === 'PaymentConfirmed');
    // Of a payable debit note, and of the invoice.
    expect(confirmed.some(({ details }) => details.activityId === rental?.activityId)).toBe(true);
    expect(confirmed.some(({ details }) => details.activityId === undefined)).toBe(true);
    expect([state, money.paid]).toEqual(['settled', money.accepted]);
    const all = await expectAllPaidOnce(world, began);
    expect(all.count('debit-note-accepted')).toBeGreaterThanOrEqual(3);
    const settlement = world.client.workflow.getHandle(`${jobId}/settlement`);
    const { agreements } = await settlement.query<SettlementProgress>('progress');
    const notes = agreements.reduce((sum, { debitNotes }) => sum + debitNotes, 0);
    expect(notes).toBe(all.count('debit-note-issued'));
    expect((await world.golem.progress(jobId)).cost).toMatchObject({ accrued: '0', perHour: '0' });
    expect(await world.open()).toEqual(NOTHING_OPEN);
  },
  SOAK ? 300_000 : 180_000,
);

test.each([
  [
    'without payments meanwhile',
    { midAgreementPaymentTimeoutSec: 0 },
    /midAgreementPaymentTimeoutSec: is off/,
  ],
  ['without debit notes', { debitNotesAcceptanceTimeoutSec: null }, /debitNotesAcceptanceTimeoutSec: is off/],
  ['that ends too soon', { expirationSec: 1, debitNotesAcceptanceTimeoutSec: 0.5 }, /debitNotesAcceptance/],
])('a job of twelve hours %s is refused before anything is rented', async (_what, demand, why) => {
  const before = await now(world);
  const { jobId } = await world.golem.startJob({
    ...{ ...BASE, tasks: ['true'], demand: { ...TWELVE_HOURS, ...demand } },
  });
  await expect(world.golem.result(jobId)).rejects.toThrow(why);
  const made = (await world.effects('demand-created')).filter(({ seq }) => seq > before);
  expect(made).toEqual([]);
});

test('providers whose limits do not fit say no, and the job says why nobody suits', async () => {
  for (const [subnetTag, why] of [
    ['short', /or more than 1m 40s/],
    ['hasty', /To low DebitNotes timeout/],
  ] as const) {
    const { jobId } = await world.golem.startJob({
      ...{ ...BASE, tasks: ['true'] },
      demand: {
        ...{ ...TWELVE_HOURS, subnetTag, offerFetchingIntervalSec: 1, proposalTimeoutSec: 1 },
        debitNotesAcceptanceTimeoutSec: 10,
      },
    });
    const { lastFailure } = await progressThat(jobId, (progress) => progress.lastFailure !== undefined);
    expect(lastFailure).toMatchObject({ type: 'NoProviders', message: expect.stringMatching(why) as string });
    await world.golem.cancel(jobId);
    await world.golem.settled(jobId);
  }
});
