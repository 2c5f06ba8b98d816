/**
 * Lost answers, requests that land late, a yagna that is away: each on a real job run to its end, after which the
 * devnet's own record tells what really happened.
 */
import type { JobResult, SettlementResult } from '../model/result';
import { FaultProxy, type Fault } from './support/fault-proxy';
import { activityFailed } from './support/history';
import { expectAllPaidOnce, expectScriptsRunOnce, now, type Since } from './support/proof';
import { startWorld, type World } from './support/world';

const PAYMENT = '/payment-api/v1';
const MARKET = '/market-api/v1';
const ACTIVITY = '/activity-api/v1/activity';
const CREATE_ALLOCATION = new RegExp(`^POST ${PAYMENT}/allocations$`);
const SUBSCRIBE = new RegExp(`^POST ${MARKET}/demands$`);
const CREATE_AGREEMENT = new RegExp(`^POST ${MARKET}/agreements$`);
const CONFIRM = /^POST .*\/confirm$/;
const TERMINATE = /^POST .*\/terminate$/;
const CREATE_ACTIVITY = new RegExp(`^POST ${ACTIVITY}$`);
const EXEC = /^POST .*\/exec$/;
const RESULTS = /^GET .*\/exec\/\w+$/;
const DESTROY = /^DELETE .*\/activity\/\w+$/;
const UNSUBSCRIBE = /^DELETE .*\/demands\/[\w-]+$/;
const RELEASE = /^DELETE .*\/allocations\/[\w-]+$/;
const ACCEPT_INVOICE = /^POST .*\/invoices\/[\w-]+\/accept$/;
const ACCEPT_NOTE = /^POST .*\/debitNotes\/[\w-]+\/accept$/;

const proxy = new FaultProxy();
let world: World;
let began: number;

beforeAll(async () => {
  world = await startWorld({
    // Many answers are lost here, and so long is waited after each.
    env: { GOLEM_REQUEST_TIMEOUT_SEC: '3' },
    yagnaUrl: (url) => proxy.start(url),
    devnet: { paymentCycleSec: 0.1 },
  });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
});
beforeEach(async () => {
  began = await now(world);
});
afterEach(() => proxy.clear());

interface Ran {
  result: JobResult;
  settlement: SettlementResult;
  all: Since;
}

const JOB = { image: 'golem/alpine:latest', budget: '1' };
const HELLO = { ...JOB, tasks: ['echo hello'] };

async function finish(jobId: string): Promise<Ran> {
  const result = await world.golem.result(jobId);
  const settlement = await world.golem.settled(jobId);
  expect(settlement.state).toBe('settled');
  const all = await expectAllPaidOnce(world, began);
  expectScriptsRunOnce(all, result);
  return { result, settlement, all };
}

/** Runs a job to its end; whatever happened on the way, all is paid once and nothing is left. */
async function run(spec: object): Promise<Ran> {
  const { jobId } = await world.golem.startJob(spec);
  return await finish(jobId);
}

/** The job went as if nothing had happened, and the fault did happen. */
async function runsAllTheSame(fault: Fault): Promise<Ran> {
  const ran = await run(HELLO);
  expect(fault.hits.length).toBeGreaterThan(0);
  expect(ran.result.state).toBe('done');
  expect(ran.result.tasks[0]?.results[0]?.stdout).toBe('hello\n');
  return ran;
}

