/**
 * Money is reserved for some time only. Here it is for seconds, so that a job outlives its allocation: it is extended in
 * time, and one that lapsed while nobody could do that is replaced by what is left of the budget.
 */
import { Decimal } from 'decimal.js';
import { brokenNetwork } from './support/broken-network';
import type { Gate } from './support/gate';
import { expectAllPaidOnce, type Since } from './support/proof';
import { settlementShows } from './support/settlement-shows';
import { type Effect, type World } from './support/world';

const CREATE = /^POST .*\/allocations$/;
const DECORATE = /^GET .*\/demandDecorations$/;
const LIFE_SEC = 8;
const BUDGET = '10';

let world: World;
let gate: Gate;
let began: number;

const proxy = brokenNetwork(
  {
    devnet: { paymentCycleSec: 0.1 },
    env: { GOLEM_ALLOCATION_LIFE_SEC: String(LIFE_SEC) },
  },
  (network) => {
    ({ world, gate, began } = network);
  },
);

const job = (): object => ({
  image: 'golem/alpine:latest',
  budget: BUDGET,
  providers: { max: 1 },
  demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 },
  tasks: [{ commands: [gate.command] }, 'echo two'],
});

/** The job's allocation lapses, because nobody reaches yagna in time. */
async function lapses(): Promise<Effect> {
  await proxy.refuse();
  const released = await world.effect('allocation-released', began);
  expect((released as { by?: string }).by).toBe('timeout');
  return released;
}

async function endsWell(jobId: string): Promise<Since> {
  gate.open();
  const result = await world.golem.result(jobId);
  expect(result.tasks.map(({ state }) => state)).toEqual(['done', 'done']);
  const { state, money } = await world.golem.settled(jobId);
  expect(state).toBe('settled');
  expect(money.reserved).toBe(BUDGET);
  return await expectAllPaidOnce(world, began);
}

/** What later allocations hold is what the earlier ones had left. */
function expectWithinBudget(all: Since): void {
  const [first, second] = all.of('allocation-created').map(({ amount = '' }) => new Decimal(amount));
  expect(first?.toFixed()).toBe(BUDGET);
  const lapsed = all.of('allocation-released')[0]?.seq ?? 0;
  const spent = new Map<string, string>();
  for (const { seq, agreementId = '', amount = '' } of all.of('debit-note-accepted'))
    if (seq < lapsed) spent.set(agreementId, amount);
  const before = [...spent.values()].reduce((sum, each) => sum.plus(each), new Decimal(0));
  expect(before.gt(0)).toBe(true);
  expect(second?.toFixed()).toBe(new Decimal(BUDGET).minus(before).toFixed());
}

test('a job that outlives its allocation has it extended, and needs no other', async () => {
  const { jobId } = await world.golem.startJob(job());
  const { seq } = await world.effect('allocation-amended', began);
  await world.effect('allocation-amended', (await world.effect('allocation-amended', seq)).seq);
  const all = await endsWell(jobId);
  expect(all.count('allocation-created')).toBe(1);
  const ends = all.of('allocation-amended').map((effect) => (effect as { timeout?: string }).timeout ?? '');
  // To the microsecond: they bear the job's mark.
  for (const end of ends) expect(end).toMatch(/\.\d{6}Z$/);
  expect(new Set(ends).size).toBe(ends.length);
});

test('it is extended as well while the VM is detached, and nobody but the settlement is there', async () => {
  const { jobId, rentalId } = await world.golem.rent({ ...job(), tasks: [], interactive: true });
  const { activityId } = await world.golem.detach(rentalId);
  await world.golem.result(jobId);
  // An allocation may be extended before it has heard of the detach.
  await settlementShows(world, `${jobId}/settlement`, ({ phase }) => phase === 'detached');
  const { seq: left } = await world.effect('allocation-amended', (await world.effects()).at(-1)?.seq);
  await world.effect('debit-note-accepted', left);
  const attached = await world.golem.attach({ activityId });
  await world.golem.terminate(attached.rentalId);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect((await expectAllPaidOnce(world, began)).count('allocation-created')).toBe(1);
});

test('one that lapsed is replaced by what is left of the budget', async () => {
  const { jobId } = await world.golem.startJob(job());
  await world.effect('debit-note-accepted', began);
  await lapses();
  await proxy.listen();
  const { seq } = (await world.effects('allocation-created')).at(-1) ?? { seq: began };
  await world.effect('allocation-created', Math.max(seq, began));
  const all = await endsWell(jobId);
  expect(all.count('allocation-created')).toBe(2);
  expect(all.count('agreement-approved')).toBe(1);
  expectWithinBudget(all);
});

test('a job without providers waits for the replacement, and then finds them', async () => {
  const held = proxy.hold(DECORATE);
  const { jobId } = await world.golem.startJob(job());
  await held.reached;
  await lapses();
  held.release();
  await proxy.listen();
  const all = await endsWell(jobId);
  expect(all.count('allocation-created')).toBe(2);
});

test('a replacement that lands late, after it was repeated, is given back at once', async () => {
  const { jobId } = await world.golem.startJob(job());
  const { seq } = await world.effect('debit-note-accepted', began);
  await lapses();
  const late = proxy.delay(CREATE);
  await proxy.listen();
  const { seq: created } = await world.effect('allocation-created', seq);
  expect((await late.land()).status).toBe(201);
  // While the job goes on.
  const released = await world.effect('allocation-released', created);
  expect((released as { by?: string }).by).toBe('requestor');
  expect((await world.open()).allocations).toBe(1);
  const all = await endsWell(jobId);
  expect(all.count('allocation-created')).toBe(3);
  expectWithinBudget(all);
});

test('a worker that is killed while it replaces one leaves no second', async () => {
  const { jobId } = await world.golem.startJob(job());
  const { seq } = await world.effect('debit-note-accepted', began);
  await lapses();
  await proxy.listen();
  await world.effect('allocation-created', seq);
  await world.worker.kill();
  await world.startWorker();
  const all = await endsWell(jobId);
  expectWithinBudget(all);
  const live = all.count('allocation-created') - all.count('allocation-released');
  expect(live).toBe(0);
});
