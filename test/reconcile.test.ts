/**
 * What is left when even a job's settlement is gone: reconcile finds it by its mark, whoever is dead, and closes it as
 * the settlement would have. What is somebody else's, or looked after, it does not touch.
 */
import type { ReconcileInput, ReconcileResult } from '../model/reconcile';
import { reconcile } from '../client';
import { Gate } from './support/gate';
import { expectAllPaidOnce, now } from './support/proof';
import { startWorld, type World } from './support/world';

let world: World;
let gate: Gate;
let began: number;

beforeAll(async () => {
  world = await startWorld({
    devnet: { paymentCycleSec: 0.1, providers: ['one', 'two'].map((name) => ({ name })) },
  });
});
afterAll(async () => {
  await world?.close();
});
beforeEach(async () => {
  began = await now(world);
  gate = await Gate.start();
});
afterEach(() => gate.close());

const look = (input: ReconcileInput = {}): Promise<ReconcileResult> =>
  reconcile({ client: world.client, taskQueue: world.taskQueue }, input);

/** A job whose task waits for ever, in a VM. */
async function runningJob(): Promise<string> {
  const { jobId } = await world.golem.startJob({
    ...{ image: 'golem/alpine:latest', budget: '1', tasks: [{ commands: [gate.command] }] },
  });
  await gate.visitor();
  return jobId;
}

async function terminate(jobId: string, ...parts: string[]): Promise<void> {
  for (const part of parts) await world.client.workflow.getHandle(`${jobId}${part}`).terminate();
}

const kinds = ({ orphans }: ReconcileResult): string[] => orphans.map(({ kind }) => kind).sort();

test('nothing is left over while a job runs, nor when it has ended well', async () => {
  const jobId = await runningJob();
  expect(await look({ olderThanSec: 0 })).toEqual({ orphans: [], more: 0, settlements: [] });
  gate.open();
  await world.golem.settled(jobId);
  expect(await look({ olderThanSec: 0 })).toEqual({ orphans: [], more: 0, settlements: [] });
});

test('what a job left that was terminated with all that is its own is listed, and closed and paid', async () => {
  const jobId = await runningJob();
  await terminate(jobId, '/settlement', '', '/rental/1');

  const open = await world.open();
  const listed = await look({ dryRun: true });
  expect(kinds(listed)).toEqual(['agreement', 'allocation', 'demand', 'golemActivity']);
  expect(listed.settlements).toEqual([]);
  for (const orphan of listed.orphans) {
    expect(orphan).toMatchObject({ jobId, ageSec: expect.any(Number) as number });
    expect(orphan.left).toBeUndefined();
  }
  expect(listed.orphans.find(({ kind }) => kind === 'allocation')).toMatchObject({
    ...{ cost: '1', costIs: 'reserved' },
  });
  expect(listed.orphans.find(({ kind }) => kind === 'agreement')).toMatchObject({ costIs: 'atMost' });
  expect(await world.open()).toEqual(open);

  const found = await look();
  expect(kinds(found)).toEqual(kinds(listed));
  expect(found.settlements).toEqual([`${jobId}/settlement`]);
  const settlement = await world.golem.settled(jobId);
  expect(settlement.state).toBe('settled');
  expect(Number(settlement.money.paid)).toBeGreaterThan(0);
  await expectAllPaidOnce(world, began);
  expect((await look()).orphans).toEqual([]);
});