describe('the answer is lost, but the effect is there', () => {
  test('creating the allocation reserves no second budget', async () => {
    const { all } = await runsAllTheSame(proxy.cutAfter(CREATE_ALLOCATION));
    expect(all.count('allocation-created')).toBe(1);
  });

  test('subscribing a demand leaves no demand behind', async () => {
    const { all } = await runsAllTheSame(proxy.cutAfter(SUBSCRIBE));
    expect(all.count('demand-created')).toBe(2);
    expect(all.count('demand-removed')).toBe(2);
  });

  test('creating an agreement signs no second one', async () => {
    const { all } = await runsAllTheSame(proxy.cutAfter(CREATE_AGREEMENT));
    expect(all.count('agreement-created')).toBe(1);
  });

  test('confirming an agreement signs no second one', async () => {
    const { all } = await runsAllTheSame(proxy.cutAfter(CONFIRM));
    expect(all.count('agreement-created')).toBe(1);
    expect(all.count('agreement-approved')).toBe(1);
  });

  test('creating the Golem activity gives one VM, which is adopted', async () => {
    const { all } = await runsAllTheSame(proxy.cutAfter(CREATE_ACTIVITY));
    expect(all.count('activity-created')).toBe(1);
  });

  test.each([
    ['terminating the agreement', TERMINATE, 'agreement-terminated'],
    ['destroying the Golem activity', DESTROY, 'activity-destroyed'],
    ['unsubscribing the demand', UNSUBSCRIBE, 'demand-removed'],
    ['releasing the allocation', RELEASE, 'allocation-released'],
    ['accepting the invoice', ACCEPT_INVOICE, 'invoice-accepted'],
  ])('%s is a success', async (_what, call, effect) => {
    const { all } = await runsAllTheSame(proxy.cutAfter(call));
    expect(all.count(effect)).toBe(1);
  });

  test('accepting a debit note pays it once', async () => {
    const fault = proxy.cutAfter(ACCEPT_NOTE);
    const { result, all } = await run({
      ...JOB,
      demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 },
      tasks: ['sleep 2.5'],
    });
    expect(result.state).toBe('done');
    expect(fault.hits).toHaveLength(1);
    const accepted = all.of('debit-note-accepted');
    expect(accepted.length).toBeGreaterThan(1);
    expect(all.count('agreement-created')).toBe(1);
  });
});

describe('the request lands late, after it was repeated', () => {
  test('a second budget is given back', async () => {
    const late = proxy.delay(CREATE_ALLOCATION);
    const { jobId } = await world.golem.startJob({ ...HELLO, tasks: ['sleep 1; echo hello'] });
    await world.effect('allocation-created', began);
    expect((await late.land()).status).toBe(201);
    const { all } = await finish(jobId);
    expect(all.count('allocation-created')).toBe(2);
  });

  test('a second demand is ended', async () => {
    const late = proxy.delay(SUBSCRIBE);
    const { jobId } = await world.golem.startJob(HELLO);
    await world.golem.result(jobId);
    await late.land();
    const { all } = await finish(jobId);
    expect(all.count('demand-created')).toBe(2);
    expect(all.count('demand-removed')).toBe(2);
  });

  test('the provider signs no second agreement', async () => {
    const late = proxy.delay(CREATE_AGREEMENT);
    const { jobId } = await world.golem.startJob(HELLO);
    await world.effect('agreement-approved', began);
    expect((await late.land()).status).toBe(409);
    const { all } = await finish(jobId);
    expect(all.count('agreement-created')).toBe(1);
  });

  test('the confirmation changes nothing', async () => {
    const late = proxy.delay(CONFIRM);
    const { jobId } = await world.golem.startJob(HELLO);
    await world.effect('agreement-approved', began);
    expect((await late.land()).status).toBe(410);
    const { all } = await finish(jobId);
    expect(all.count('agreement-approved')).toBe(1);
  });

  test('the provider creates no second VM', async () => {
    const late = proxy.delay(CREATE_ACTIVITY);
    const { jobId } = await world.golem.startJob(HELLO);
    await world.effect('activity-created', began);
    expect((await late.land()).status).toBe(500);
    const { all } = await finish(jobId);
    expect(all.count('activity-created')).toBe(1);
  });
});

