/**
 * What a job does when little of its budget is left, and how the money that is reserved for it is raised. Whatever
 * happens, no more than the budget is reserved or accepted. Providers are dear here, so that seconds matter.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Decimal } from 'decimal.js';
import type { JobProgress, JobResult, SettlementResult } from '../model/result';
import { brokenNetwork } from './support/broken-network';
import type { Gate } from './support/gate';
import { activityCompleted } from './support/history';
import { expectAllPaidOnce, now, since, type Since } from './support/proof';
import { NOTHING_OPEN, type World } from './support/world';

const AMEND = /^PUT .*\/allocations\/[\w-]+$/;
/** GLM for a second of a VM: a budget of 0.4 is low after 10 s, and lasts 10 s more for all to end. */
const PER_SEC = 0.02;

let world: World;
let gate: Gate;
let began: number;

const pricing = { start: '0', cpuPerHour: '0', envPerHour: String(PER_SEC * 3600) };
const proxy = brokenNetwork(
  {
    // So long a request that was lost may land late, and a third longer.
    env: { GOLEM_REQUEST_TIMEOUT_SEC: '6' },
    devnet: { paymentCycleSec: 0.1, providers: ['one', 'two', 'three'].map((name) => ({ name, pricing })) },
  },
  (network) => {
    ({ world, gate, began } = network);
  },
);

const JOB = { image: 'golem/alpine:latest', providers: { max: 1 } };

/** A debit note each second. */
const NOTES = { demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 } };

const waits = (): object => ({ commands: [gate.command] });

/** Temporal tells nobody when a query's answer changes, so it is asked. */
async function shows(jobId: string, what: (progress: JobProgress) => boolean): Promise<JobProgress> {
  for (;;) {
    const progress = await world.golem.progress(jobId);
    if (what(progress)) return progress;
    await delay(200);
  }
}

const isLow = ({ money }: JobProgress): boolean => money.low === true;

/** The job's money is settled, all is paid once, and never was more than the budget reserved or accepted. */
async function expectWithin(
  budget: string,
  jobId: string,
): Promise<{ all: Since; settled: SettlementResult }> {
  const settled = await world.golem.settled(jobId);
  expect(settled.state).toBe('settled');
  const all = await expectAllPaidOnce(world, began);
  expectNeverMore(all, budget);
  return { all, settled };
}

function expectNeverMore(all: Since, budget: string): void {
  const reserved = [...all.of('allocation-created'), ...all.of('allocation-amended')];
  for (const { amount = '0' } of reserved) expect(new Decimal(amount).lte(budget)).toBe(true);
  const paid = all.of('paid').reduce((sum, { amount = '0' }) => sum.plus(amount), new Decimal(0));
  expect(paid.lte(budget)).toBe(true);
}

const states = ({ tasks }: JobResult): string[] => tasks.map(({ state }) => state);

