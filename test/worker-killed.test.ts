/**
 * The worker process is killed at the worst moments, another is started, and the job ends well: every script whose
 * batch id was known ran once, every agreement is paid once, nothing is left.
 */
import type { JobResult } from '../model/result';
import { expectAllPaidOnce, expectScriptsRunOnce, now, since } from './support/proof';
import { FaultProxy } from './support/fault-proxy';
import { scriptIsKnown } from './support/pending';
import { startWorld, type World, type WorldOptions } from './support/world';

/** A world of its own for each test: they kill its worker, and most of their time they wait. */
async function inWorld(options: WorldOptions, test: (world: World) => Promise<void>): Promise<void> {
  const world = await startWorld(options);
  try {
    await test(world);
  } finally {
    await world.close();
  }
}

const FAST = { devnet: { paymentCycleSec: 0.1 } };

const JOB = {
  image: 'golem/alpine:latest',
  budget: '1',
  demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 },
  tasks: [
    { name: 'first', vm: 'shared', commands: ['sleep 2; echo kept > /golem/output/file'] },
    { name: 'second', vm: 'shared', commands: ['cat /golem/output/file'] },
  ],
};

/** What the devnet has just recorded when the worker is killed. */
const MOMENTS = [
  'allocation-created',
  'agreement-approved',
  'activity-created',
  'script-started',
  'debit-note-accepted',
  'script-finished',
  'agreement-terminated',
  'invoice-accepted',
];

/** The job ends well, and so does its money. */
async function endsWell(world: World, jobId: string, began: number): Promise<JobResult> {
  const result = await world.golem.result(jobId);
  expect(result.state).toBe('done');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expectScriptsRunOnce(await expectAllPaidOnce(world, began), result);
  return result;
}

// The longest first: the others run meanwhile.
test.concurrent(
  'killed before a debit note comes, it lets nobody wait for the acceptance in vain',
  async () => {
    await inWorld(FAST, async (world) => {
      const began = await now(world);
      const { jobId } = await world.golem.startJob({
        ...JOB,
        demand: { midAgreementDebitNoteIntervalSec: 2, debitNotesAcceptanceTimeoutSec: 30 },
        tasks: ['sleep 35'],
      });
      await world.effect('script-finished', began);
      await world.worker.kill();
      await world.startWorker();
      const result = await endsWell(world, jobId, began);
      // The kill may have come while the script was sent.
      expect(result.tasks[0]?.attempts.map(({ state }) => state)).not.toContain('lost');
      expect((await since(world, began)).count('agreement-created')).toBe(1);
    });
  },
);

test.concurrent.each(MOMENTS)('killed at %s, a job ends well under the next worker', async (moment) => {
  await inWorld(FAST, async (world) => {
    const began = await now(world);
    const { jobId } = await world.golem.startJob(JOB);
    await world.effect(moment, began);
    await world.worker.kill();
    await world.startWorker();
    const result = await endsWell(world, jobId, began);
    expect(result.tasks[1]?.results[0]?.stdout).toBe('kept\n');
  });
});

test.concurrent.each(['agreement-created', 'script-started'])(
  'stopped at %s in good order, as for an update, it costs the job no attempt',
  async (moment) => {
    await inWorld(FAST, async (world) => {
      const began = await now(world);
      const { jobId } = await world.golem.startJob(JOB);
      await world.effect(moment, began);
      await world.worker.stop();
      await world.startWorker();
      const result = await endsWell(world, jobId, began);
      expect(result.tasks.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
    });
  },
);

test.concurrent(
  'stopped while it waits for the answer to a script, it makes the job ask what became of it',
  async () => {
    const proxy = new FaultProxy();
    await inWorld({ ...FAST, yagnaUrl: (url) => proxy.start(url) }, async (world) => {
      const began = await now(world);
      const stalled = proxy.stall(/^POST .*\/exec$/, { skip: 1 });
      const { jobId } = await world.golem.startJob(JOB);
      await stalled.hit();
      await world.worker.stop();
      await world.startWorker();
      const result = await endsWell(world, jobId, began);
      expect(result.tasks[0]?.attempts.map(({ state }) => state)).toEqual(['uncertain', 'done']);
    });
    await proxy.close();
  },
);

test.concurrent(
  'killed while it waits for a quick end of a script that it has sent, it has told the batch id: nothing runs again',
  async () => {
    const proxy = new FaultProxy();
    await inWorld({ ...FAST, yagnaUrl: (url) => proxy.start(url) }, async (world) => {
      const began = await now(world);
      const sent = proxy.hold(/^POST .*\/exec$/, { skip: 1 });
      const { jobId } = await world.golem.startJob(JOB);
      await sent.reached;
      const look = proxy.hold(/^GET .*\/exec\//);
      sent.release();
      await look.reached;
      // Temporal has heard the batch id.
      await scriptIsKnown(world, `${jobId}/rental/1`);
      await world.worker.kill();
      look.release();
      await world.startWorker();
      const result = await endsWell(world, jobId, began);
      expect(result.tasks.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
      expect((await since(world, began)).count('activity-created')).toBe(1);
    });
    await proxy.close();
  },
);
