/** Changing what is reserved for a job, on a devnet, without a workflow: whatever is there, it is never made less. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Connections, createGolemActivities, type GolemActivities } from '../activities';
import type { Amended, AmendInput, Reserved } from '../activities/contract';
import { startDevnet, type Devnet } from '../devnet';

let devnet: Devnet;
let activities: GolemActivities;
let connections: Connections;
let jobs = 0;

beforeAll(async () => {
  devnet = await startDevnet();
  connections = new Connections({ YAGNA_APPKEY: devnet.appKey, YAGNA_API_URL: devnet.url });
  activities = createGolemActivities({ connections, specSettings: {}, strategies: {}, registryUrl: '' });
});
afterAll(() => devnet?.close());

async function run<I, O>(activity: (input: I) => Promise<O>, input: I, attempt = 1): Promise<O> {
  const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
  return (await environment.run(activity, input)) as O;
}

const platform = 'erc20-holesky-tglm';
const inSec = (sec: number): number => Math.floor(Date.now() / 1000) + sec;

/** A job with 5 GLM reserved for an hour, and how to ask for a change. */
async function reserved(lifeSec = 3600): Promise<{
  made: Reserved;
  amend: (change: Partial<AmendInput>, attempt?: number) => Promise<Amended>;
  ends: number;
}> {
  jobs += 1;
  const job = { connection: 'default', jobId: `job-${jobs}`, jobUuid: `uuid-${jobs}`, owner: 'owner' };
  const ends = inSec(lifeSec);
  const made = await run(activities.golemReserveAllocation, { job, amount: '5', platform, endsAtSec: ends });
  const input = { job, allocationId: made.allocationId, total: '5', endsAtSec: ends, lastsUntilSec: ends };
  const amend = (change: Partial<AmendInput>, attempt?: number): Promise<Amended> =>
    run(
      activities.golemAmendAllocation,
      { ...input, endsAtSecs: [ends, change.endsAtSec ?? ends], ...change },
      attempt,
    );
  return { made, amend, ends };
}

const total = async ({ allocationId }: Reserved): Promise<string | undefined> =>
  (await connections.get().allocation(allocationId))?.totalAmount;

test('a request that is repeated, or comes after a larger one, changes nothing', async () => {
  const { made, amend } = await reserved();
  expect(await amend({ total: '7' })).toEqual({ state: 'live', total: '7', retried: false });
  expect(await amend({ total: '7' }, 2)).toEqual({ state: 'live', total: '7', retried: true });
  expect(await amend({ total: '6' })).toMatchObject({ state: 'live', total: '7' });
  expect(await total(made)).toBe('7');
});

test('a later end bears the mark of its second, and an earlier one changes nothing', async () => {
  const { made, amend, ends } = await reserved();
  await amend({ endsAtSec: ends + 60 });
  const { timeout = '' } = (await connections.get().allocation(made.allocationId)) ?? {};
  expect(Math.floor(Date.parse(timeout) / 1000)).toBe(ends + 60);
  await amend({ endsAtSec: ends + 30 });
  expect((await connections.get().allocation(made.allocationId))?.timeout).toBe(timeout);
});

test('another allocation with a mark of the job is given back', async () => {
  const { made, amend, ends } = await reserved();
  const job = { connection: 'default', jobId: `job-${jobs}`, jobUuid: `uuid-${jobs}`, owner: 'owner' };
  const late = await run(activities.golemReserveAllocation, {
    ...{ job, amount: '5', platform, endsAtSec: ends + 1 },
  });
  await amend({ endsAtSecs: [ends, ends + 1] });
  expect(await total(late)).toBeUndefined();
  expect(await total(made)).toBe('5');
});

test('more than the account holds is refused by name, with whether an attempt may still succeed', async () => {
  const { made, amend } = await reserved();
  await expect(amend({ total: '1000000' })).rejects.toMatchObject({
    ...{ type: 'BudgetNotReserved', nonRetryable: true, details: [false] },
  });
  await expect(amend({ total: '1000000' }, 2)).rejects.toMatchObject({ details: [true] });
  expect(await total(made)).toBe('5');
});

test('one that is gone before its time was released, one that is gone after it has lapsed', async () => {
  const { made, amend, ends } = await reserved();
  await connections.get().releaseAllocation(made.allocationId);
  expect(await amend({ total: '7' })).toMatchObject({ state: 'released' });
  expect(await amend({ total: '7', endsAtSec: ends + 60, lastsUntilSec: inSec(-1) })).toMatchObject({
    state: 'lapsed',
  });
});

test('what takes the place of one that lapsed is what it had left, by what yagna or we know', async () => {
  await reserved();
  const job = { connection: 'default', jobId: `job-${jobs}`, jobUuid: `uuid-${jobs}`, owner: 'owner' };
  const again = (allocationIds: string[], endsAtSec: number): Promise<Reserved> =>
    run(activities.golemReserveAllocation, {
      ...{ job, amount: '5', platform, endsAtSec, replaces: { allocationIds, accepted: '2' } },
    });
  const { made } = await reserved();
  expect(await again([made.allocationId], inSec(100))).toMatchObject({ total: '5', spentBefore: '0' });
  const yagna = connections.get();
  const spy = jest.spyOn(yagna, 'spentFrom').mockResolvedValue(undefined);
  expect(await again([made.allocationId], inSec(200))).toMatchObject({ total: '3', spentBefore: '2' });
  spy.mockResolvedValue('6');
  expect(await again([made.allocationId], inSec(300))).toMatchObject({ total: '0', spentBefore: '6' });
  spy.mockRestore();
});