describe('finish', () => {
  test('begins no task when little is left; what ran is finished, paid and returned', async () => {
    const { jobId } = await world.golem.startJob({
      ...JOB,
      budget: '0.4',
      tasks: [waits(), 'echo two', 'echo three'],
    });
    await gate.visitor();
    await shows(jobId, isLow);
    gate.open();
    const result = await world.golem.result(jobId);
    expect(states(result)).toEqual(['done', 'cancelled', 'cancelled']);
    expect(result.failure).toMatchObject({ type: 'BudgetExhausted' });
    await expectWithin('0.4', jobId);
  });

  test('a job that has begun its last task ends as if nothing were low', async () => {
    const { jobId } = await world.golem.startJob({ ...JOB, budget: '0.4', tasks: [waits()] });
    await gate.visitor();
    await shows(jobId, isLow);
    gate.open();
    const result = await world.golem.result(jobId);
    expect(result.state).toBe('done');
    expect(result.failure).toBeUndefined();
    await expectWithin('0.4', jobId);
  });

  test('a budget that is just enough for a short job is not low from the start', async () => {
    // Two intervals of 120 s would cost 4.8.
    const { jobId } = await world.golem.startJob({ ...JOB, budget: '0.3', tasks: ['true', 'true', 'true'] });
    expect(states(await world.golem.result(jobId))).toEqual(['done', 'done', 'done']);
    await expectWithin('0.3', jobId);
  });

  test('no more rentals are opened than the budget can carry', async () => {
    const { jobId } = await world.golem.startJob({
      ...JOB,
      budget: '5',
      providers: { max: 3 },
      // Kept for two notes of three rentals: 6 × 30 s × 0.02 = 3.6; a budget of 5 keeps 2.5.
      demand: { midAgreementDebitNoteIntervalSec: 30, debitNotesAcceptanceTimeoutSec: 60 },
      tasks: [waits(), waits(), waits()],
    });
    await gate.visitor(3);
    gate.open();
    expect((await world.golem.result(jobId)).state).toBe('done');
    const { all } = await expectWithin('5', jobId);
    expect(all.count('agreement-approved')).toBe(3);
    began = await now(world);
    const small = await world.golem.startJob({
      ...JOB,
      budget: '0.5',
      providers: { max: 3 },
      tasks: ['sleep 1', 'sleep 1', 'sleep 1'],
    });
    expect((await world.golem.result(small.jobId)).state).toBe('done');
    expect((await expectWithin('0.5', small.jobId)).all.count('agreement-approved')).toBe(1);
  });
});

describe('topUp', () => {
  const budget = { amount: '0.2', onLow: 'topUp', max: '0.5' };

  test('reserves more when little is left, up to max, and then finishes', async () => {
    const { jobId } = await world.golem.startJob({
      ...JOB,
      budget,
      tasks: [waits(), 'echo two'],
    });
    await gate.visitor();
    const { money } = await shows(jobId, ({ money: { reserved } }) => reserved === '0.5');
    expect(money.budget).toBe('0.5');
    await shows(jobId, isLow);
    gate.open();
    expect(states(await world.golem.result(jobId))).toEqual(['done', 'cancelled']);
    const { all } = await expectWithin('0.5', jobId);
    expect(all.of('allocation-amended').map(({ amount }) => amount)).toEqual(['0.4', '0.5']);
  });

  test('a bill that does not fit is made to fit, also when the job is over', async () => {
    const held = proxy.hold(AMEND);
    // Enough for a tenth of a second; and so much more is reserved when it is low.
    const tiny = { ...budget, amount: '0.002' };
    const { jobId } = await world.golem.startJob({ ...JOB, budget: tiny, tasks: [waits()] });
    await gate.visitor();
    // It is low, and more is asked for.
    await held.reached;
    await world.client.workflow.getHandle(jobId).terminate();
    const { amount = '0' } = await world.effect('invoice-issued', began);
    held.release();
    const { all, settled } = await expectWithin('0.5', jobId);
    expect(settled.money.paid).toBe(new Decimal(amount).toFixed());
    expect(all.count('allocation-amended')).toBeGreaterThan(0);
  });

  test('what does not fit into max is not paid, however many bills come at once', async () => {
    const { jobId } = await world.golem.startJob({
      ...JOB,
      ...NOTES,
      budget: { ...budget, amount: '0.05' },
      providers: { max: 3 },
      tasks: [waits(), waits(), waits()],
    });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'BudgetExhausted' });
    const settled = await world.golem.settled(jobId);
    expect(settled.state).toBe('unpaid');
    expect(new Decimal(settled.money.accepted).lte('0.5')).toBe(true);
    expect(await world.open()).toEqual(NOTHING_OPEN);
    const all = await since(world, began);
    expectNeverMore(all, '0.5');
    const total = new Map<string, string>();
    for (const { activityId = '', agreementId = '', amount = '' } of all.of('debit-note-accepted'))
      total.set(`${agreementId} ${activityId}`, amount);
    expect([...total.values()].reduce((sum, each) => sum.plus(each), new Decimal(0)).lte('0.5')).toBe(true);
  });
});

