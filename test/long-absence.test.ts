/**
 * A yagna that is away for longer than a provider may be silent. The worker is in a hurry (support/hurried-worker.js), so
 * that a few seconds are minutes to it: a provider that stays silent for them is given up, a yagna that is away is not.
 */
import { join } from 'node:path';
import type { ArmedFault } from '../devnet/faults/armed-fault';
import type { RentalResult, ScriptOutcome } from '../workflows/protocol';
import { Gate } from './support/gate';
import { tried } from './support/pending';
import { expectAllPaidOnce, expectScriptsRunOnce, now, type Since } from './support/proof';
import { sendUpdate } from './support/updates';
import { startWorld, type World } from './support/world';

const PROVIDERS = ['one', 'two'];
let world: World;
let gate: Gate;
let began: number;

beforeAll(async () => {
  world = await startWorld({
    devnet: {
      paymentCycleSec: 0.1,
      providers: PROVIDERS.map((name) => ({ name, approveSec: 0.1, createSec: 0.1, deploySec: 0.1 })),
    },
    env: { NODE_OPTIONS: `--require ${join(__dirname, 'support', 'hurried-worker.js')}` },
  });
});
afterAll(() => world?.close());
beforeEach(async () => {
  gate = await Gate.start();
  began = await now(world);
});
afterEach(async () => {
  world.devnet.faults.disarmAll();
  world.devnet.links.restore();
  await gate.close();
});

// Providers refuse more than half an hour of their own clock, which does not leap.
const BASE = { image: 'golem/alpine:latest', budget: '1', demand: { expirationSec: 900 } };

const update = <T>(workflowId: string, name: string, input: unknown = {}): Promise<T> =>
  sendUpdate(world, workflowId, name, input);

async function run(rental: string, command: string): Promise<ScriptOutcome> {
  const { scriptId } = await update<{ scriptId: string }>(rental, 'executeScript', { commands: [command] });
  return await update(rental, 'scriptResult', { scriptId, waitSec: 30 });
}

/** The worker finds that a hundred seconds have passed. */
const leap = (): boolean => process.kill(world.worker.pid, 'SIGWINCH');

/** yagna is away for a hundred seconds and more, as the worker sees it. */
async function absence(
  rental: string,
  activity: string,
  meanwhile: () => void = () => undefined,
): Promise<void> {
  const [node] = world.devnet.nodes;
  if (!node) throw new Error('the devnet has no node');
  await node.stop();
  meanwhile();
  await tried(world, rental, 3, activity);
  leap();
  await tried(world, rental, 4, activity);
  await node.start();
}

/** An interactive rental whose VM is up and idle, and has a file of its user's. */
async function idleRental(): Promise<{ jobId: string; rental: string }> {
  const { jobId } = await world.golem.startJob({ ...BASE, interactive: true });
  await world.effect('agreement-created', began);
  const rental = `${jobId}/rental/1`;
  expect(await run(rental, 'echo kept > /golem/work/file')).toMatchObject({ state: 'done' });
  await tried(world, rental, 1, 'golemWatchRental');
  return { jobId, rental };
}

async function waitingTask(first = gate): Promise<{ jobId: string; rental: string }> {
  const commands = first === gate ? [gate.command] : [first.command, gate.command];
  const { jobId } = await world.golem.startJob({ ...BASE, tasks: [{ commands }] });
  await first.visitor();
  return { jobId, rental: `${jobId}/rental/1` };
}

/** Name of the provider that the job has rented. */
async function rented(jobId: string): Promise<string> {
  const { rentals } = await world.golem.progress(jobId);
  return rentals[0]?.provider.name ?? '';
}

/** From now on yagna says of the provider's VMs what it says where a provider does not answer. */
const silence = (provider: string): ArmedFault[] =>
  (['getActivityState', 'getExecBatchResults'] as const).map((on) =>
    world.devnet.faults.arm({ on, provider, do: 'answer', status: 408, body: TIMEOUT, times: 0 }),
  );

