/**
 * The ways a job ends other than by having done its tasks: terminated, cancelled, impossible. Whatever the way, its
 * rentals are closed, what is owed is paid, and nothing is left.
 */
import { reconcile } from '../client';
import type { SettlementResult } from '../model/result';
import { Gate } from './support/gate';
import { activityCompleted } from './support/history';
import { expectAllPaidOnce, now, since } from './support/proof';
import { startWebServer, type WebServer } from './support/web-server';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

/** As many as jobs have agreements at the same time. */
const NAMES = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];

let world: World;
let web: WebServer;
let gate: Gate;
let began: number;

beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({
    // Settlements wait so long for requests that somebody who was ended may have on the way.
    env: { GOLEM_REQUEST_TIMEOUT_SEC: '3' },
    devnet: {
      paymentCycleSec: 0.1,
      providers: [
        // Slow enough that each step can be interrupted while it is under way.
        ...NAMES.map((name) => ({
          ...{ name, approveSec: 0.05, createSec: 0.05, deploySec: 0.05, destroySec: 0.05 },
        })),
        ...[1, 2, 3, 4, 5, 6].map((n) => ({ name: `one-of-six-${n}`, subnet: 'six' })),
        { name: 'sleeper', subnet: 'sleepers', deploySec: 600 },
      ],
    },
  });
});
afterAll(async () => {
  await world?.close();
  await web.close();
});
beforeEach(async () => {
  began = await now(world);
  gate = await Gate.start();
});
afterEach(() => gate.close());

const JOB = { image: 'golem/alpine:latest', budget: '1' };

/** A job whose task waits for ever. */
const waitingJob = (): object => ({ ...JOB, tasks: [{ name: 'waits', commands: [gate.command] }] });

async function expectAllSettled(jobs: readonly string[]): Promise<SettlementResult[]> {
  const settlements = await Promise.all(jobs.map((jobId) => world.golem.settled(jobId)));
  expect(settlements.map(({ state }) => state)).toEqual(jobs.map(() => 'settled'));
  await expectAllPaidOnce(world, began);
  return settlements;
}

async function expectSettled(jobId: string): Promise<SettlementResult> {
  const [settlement] = await expectAllSettled([jobId]);
  return settlement as SettlementResult;
}

/** Steps of a job in which it is interrupted. */
const STEPS = [
  'allocation-created',
  'demand-created',
  'proposal-countered',
  'agreement-created',
  'agreement-confirmed',
  'agreement-approved',
  'activity-created',
  'script-started',
  'script-finished',
];

/** The first effect of a kind after another one; of what is done under agreements, under the first one after it. */
async function effectOfNewest(kind: string, after: number): Promise<void> {
  const isUnderAgreement = STEPS.indexOf(kind) >= STEPS.indexOf('agreement-created');
  const newest = isUnderAgreement ? await world.effect('agreement-created', after) : undefined;
  for (let seq = after; ;) {
    const effect = await world.effect(kind, seq);
    if (effect.agreementId === newest?.agreementId || !newest) return;
    ({ seq } = effect);
  }
}

describe('a cancelled job', () => {
  test.each(STEPS)('at %s closes its rentals and pays what it owes', async (step) => {
    const { jobId } = await world.golem.startJob(waitingJob());
    await world.effect(step, began);
    await world.golem.cancel(jobId);
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
    await expectSettled(jobId);
  });

  test('before it has reserved anything leaves nothing', async () => {
    const { jobId } = await world.golem.startJob(waitingJob());
    await world.golem.cancel(jobId);
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
    await world.golem.settled(jobId).catch(() => undefined);
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });

  test.each([
    ['its settlement', 'golemPrepareJob'],
    ['a rental', 'golemNegotiate'],
  ])('while it starts %s closes it all the same', async (_child, before) => {
    const { jobId } = await world.golem.startJob(waitingJob());
    await activityCompleted(world, jobId, before);
    await world.golem.cancel(jobId);
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
    await expectSettled(jobId);
  });

  test('does not wait for a VM that takes its time to come up', async () => {
    const { jobId } = await world.golem.startJob({ ...waitingJob(), demand: { subnetTag: 'sleepers' } });
    await world.effect('script-started', began);
    await world.golem.cancel(jobId);
    await expectSettled(jobId);
  });

  test('with tasks at work ends them', async () => {
    const { jobId } = await world.golem.startJob(waitingJob());
    await gate.visitor();
    await world.golem.cancel(jobId);
    const { money } = await expectSettled(jobId);
    expect(Number(money.paid)).toBeGreaterThan(0);
  });
});

describe('a terminated job', () => {
  // A settlement learns of it within a quarter of a minute, so they wait for that together.
  test('at any step is cleaned up by its settlement', async () => {
    const jobs: string[] = [];
    // The last step first: a job that has an agreement makes none any more, and one without is at none of these steps.
    for (const step of [...STEPS].reverse()) {
      const before = await now(world);
      const { jobId } = await world.golem.startJob(waitingJob());
      await effectOfNewest(step, before);
      await world.client.workflow.getHandle(jobId).terminate();
      jobs.push(jobId);
    }
    await expectAllSettled(jobs);
  });

  test('with tasks at work has its rentals closed and paid, and leaves nothing when they are terminated, too', async () => {
    const alone = await world.golem.startJob(waitingJob());
    await gate.visitor();
    await world.client.workflow.getHandle(alone.jobId).terminate();
    const both = await world.golem.startJob(waitingJob());
    await gate.visitor(2);
    await world.client.workflow.getHandle(both.jobId).terminate();
    await world.client.workflow.getHandle(`${both.jobId}/rental/1`).terminate();
    const [settled] = await expectAllSettled([alone.jobId, both.jobId]);
    expect(Number(settled?.money.paid)).toBeGreaterThan(0);
  });
});