describe('pause', () => {
  const onLow = 'pause';

  /**
   * A job whose first task is done and whose second waits for money. Half of the budget is left when it is low, and its VM is
   * to be gone within that.
   */
  async function paused(): Promise<string> {
    const budget = { amount: '0.4', onLow };
    const { jobId } = await world.golem.startJob({ ...JOB, budget, tasks: [waits(), 'echo two'] });
    await gate.visitor();
    await shows(jobId, ({ phase }) => phase === 'paused');
    gate.open();
    // An idle VM would cost money.
    await world.effect('agreement-terminated', began);
    const { tasks, waitingFor } = await shows(jobId, ({ tasks: { done } }) => done === 1);
    expect(tasks).toMatchObject({ waiting: 1, running: 0 });
    expect(waitingFor).toMatch(/^more budget, by the Update topUp: of 0\.4 GLM reserved/);
    return jobId;
  }

  test('waits for the Update topUp, and goes on', async () => {
    const jobId = await paused();
    expect(await world.golem.topUp(jobId, '1')).toEqual({ reserved: '1.4', budget: '1.4' });
    const result = await world.golem.result(jobId);
    expect(states(result)).toEqual(['done', 'done']);
    const { all } = await expectWithin('1.4', jobId);
    expect(all.count('allocation-created')).toBe(1);
  });

  test('a paused job can be cancelled', async () => {
    const jobId = await paused();
    await world.golem.cancel(jobId);
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
    await expectWithin('0.4', jobId);
  });

  test('a paused job can be ended, with what it has', async () => {
    const jobId = await paused();
    await world.client.workflow.getHandle(jobId).executeUpdate('terminate');
    expect(states(await world.golem.result(jobId))).toEqual(['done', 'cancelled']);
    await expectWithin('0.4', jobId);
  });

  test('what runs while the job is paused is paid, until nothing is left', async () => {
    const { jobId } = await world.golem.startJob({
      ...JOB,
      ...NOTES,
      budget: { amount: '0.2', onLow },
      tasks: [waits()],
    });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'BudgetExhausted' });
    await world.golem.settled(jobId);
    const all = await since(world, began);
    expect(all.count('debit-note-accepted')).toBeGreaterThan(5);
    expectNeverMore(all, '0.2');
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });
});