const TIMEOUT = { message: 'Timeout' };

/** Nothing is open, all is paid once. */
async function isSettled(jobId: string): Promise<Since> {
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  return await expectAllPaidOnce(world, began);
}

async function endInteractive(jobId: string): Promise<Since> {
  await update(jobId, 'terminate');
  expect((await world.golem.result(jobId)).state).toBe('done');
  return await isSettled(jobId);
}

describe('a provider that is silent for so long, with yagna there to say so,', () => {
  test('loses an idle rental', async () => {
    const { jobId, rental } = await idleRental();
    silence(await rented(jobId));
    const ended = (await world.client.workflow.getHandle(rental).result()) as RentalResult;
    expect(ended.reason).toBe('the VM is Unresponsive: the provider does not answer');
    expect((await world.golem.result(jobId)).state).toBe('done');
    await isSettled(jobId);
  });

  test('loses a script to another provider', async () => {
    const first = await Gate.start();
    const { jobId } = await waitingTask(first);
    const [, results] = silence(await rented(jobId));
    // What is asked already is answered when the first command has ended.
    first.open();
    // Asked for again: what was found the first time has been made note of.
    await results?.hit(2);
    leap();
    gate.open();
    const { tasks } = await world.golem.result(jobId);
    await first.close();
    expect(tasks[0]?.attempts.map(({ state }) => state)).toEqual(['lost', 'done']);
    expect((await isSettled(jobId)).count('agreement-created')).toBe(2);
  });
});

describe('a yagna that is away for so long', () => {
  test('costs no idle rental: the next script finds what the one before has left', async () => {
    const { jobId, rental } = await idleRental();
    await absence(rental, 'golemWatchRental');
    expect(await run(rental, 'cat /golem/work/file')).toMatchObject({ results: [{ stdout: 'kept\n' }] });
    // It is watched as before.
    await tried(world, rental, 1, 'golemWatchRental');
    const all = await endInteractive(jobId);
    expect(all.count('agreement-created')).toBe(1);
    expect(all.count('activity-created')).toBe(1);
  });

  test('costs no script that runs all the while', async () => {
    const { jobId, rental } = await waitingTask();
    await absence(rental, 'golemWatchScript');
    gate.open();
    const result = await world.golem.result(jobId);
    expect(result.tasks[0]?.attempts.map(({ state }) => state)).toEqual(['done']);
    const all = await isSettled(jobId);
    expectScriptsRunOnce(all, result);
    expect(all.count('agreement-created')).toBe(1);
    expect(all.count('activity-created')).toBe(1);
  });
});

describe('a VM that dies while yagna is away', () => {
  test('is made anew under its agreement, and its task run there', async () => {
    const { jobId, rental } = await waitingTask();
    const provider = await rented(jobId);
    await absence(rental, 'golemWatchScript', () => world.devnet.links.killVms(provider));
    gate.open();
    const result = await world.golem.result(jobId);
    const [lost, done] = result.tasks[0]?.attempts ?? [];
    expect([lost?.state, done?.state]).toEqual(['lost', 'done']);
    expect(done?.agreementId).toBe(lost?.agreementId);
    expect(done?.activityId).not.toBe(lost?.activityId);
    const all = await isSettled(jobId);
    expectScriptsRunOnce(all, result);
    expect(all.count('agreement-created')).toBe(1);
    expect(all.count('activity-created')).toBe(2);
  });

  test('idle in a rental of a user, ends that rental, since what was in it is gone', async () => {
    const { jobId, rental } = await idleRental();
    const provider = await rented(jobId);
    await absence(rental, 'golemWatchRental', () => world.devnet.links.killVms(provider));
    const ended = (await world.client.workflow.getHandle(rental).result()) as RentalResult;
    expect(ended.reason).toMatch(/^the VM is Terminated/);
    expect((await world.golem.result(jobId)).state).toBe('done');
    expect((await isSettled(jobId)).count('activity-created')).toBe(1);
  });
});