test('a job whose settlement is terminated ends by that name; its provider is paid once somebody reconciles', async () => {
  const { jobId } = await world.golem.startJob(waitingJob());
  await gate.visitor();
  await world.client.workflow.getHandle(`${jobId}/settlement`).terminate();
  await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'SettlementEnded' });
  await world.client.workflow.getHandle(`${jobId}/rental/1`).result();
  await reconcile({ client: world.client, taskQueue: world.taskQueue });
  const { money } = await expectSettled(jobId);
  expect(Number(money.paid)).toBeGreaterThan(0);
});

test('a rental that is terminated costs nothing more, and its task runs elsewhere', async () => {
  const { jobId } = await world.golem.startJob(waitingJob());
  await gate.visitor();
  await world.client.workflow.getHandle(`${jobId}/rental/1`).terminate();
  await world.effect('agreement-terminated', began);
  await gate.visitor(2);
  expect((await world.golem.progress(jobId)).lastFailure).toMatchObject({
    ...{ type: 'VmLost', message: expect.stringMatching(/^waits: /) as string },
  });
  gate.open();
  const result = await world.golem.result(jobId);
  expect(result.state).toBe('done');
  const [lost, done] = result.tasks[0]?.attempts ?? [];
  expect([lost?.state, done?.state]).toEqual(['lost', 'done']);
  expect(Date.parse(lost?.finishedAt ?? '')).toBeGreaterThan(Date.parse(lost?.startedAt ?? ''));
  await expectSettled(jobId);
});

test('a rental that is cancelled ends in good order, and its task runs elsewhere', async () => {
  const { jobId } = await world.golem.startJob(waitingJob());
  await gate.visitor();
  await world.client.workflow.getHandle(`${jobId}/rental/1`).cancel();
  await gate.visitor(2);
  gate.open();
  expect((await world.golem.result(jobId)).state).toBe('done');
  await expectSettled(jobId);
});

test('a task that failed on the only provider whose VM comes up is tried there again', async () => {
  const fails = { transfer: { from: web.failsAtFirst(3), to: '/golem/work/task' } };
  const { jobId } = await world.golem.startJob({
    ...JOB,
    demand: { subnetTag: 'six', offerFetchingIntervalSec: 1 },
    providers: { max: 2 },
    setup: [{ transfer: { from: web.failsAfter(1), to: '/golem/work/setup' } }],
    tasks: [
      { name: 'flaky', commands: [gate.command, fails] },
      { name: 'other', commands: [gate.command] },
    ],
  });
  await gate.visitor();
  // The five other providers break, so that nobody else is asked any more.
  let last = began;
  for (const _ of [1, 2, 3, 4, 5]) last = (await world.effect('agreement-terminated', last)).seq;
  gate.open();
  const result = await world.golem.result(jobId);
  expect(result.state).toBe('done');
  const [failed, done] = result.tasks[0]?.attempts ?? [];
  expect([failed?.state, done?.state]).toEqual(['failed', 'done']);
  expect(done?.activityId).toBe(failed?.activityId);
  await expectSettled(jobId);
});

describe('an impossible job', () => {
  test('with a mistake in its spec touches nothing', async () => {
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: [] });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'InvalidJobSpec' });
    expect((await since(world, began)).all()).toEqual([]);
  });

  test('on a payment network that yagna does not have ends with InvalidJobSpec, by the field to correct', async () => {
    const { jobId } = await world.golem.startJob({
      ...JOB,
      budget: { amount: '1', network: 'holeski' },
      tasks: ['true'],
    });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({
      type: 'InvalidJobSpec',
      message: expect.stringContaining('erc20-holeski-tglm: check budget.network'),
    });
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });

  test('over the balance of its account ends with BudgetNotReserved and leaves nothing', async () => {
    const { jobId } = await world.golem.startJob({ ...waitingJob(), budget: '100000' });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'BudgetNotReserved' });
    await expect(world.golem.settled(jobId)).rejects.toMatchObject({ type: 'BudgetNotReserved' });
    expect((await since(world, began)).all()).toEqual([]);
  });

  test('whose setup fails everywhere ends with VmNotCreated, pays and leaves nothing', async () => {
    const { jobId } = await world.golem.startJob({ ...waitingJob(), setup: ['echo broken >&2; exit 3'] });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({
      type: 'VmNotCreated',
      reason: expect.stringMatching(/setup\[0\].*broken/) as string,
    });
    await expectSettled(jobId);
  });

  test('that no provider suits says so while it waits, and leaves nothing when it is cancelled', async () => {
    const { jobId } = await world.golem.startJob({
      ...waitingJob(),
      pricing: { maxEnvPerHour: '0.0001' },
      demand: { offerFetchingIntervalSec: 1, proposalTimeoutSec: 1 },
    });
    await activityCompleted(world, jobId, 'golemNegotiate');
    const { lastFailure } = await world.golem.progress(jobId);
    expect(lastFailure).toMatchObject({ type: 'NoProviders' });
    const n = NAMES.length;
    expect(lastFailure?.message).toMatch(new RegExp(`${n} offers seen, none suits: ${n} × .*maxEnvPerHour`));
    await world.golem.cancel(jobId);
    await expectSettled(jobId);
  });
});