describe('the answer to sending a script is lost', () => {
  /** The first script deploys; the second is the task's. */
  const TASK = { skip: 1 };

  test('freshVm runs it in a new VM under the same agreement', async () => {
    const fault = proxy.cutAfter(EXEC, TASK);
    const { result, all } = await run(HELLO);
    expect(fault.hits).toHaveLength(1);
    expect(result.state).toBe('done');
    expect(result.tasks[0]?.attempts.map(({ state }) => state)).toEqual(['uncertain', 'done']);
    expect(all.count('agreement-created')).toBe(1);
    expect(all.count('activity-created')).toBe(2);
    const [first, second] = all.taskScripts();
    expect(second?.activityId).not.toBe(first?.activityId);
  });

  test('freshVm runs the tasks that share its VM again, too', async () => {
    const fault = proxy.cutAfter(EXEC, { skip: 2 });
    const { result, all } = await run({
      ...JOB,
      tasks: [
        { name: 'write', vm: 'shared', commands: ['echo kept > /golem/output/file'] },
        { name: 'read', vm: 'shared', commands: ['cat /golem/output/file'] },
      ],
    });
    expect(fault.hits).toHaveLength(1);
    expect(result.tasks.map(({ attempts }) => attempts.map(({ state }) => state))).toEqual([
      ['done', 'done'],
      ['uncertain', 'done'],
    ]);
    expect(result.tasks[1]?.results[0]?.stdout).toBe('kept\n');
    expect(all.count('agreement-created')).toBe(1);
    expect(all.count('activity-created')).toBe(2);
  });

  test('rerun sends it to the same VM again', async () => {
    const fault = proxy.cutAfter(EXEC, TASK);
    const { jobId } = await world.golem.startJob({
      ...JOB,
      tasks: [{ name: 'again', commands: ['echo again'], onUncertain: 'rerun' }],
    });
    const result = await world.golem.result(jobId);
    await world.golem.settled(jobId);
    const all = await expectAllPaidOnce(world, began);
    expect(fault.hits).toHaveLength(1);
    expect(result.state).toBe('done');
    expect(all.count('activity-created')).toBe(1);
    expect(all.taskScripts()).toHaveLength(2);
  });

  test('fail gives the task up', async () => {
    proxy.cutAfter(EXEC, TASK);
    const { result, all } = await run({
      ...JOB,
      tasks: [{ name: 'once', commands: ['echo once'], onUncertain: 'fail' }],
    });
    expect(result.state).toBe('failed');
    expect(result.tasks[0]).toMatchObject({ state: 'failed', failure: { type: 'ScriptUncertain' } });
    expect(all.taskScripts()).toHaveLength(1);
  });

  test('while the VM is being set up, another provider is taken', async () => {
    const fault = proxy.cutAfter(EXEC);
    const { result, all } = await run(HELLO);
    expect(fault.hits).toHaveLength(1);
    expect(result.state).toBe('done');
    expect(result.tasks[0]?.attempts).toHaveLength(1);
    expect(all.taskScripts()).toHaveLength(1);
  });
});

test('a script whose request certainly did not leave is simply sent again', async () => {
  // Once the deployment's last result is read, yagna is gone until the worker has noticed.
  const gone = proxy.refuseAfter<{ index: number; result: string }[]>(RESULTS, (results) =>
    results.some(({ index, result }) => index === 1 && result === 'Ok'),
  );
  const { jobId } = await world.golem.startJob({
    ...JOB,
    tasks: [{ name: 'once', commands: ['echo once'], onUncertain: 'fail' }],
  });
  await gone;
  expect(await activityFailed(world, `${jobId}/rental/1`, 'golemSendScript')).toBe('YagnaUnavailable');
  await proxy.listen();
  const { result, all } = await finish(jobId);
  expect(result.state).toBe('done');
  expect(result.tasks[0]?.attempts).toHaveLength(1);
  expect(all.taskScripts()).toHaveLength(1);
});

test('an app key that is refused ends a job that has nothing rented, but not its settlement', async () => {
  const { jobId } = await world.golem.startJob({
    ...HELLO,
    demand: { minCpuCores: 1000, offerFetchingIntervalSec: 1 },
  });
  await world.effect('demand-created', began);
  const refused = proxy.answer(/./, 401, { message: 'invalid app key' }, { times: Infinity });
  await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'YagnaUnauthorized' });
  refused.stop();
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  await expectAllPaidOnce(world, began);
});

test('an app key that is refused for a while costs no rental', async () => {
  const { jobId } = await world.golem.startJob({ ...HELLO, tasks: ['sleep 1; echo hello'] });
  for (const effect of ['agreement-created', 'agreement-approved', 'activity-created', 'script-started']) {
    await world.effect(effect, began);
    const refused = proxy.answer(/./, 401, { message: 'no' }, { times: Infinity });
    await refused.hit(2);
    refused.stop();
  }
  const { result, all } = await finish(jobId);
  expect(result.tasks[0]?.attempts).toHaveLength(1);
  expect(all.taskScripts()).toHaveLength(1);
  expect(all.count('agreement-created')).toBe(1);
});

describe('yagna is away for a while', () => {
  test.each([500, 503])('answering %i to everything, and the job is done all the same', async (status) => {
    const { jobId } = await world.golem.startJob({ ...HELLO, tasks: ['sleep 1; echo hello'] });
    for (const effect of ['allocation-created', 'agreement-approved', 'activity-created', 'script-started']) {
      await world.effect(effect, began);
      const fault = proxy.answer(/./, status, { message: 'out of order' }, { times: 4 });
      await fault.hit(4);
    }
    const { result } = await finish(jobId);
    expect(result.state).toBe('done');
  });
});
