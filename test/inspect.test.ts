/** A look at the market and at yagna through a worker: what it tells is right, and it leaves nothing on yagna, whatever dies. */
import { randomUUID } from 'node:crypto';
import { estimate, reconcile } from '../client';
import type { Estimate } from '../model/inspect';
import { untilListed } from './support/workflow-ends';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

let world: World;
const provider = (name: string, more: object = {}) => ({
  ...{ name, hardware: { cpuThreads: 2, memGib: 4 } },
  pricing: { start: '0.1', cpuPerHour: '0.5', envPerHour: '1' },
  ...more,
});

beforeAll(async () => {
  world = await startWorld({
    devnet: {
      providers: [
        provider('cheap'),
        provider('dear', { pricing: { start: '0', cpuPerHour: '2', envPerHour: '4' } }),
        provider('greedy', { pricing: { start: '3', cpuPerHour: '0', envPerHour: '0' } }),
        provider('small', { hardware: { memGib: 1 } }),
        provider('elsewhere', { platforms: ['erc20-polygon-glm'] }),
        provider('other', { runtime: 'wasmtime' }),
      ],
    },
  });
});
afterAll(() => world?.close());

const SPEC = {
  image: 'golem/alpine:latest',
  budget: '1',
  demand: { minMemGib: 2 },
  pricing: { maxStartPrice: '1' },
  tasks: ['true', 'true', 'true'],
};
const target = () => ({ client: world.client, taskQueue: world.taskQueue });

test('an estimate tells who suits, their prices, what the job would cost, and why the others do not suit', async () => {
  const found = await estimate(target(), SPEC, { taskSec: 3600 });
  expect(found).toMatchObject({
    ...{ platform: 'erc20-holesky-tglm', offers: 6, providers: 6, suitable: 2 },
    prices: {
      startPrice: { least: '0', median: '0', most: '0.1' },
      busyPerHour: { least: '2', median: '2', most: '8' },
    },
    best: [
      { provider: { name: 'cheap' }, startPrice: '0.1', busyPerHour: '2', idlePerHour: '1' },
      { provider: { name: 'dear' }, busyPerHour: '8', idlePerHour: '4' },
    ],
    // Two hours on the one, an hour on the other.
    expected: { vms: 2, tasks: 3, lastsSec: 7200, atLeast: '6.1', atMost: '12.1', fitsBudget: false },
  });
  expect(found.unsuitable).toHaveLength(4);
  expect(found.unsuitable).toEqual(
    expect.arrayContaining([
      { reason: 'start price is above pricing.maxStartPrice 1', providers: 1 },
      { reason: 'has less memory than demand.minMemGib 2', providers: 1 },
      { reason: 'cannot be paid on erc20-holesky-tglm', providers: 1 },
      { reason: 'has the runtime wasmtime, not vm', providers: 1 },
    ]),
  );
  expect(await world.open()).toEqual(NOTHING_OPEN);
  await expect(estimate(target(), { ...SPEC, budget: 1 })).rejects.toMatchObject({ type: 'InvalidJobSpec' });
});

/** On the market for as long as nobody offers there. */
const LONELY = { ...SPEC, demand: { subnetTag: 'nobody-is-here' } };
async function scanning(scanSec: number): Promise<{ id: string }> {
  const after = (await world.effects('demand-created')).at(-1)?.seq;
  const id = `golem-inspect-${randomUUID()}`;
  const input = { what: 'estimate', spec: LONELY, scanSec };
  await world.client.workflow.start('golemInspect', {
    ...{ workflowId: id, taskQueue: world.taskQueue, args: [input] },
  });
  await world.effect('demand-created', after);
  return { id };
}

test('a worker that dies while it scans leaves no demand: another one scans anew, and ends both', async () => {
  const { id } = await scanning(4);
  await world.worker.kill();
  await world.startWorker();
  const found = (await world.client.workflow.getHandle(id).result()) as Estimate;
  expect(found).toMatchObject({ offers: 0, suitable: 0, unsuitable: [], best: [] });
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('a scan that is cancelled ends its demand; one that is terminated with its worker leaves it to reconcile', async () => {
  const { id: cancelled } = await scanning(60);
  await world.client.workflow.getHandle(cancelled).cancel();
  await expect(world.client.workflow.getHandle(cancelled).result()).rejects.toThrow();
  expect(await world.open()).toEqual(NOTHING_OPEN);

  const { id } = await scanning(60);
  // Whose a demand is, reconcile knows by Temporal's list, which has a workflow a moment after it has begun.
  await untilListed(world.client, id);
  expect(await reconcile(target(), { olderThanSec: 0 })).toMatchObject({ orphans: [] });
  await world.worker.kill();
  await world.client.workflow.getHandle(id).terminate();
  await world.startWorker();
  const found = await reconcile(target());
  expect(found).toMatchObject({ orphans: [{ kind: 'demand', jobId: id }], settlements: [] });
  expect(await world.open()).toEqual(NOTHING_OPEN);
});
