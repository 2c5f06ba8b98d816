/** Which yagna a worker has found it tells in one line; on one that is too old, or tells no version, no job begins. */
import { MIN_YAGNA } from '../activities/yagna';
import type { ArmedFault } from '../devnet/faults/armed-fault';
import { Gate } from './support/gate';
import { tried } from './support/pending';
import { expectAllPaidOnce, now, since } from './support/proof';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const JOB = { image: 'golem/alpine:latest', budget: '1', tasks: ['echo hello'] };
const BAD = [
  [
    '0.16.9',
    `yagna (connection default) is 0.16.9; this version of golem-temporal needs ${MIN_YAGNA} or newer: update it`,
  ],
  [
    'latest',
    `yagna (connection default) says that its version is "latest", which is none; this version of golem-temporal needs ${MIN_YAGNA} or newer`,
  ],
] as const;
let world: World;
let gate: Gate;
let began: number;

beforeAll(async () => {
  world = await startWorld({ devnet: { paymentCycleSec: 0.1 } });
});
afterAll(() => world?.close());
beforeEach(async () => {
  gate = await Gate.start();
  began = await now(world);
});
afterEach(async () => {
  world.devnet.faults.disarmAll();
  await gate.close();
});

/** From now on yagna says that it is this version. */
function becomes(version: string): ArmedFault {
  const body = { current: { version }, pending: null };
  return world.devnet.faults.arm({ on: 'getVersion', do: 'answer', status: 200, body, times: 0 });
}

/** A job is done, and settled. */
async function runs(spec: object = JOB): Promise<void> {
  const { jobId } = await world.golem.startJob(spec);
  expect((await world.golem.result(jobId)).state).toBe('done');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
}

/** How a client is told. */
const incompatible = (message: string): object => ({
  ...{ type: 'YagnaIncompatible', message: expect.stringContaining(message) as string },
});

/** Refused by name, before anything was asked of the market or reserved. */
async function isRefused(jobId: string, message: string): Promise<void> {
  await expect(world.golem.result(jobId)).rejects.toMatchObject(incompatible(message));
  const all = await since(world, began);
  expect(all.count('allocation-created')).toBe(0);
  expect(all.count('demand-created')).toBe(0);
  expect(await world.open()).toEqual(NOTHING_OPEN);
}

/** What the worker has said of versions since it was started; all of it was read once the worker has ended. */
async function saidBy(action: () => Promise<void>): Promise<string[]> {
  await world.worker.stop();
  const from = world.workerLog.length;
  await world.startWorker();
  await action();
  await world.worker.stop();
  const lines = world.workerLog.slice(from).filter((line) => /connection default: yagna (\d|\()/.test(line));
  await world.startWorker();
  return lines;
}

test('a worker tells in one line which yagna it has found, however many jobs it then runs', async () => {
  const lines = await saidBy(async () => {
    await runs();
    await runs();
  });
  expect(lines).toEqual([
    expect.stringMatching(/^connection default: yagna \d+\.\d+\.\d+\S*, as 0x[0-9a-f]{40}$/),
  ]);
});

describe.each(BAD)('a yagna that says it is %s', (version, message) => {
  test('is told in one line at the start of a worker, and no job begins', async () => {
    const fault = becomes(version);
    const lines = await saidBy(async () => {
      await fault.hit();
      const { jobId } = await world.golem.startJob(JOB);
      await isRefused(jobId, message);
    });
    expect(lines).toEqual([`golem-temporal: connection default: ${message}`]);
    world.devnet.faults.disarmAll();
    await runs();
  });

  test('when it comes back after a job has begun to wait for it, ends that job by name', async () => {
    const [node] = world.devnet.nodes;
    if (!node) throw new Error('the devnet has no node');
    await node.stop();
    const { jobId } = await world.golem.startJob(JOB);
    await tried(world, jobId, 3);
    becomes(version);
    await node.start();
    await isRefused(jobId, message);
    world.devnet.faults.disarmAll();
    await runs();
  });

  test('while a job runs, does not keep it from being done and paid, and the next is refused', async () => {
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: [{ commands: [gate.command] }] });
    await gate.visitor();
    becomes(version);
    const next = await world.golem.startJob(JOB);
    await expect(world.golem.result(next.jobId)).rejects.toMatchObject(incompatible(message));
    gate.open();
    expect((await world.golem.result(jobId)).state).toBe('done');
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    expect((await expectAllPaidOnce(world, began)).count('agreement-created')).toBe(1);
  });
});