describe('the Update topUp', () => {
  let jobId: string;

  beforeEach(async () => {
    ({ jobId } = await world.golem.startJob({ ...JOB, budget: '10', tasks: [waits()] }));
    await gate.visitor();
  });

  async function ends(budget: string): Promise<Since> {
    gate.open();
    expect((await world.golem.result(jobId)).state).toBe('done');
    const { all, settled } = await expectWithin(budget, jobId);
    expect(settled.money).toMatchObject({ budget, reserved: budget });
    expect(all.count('allocation-created')).toBe(1);
    return all;
  }

  const amended = (all: Since): unknown[] => all.of('allocation-amended').map(({ amount }) => amount);

  test('raises what is reserved, whether or not little is left', async () => {
    expect(await world.golem.topUp(jobId, '0.5')).toEqual({ reserved: '10.5', budget: '10.5' });
    expect((await world.golem.progress(jobId)).money).toMatchObject({ reserved: '10.5', budget: '10.5' });
    expect(amended(await ends('10.5'))).toEqual(['10.5']);
  });

  test('repeated with the same id, adds once', async () => {
    const once = { updateId: 'once' };
    expect(await world.golem.topUp(jobId, '1', once)).toEqual(await world.golem.topUp(jobId, '1', once));
    expect(amended(await ends('11'))).toEqual(['11']);
  });

  test('twice at the same time adds both', async () => {
    const answers = await Promise.all([world.golem.topUp(jobId, '1'), world.golem.topUp(jobId, '2')]);
    expect(answers).toContainEqual({ reserved: '13', budget: '13' });
    await ends('13');
  });

  test('over the balance of the account fails by name, and changes nothing', async () => {
    await expect(world.golem.topUp(jobId, '100000')).rejects.toMatchObject({ type: 'BudgetNotReserved' });
    expect((await world.golem.progress(jobId)).money).toMatchObject({ reserved: '10', budget: '10' });
    expect(amended(await ends('10'))).toEqual([]);
  });

  test('by what is no amount is refused in one line', async () => {
    const wrong: unknown[] = [undefined, null, '1', [], {}, { amount: 1 }, { amount: '1', to: '2' }];
    wrong.push(...['-1', 'NaN', '1e30', '0', '0.0', '', '1'.repeat(31)].map((amount) => ({ amount })));
    for (const request of wrong) {
      const args: [unknown] = [request];
      const asked = world.client.workflow.getHandle(jobId).executeUpdate('topUp', { args });
      await expect(asked).rejects.toMatchObject({
        cause: { type: 'InvalidTopUp', message: expect.stringMatching(/^.*must be .*$/) as string },
      });
    }
    await ends('10');
  });

  test('of a job that is over is refused', async () => {
    await ends('10');
    await expect(world.golem.topUp(jobId, '1')).rejects.toMatchObject({ type: 'JobEnding' });
  });

  test('whose answer is lost on its way from yagna adds once', async () => {
    const lost = proxy.cutAfter(AMEND);
    expect(await world.golem.topUp(jobId, '1')).toEqual({ reserved: '11', budget: '11' });
    expect(lost.hits).toHaveLength(1);
    expect(amended(await ends('11'))).toEqual(['11']);
  });

  test('that lands late, after it was repeated, undoes no later one', async () => {
    const late = proxy.delay(AMEND);
    const first = world.golem.topUp(jobId, '1');
    await activityCompleted(world, `${jobId}/settlement`, 'golemAmendAllocation');
    const second = world.golem.topUp(jobId, '2');
    // Until the first can land no more, nothing that it could undo is asked for.
    expect(await amendsOnceAsked(2)).toBe(1);
    expect((await late.land()).status).toBe(200);
    expect(await first).toEqual({ reserved: '11', budget: '11' });
    expect(await second).toEqual({ reserved: '13', budget: '13' });
    expect(amended(await ends('13'))).toEqual(['11', '11', '13']);
  });

  /** How many amendments the settlement has begun when it has taken note of so many requests. */
  async function amendsOnceAsked(requests: number): Promise<number> {
    for (;;) {
      const { events = [] } = await world.client.workflow.getHandle(`${jobId}/settlement`).fetchHistory();
      const all = events ?? [];
      const asked = all.flatMap(({ workflowExecutionSignaledEventAttributes: signal }, at) =>
        signal?.signalName === 'golemReservation' ? [at] : [],
      );
      const isNoted = all
        .slice(asked[requests - 1] ?? Infinity)
        .some(({ workflowTaskCompletedEventAttributes: completed }) => completed);
      const name = 'golemAmendAllocation';
      if (isNoted)
        return all.filter((each) => each.activityTaskScheduledEventAttributes?.activityType?.name === name)
          .length;
    }
  }

  test('while the worker is killed adds once', async () => {
    const raised = world.golem.topUp(jobId, '1');
    await world.effect('allocation-amended', began);
    await world.worker.kill();
    await world.startWorker();
    expect(await raised).toEqual({ reserved: '11', budget: '11' });
    expect(amended(await ends('11'))).toEqual(['11']);
  });
});

test('an allocation that somebody released by hand is not made anew', async () => {
  const { jobId } = await world.golem.startJob({ ...JOB, ...NOTES, budget: '10', tasks: [waits()] });
  await gate.visitor();
  const { allocationId } = (await world.effect('allocation-created', began)) as { allocationId?: string };
  const url = `${world.devnet.url}/payment-api/v1/allocations/${allocationId}`;
  await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${world.devnet.appKey}` } });
  await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'BudgetExhausted' });
  await world.golem.settled(jobId);
  const all = await since(world, began);
  expect(all.count('allocation-created')).toBe(1);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});
