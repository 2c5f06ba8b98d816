/**
 * Ends that leave nobody to clean up in good order: an execution timeout, a worker that is away for longer than providers
 * wait, a provider that never answers again. Whatever the end, all is closed and paid once it can be.
 */
import { reconcile } from '../client';
import type { Agreement } from '../activities/yagna';
import { FaultProxy } from './support/fault-proxy';
import { Gate } from './support/gate';
import { scriptIsKnown } from './support/pending';
import { expectAllPaidOnce, now } from './support/proof';
import { startWorld, type World, type WorldOptions } from './support/world';

interface Here {
  world: World;
  proxy: FaultProxy;
  gate: Gate;
  began: number;
}

/** A world of its own for each test, with one provider: they run side by side, for most of their time they wait. */
async function inWorld(
  provider: object,
  test: (here: Here) => Promise<void>,
  options: WorldOptions = {},
): Promise<void> {
  const proxy = new FaultProxy();
  const gate = await Gate.start();
  const world = await startWorld({
    devnet: { paymentCycleSec: 0.1, providers: [{ name: 'one', ...provider }] },
    yagnaUrl: (url) => proxy.start(url),
    ...options,
  });
  try {
    await test({ world, proxy, gate, began: await now(world) });
  } finally {
    proxy.clear();
    await gate.close();
    await world.close();
    await proxy.close();
  }
}

const JOB = { image: 'golem/alpine:latest', budget: '1' };
const waitingJob = ({ gate }: Here, more: object = {}): object => ({
  ...{ ...JOB, tasks: [{ name: 'waits', commands: [gate.command] }] },
  ...more,
});

/** From now on yagna says of every agreement that its time is over. */
function expire(proxy: FaultProxy): void {
  const validTo = new Date().toISOString();
  proxy.rewrite<Agreement>(/^GET .*\/agreements\/[0-9a-f]{64}$/, (agreement) => ({ ...agreement, validTo }));
}

// The longest first: the others run meanwhile.
test.concurrent(
  'while no worker is there, a provider ends its agreement for want of an accepted note; then the job goes on',
  async () => {
    await inWorld({}, async (here) => {
      const { world, gate, began } = here;
      const demand = { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 30 };
      const { jobId } = await world.golem.startJob(waitingJob(here, { demand }));
      await gate.visitor();
      await scriptIsKnown(world, `${jobId}/rental/1`);
      await world.worker.kill();
      expect(await world.effect('agreement-terminated', began)).toMatchObject({
        reason: { 'golem.provider.code': 'DebitNotesDeadline' },
      });
      await world.startWorker();
      gate.open();
      const { state, tasks } = await world.golem.result(jobId);
      expect(state).toBe('done');
      expect(tasks[0]?.attempts.map((attempt) => attempt.state)).toEqual(['lost', 'done']);
      expect((await world.golem.settled(jobId)).state).toBe('settled');
      await expectAllPaidOnce(world, began);
    });
  },
);

test.concurrent(
  'while no worker is there, a provider ends its agreement for want of an activity, and the job is terminated: its settlement pays',
  async () => {
    await inWorld({ idleLimitSec: 5 }, async (here) => {
      const { world, began } = here;
      const { jobId } = await world.golem.startJob(waitingJob(here));
      await world.effect('agreement-approved', began);
      await world.worker.kill();
      await world.client.workflow.getHandle(jobId).terminate();
      expect(await world.effect('agreement-terminated', began)).toMatchObject({
        reason: { 'golem.provider.code': 'NoActivity' },
      });
      await world.startWorker();
      expect((await world.golem.settled(jobId)).state).toBe('settled');
      await expectAllPaidOnce(world, began);
    });
  },
);

test.concurrent('a job whose execution timeout is over is closed and paid by its settlement', async () => {
  await inWorld({}, async (here) => {
    const { world, began } = here;
    const workflowId = `timed-out-${began}-${world.taskQueue}`;
    await world.client.workflow.start('golemJob', {
      ...{ workflowId, taskQueue: world.taskQueue, args: [waitingJob(here)] },
      workflowExecutionTimeout: '20 s',
    });
    await expect(world.golem.result(workflowId)).rejects.toMatchObject({ type: 'TimedOut' });
    expect((await world.golem.settled(workflowId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
  });
});

test.concurrent(
  'an agreement that can never be terminated is let go when it has expired, and its invoice is paid',
  async () => {
    await inWorld({}, async (here) => {
      const { world, proxy, gate, began } = here;
      const { jobId } = await world.golem.startJob(waitingJob(here));
      await gate.visitor();
      const refusals = proxy.answer(
        ...([
          /^POST .*\/terminate$/,
          500,
          { message: 'GSB failure: Bad request: endpoint address not found' },
        ] as const),
        { times: Infinity },
      );
      await world.golem.cancel(jobId);
      await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
      await refusals.hit(3);
      expect((await world.open()).agreements).toBe(1);
      expire(proxy);
      await world.devnet.shutDownProvider('one');
      expect((await world.golem.settled(jobId)).state).toBe('settled');
      await expectAllPaidOnce(world, began);
    });
  },
);

test.concurrent(
  'a provider that never answers again is given up; the invoice that it sends after all is paid by reconcile',
  async () => {
    await inWorld({}, async (here) => {
      const { world, proxy, gate, began } = here;
      const { jobId } = await world.golem.startJob(waitingJob(here, { invoiceWaitSec: 1 }));
      await gate.visitor();
      world.devnet.links.freeze('one');
      const refused = proxy.watch(/^POST .*\/terminate$/);
      await world.client.workflow.getHandle(jobId).terminate();
      await refused.hit(2);
      expire(proxy);
      expect((await world.golem.settled(jobId)).state).toBe('unpaid');
      expect(await world.open()).toMatchObject({ allocations: 0, demands: 0 });

      world.devnet.links.thaw('one');
      await world.devnet.shutDownProvider('one');
      await world.effect('invoice-issued', began);
      const target = { client: world.client, taskQueue: world.taskQueue };
      const found = await reconcile(target);
      expect(found.orphans).toMatchObject([{ kind: 'invoice', jobId, costIs: 'billed' }]);
      expect(found.settlements).toEqual([`${jobId}/settlement`]);
      expect((await world.golem.settled(jobId)).state).toBe('settled');
      await expectAllPaidOnce(world, began);
      expect((await reconcile(target)).orphans).toEqual([]);
    });
  },
);
