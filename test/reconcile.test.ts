/**
 * What is left when even a job's settlement is gone: reconcile finds it by its mark, whoever is dead, and closes it as
 * the settlement would have. What is somebody else's, or looked after, it does not touch.
 */
import { randomUUID } from 'node:crypto';
import { allocationTimeout } from '../activities/marks';
import { reconcile } from '../client';
import type { ReconcileInput, ReconcileResult } from '../model/reconcile';
import { PLATFORM, Requestor } from './support/devnet-requestor';
import { brokenNetwork } from './support/broken-network';
import type { Gate } from './support/gate';
import { expectAllPaidOnce, since } from './support/proof';
import { terminateAll, untilListed } from './support/workflow-ends';
import { NOTHING_OPEN, type World } from './support/world';

let world: World;
let gate: Gate;
let began: number;

const proxy = brokenNetwork(
  {
    // Settlements wait so long for requests that somebody who was ended may have on the way.
    env: { GOLEM_REQUEST_TIMEOUT_SEC: '3' },
    devnet: {
      paymentCycleSec: 0.1,
      providers: [
        // Slow enough that each step can be interrupted while it is under way.
        ...['one', 'two'].map((name) => ({
          ...{ name, approveSec: 0.05, createSec: 0.05, deploySec: 0.05, destroySec: 0.05 },
        })),
        { name: 'theirs', subnet: 'theirs', agreementLimit: 5 },
      ],
    },
  },
  (network) => {
    ({ world, gate, began } = network);
  },
);

const JOB = { image: 'golem/alpine:latest', budget: '1' };
const NOTHING_FOUND = { orphans: [], more: 0, settlements: [] };

const look = (input: ReconcileInput = {}): Promise<ReconcileResult> =>
  reconcile({ client: world.client, taskQueue: world.taskQueue }, input);

/** A job whose task waits for ever, in a VM. */
async function runningJob(jobId?: string): Promise<string> {
  const job = await world.golem.startJob({ ...JOB, tasks: [{ commands: [gate.command] }] }, { jobId });
  await gate.visitor();
  await untilListed(world.client, job.jobId);
  return job.jobId;
}

const ALL = ['/settlement', '', '/rental/1'];

const terminate = (jobId: string, parts: string[]): Promise<void> =>
  terminateAll(
    world.client,
    parts.map((part) => jobId + part),
  );

const kinds = ({ orphans }: ReconcileResult): string[] => orphans.map(({ kind }) => kind).sort();

async function expectClosed(found: ReconcileResult, settlement: string): Promise<void> {
  expect(found.settlements).toEqual([settlement]);
  const { state } = (await world.client.workflow.getHandle(settlement).result()) as { state: string };
  expect(state).toBe('settled');
  await expectAllPaidOnce(world, began);
  expect(await look({ olderThanSec: 0 })).toEqual(NOTHING_FOUND);
}

test('nothing is left over while a job runs, nor when it has ended well', async () => {
  const jobId = await runningJob();
  expect(await look({ olderThanSec: 0 })).toEqual(NOTHING_FOUND);
  gate.open();
  await world.golem.settled(jobId);
  expect(await look({ olderThanSec: 0 })).toEqual(NOTHING_FOUND);
});

test('what a job left that was terminated with all that is its own is listed, and closed and paid', async () => {
  const jobId = await runningJob();
  await terminate(jobId, ALL);

  const open = await world.open();
  const listed = await look({ dryRun: true });
  expect(kinds(listed)).toEqual(['agreement', 'allocation', 'demand', 'golemActivity']);
  expect(listed.settlements).toEqual([]);
  for (const orphan of listed.orphans) {
    expect(orphan).toMatchObject({ jobId, ageSec: expect.any(Number) as number });
    expect(orphan.left).toBeUndefined();
  }
  const of = (kind: string) => listed.orphans.find((orphan) => orphan.kind === kind);
  expect(of('allocation')).toMatchObject({ cost: '1', costIs: 'reserved' });
  expect(of('agreement')).toMatchObject({ costIs: 'atMost' });
  expect(Number(of('agreement')?.cost)).toBeGreaterThan(0);
  expect(await world.open()).toEqual(open);

  const found = await look();
  expect(kinds(found)).toEqual(kinds(listed));
  await expectClosed(found, `${jobId}/settlement`);
  expect((await world.golem.settled(jobId)).money).toMatchObject({ budget: '1', reserved: '1' });
});

test.each([
  'allocation-created',
  'demand-created',
  'proposal-countered',
  'agreement-created',
  'agreement-confirmed',
  'agreement-approved',
  'activity-created',
  'script-started',
])('terminated with all that is its own at %s, a job leaves nothing that is not closed', async (step) => {
  const { jobId } = await world.golem.startJob({ ...JOB, tasks: [{ commands: [gate.command] }] });
  await world.effect(step, began);
  // Its rental may not be there yet.
  await Promise.all(ALL.map((part) => terminate(jobId, [part]).catch(() => undefined)));
  await untilListed(world.client, jobId);
  await expectClosed(await look(), `${jobId}/settlement`);
});

test('a rental that still runs when its job and the settlement are gone is closed, too', async () => {
  const jobId = await runningJob();
  await terminate(jobId, ['/settlement', '']);
  await expectClosed(await look(), `${jobId}/settlement`);
  const rental = world.client.workflow.getHandle(`${jobId}/rental/1`);
  await rental.result();
});

test('nor is it steered by a new job of that id, which ends by the name JobIdInUse', async () => {
  const jobId = await runningJob();
  await terminate(jobId, ['/settlement', '']);
  await world.golem.startJob({ ...JOB, tasks: ['true'] }, { jobId });
  await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'JobIdInUse' });
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  const rental = world.client.workflow.getHandle(`${jobId}/rental/1`);
  expect(await rental.query('progress')).toMatchObject({ state: 'busy' });
  await terminate(jobId, ['/rental/1']);
  const { settlements } = await look();
  await Promise.all(settlements.map((id) => world.client.workflow.getHandle(id).result()));
  await expectAllPaidOnce(world, began);
});

test('two at once start one settlement, and nothing is paid twice', async () => {
  const jobId = await runningJob();
  await terminate(jobId, ALL);
  const both = await Promise.all([look(), look()]);
  // The slower one may see that it is looked after again.
  const settlements = [...new Set(both.flatMap((found) => found.settlements))];
  await expectClosed({ ...NOTHING_FOUND, settlements }, `${jobId}/settlement`);
});

test('a settlement that took over may be terminated as well', async () => {
  const jobId = await runningJob();
  await terminate(jobId, ALL);
  const hold = proxy.hold(/^(POST .*\/terminate|DELETE .*\/activity\/\w+)$/);
  await look();
  await hold.reached;
  await terminate(jobId, ['/settlement']);
  hold.release();
  await expectClosed(await look(), `${jobId}/settlement`);
});

test('while a job runs, what is its own is left to it, even without its settlement', async () => {
  const jobId = await runningJob();
  // It ends for want of its settlement, and that is held up.
  const ending = proxy.hold(/^DELETE .*\/demands\/\S+$/);
  await terminate(jobId, ['/settlement']);
  await ending.reached;
  expect((await look({ olderThanSec: 0 })).orphans).toEqual([]);
  ending.release();
  await expect(world.golem.result(jobId)).rejects.toThrow();
  await expectClosed(await look(), `${jobId}/settlement`);
});

test('an agreement that was created and never signed is ended', async () => {
  const held = proxy.hold(/^POST .*\/agreements\/\w+\/confirm$/);
  const { jobId } = await world.golem.startJob({ ...JOB, tasks: ['true'] });
  await held.reached;
  await untilListed(world.client, jobId);
  await terminate(jobId, ALL);
  await world.worker.kill();
  proxy.clear();
  await world.startWorker();
  const found = await look();
  expect(kinds(found)).toEqual(['agreement', 'allocation', 'demand']);
  expect(found.orphans.find(({ kind }) => kind === 'agreement')).toMatchObject({ costIs: 'nothing' });
  await expectClosed(found, `${jobId}/settlement`);
});

async function firstRun(jobId: string): Promise<{ firstExecutionRunId: string }> {
  const { raw, runId } = await world.client.workflow.getHandle(jobId).describe();
  return { firstExecutionRunId: raw.workflowExecutionInfo?.firstRunId || runId };
}

test('a later job with the same id is not touched, and the earlier one is closed beside it', async () => {
  const jobId = `again-${randomUUID()}`;
  await runningJob(jobId);
  const { firstExecutionRunId: earlier } = await firstRun(jobId);
  await terminate(jobId, ALL);
  await world.golem.startJob({ ...JOB, tasks: [{ commands: [gate.command] }] }, { jobId });
  await gate.visitor(2);
  const found = await look();
  expect(found.settlements).toEqual([`${earlier}/settlement`]);
  await world.client.workflow.getHandle(`${earlier}/settlement`).result();
  gate.open();
  expect((await world.golem.result(jobId)).state).toBe('done');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  await expectAllPaidOnce(world, began);
});

test('an allocation that alone is left is found by the settlement that ran when it was made', async () => {
  const release = proxy.answer(/^DELETE .*\/allocations\/\S+$/, 500, { message: 'no' }, { times: Infinity });
  const { jobId } = await world.golem.startJob({ ...JOB, tasks: ['true'] });
  await release.hit();
  await terminate(jobId, ['/settlement']);
  // A release that had begun by then must not succeed either.
  const found = await look();
  release.stop();
  expect(kinds(found)).toEqual(['allocation']);
  await expectClosed(found, `${jobId}/settlement`);
});

describe('of a job that Temporal has forgotten', () => {
  let theJob: { owner: string; jobUuid: string };
  let yagna: Requestor;

  /** As its job would have made it: an allocation, a demand, and an agreement with its VM. */
  async function leftover(): Promise<{ agreementId: string; demandId: string }> {
    const { namespace } = world.client.options;
    const { namespaceInfo } = await world.client.workflowService.describeNamespace({ namespace });
    theJob = { owner: namespaceInfo?.id ?? '', jobUuid: randomUUID() };
    yagna = new Requestor(world.devnet.url, world.devnet.appKey, world.devnet.adminUrl);
    const endsAtSec = Math.floor(Date.now() / 1000) + 86_400;
    await yagna.post('/payment-api/v1/allocations', {
      ...{ totalAmount: '1', paymentPlatform: PLATFORM, timeout: allocationTimeout(theJob, endsAtSec) },
    });
    const marked = { 'golem.temporal.mark': `${theJob.owner}/${theJob.jobUuid}/1` };
    const demandId = await yagna.subscribe(yagna.terms(marked));
    const agreementId = await yagna.rent(`${theJob.owner}/${theJob.jobUuid}`, marked);
    await yagna.createActivity(agreementId);
    return { agreementId, demandId };
  }

  test('everything is closed and paid, once it is old enough', async () => {
    await leftover();
    expect(await look()).toEqual(NOTHING_FOUND);
    const found = await look({ olderThanSec: 0 });
    expect(kinds(found)).toEqual(['agreement', 'allocation', 'demand', 'golemActivity']);
    for (const orphan of found.orphans) expect(orphan).toMatchObject({ jobUuid: theJob.jobUuid });
    expect(found.orphans[0]?.jobId).toBeUndefined();
    await expectClosed(found, `${theJob.jobUuid}/settlement`);
  });

  test('an allocation that alone is left is found by the agreement that came after it', async () => {
    const { agreementId, demandId } = await leftover();
    await yagna.delete(`/market-api/v1/demands/${demandId}`);
    await yagna.terminate(agreementId);
    const { invoiceId } = (await yagna.firstEvent('invoice', `${theJob.owner}/${theJob.jobUuid}`)) as {
      invoiceId: string;
    };
    const { amount } = (await yagna.get(`/payment-api/v1/invoices/${invoiceId}`)).json as { amount: string };
    const [{ allocationId }] = (await yagna.get('/payment-api/v1/allocations')).json as [
      { allocationId: string },
    ];
    const acceptance = { totalAmountAccepted: amount, allocationId };
    await yagna.post(`/payment-api/v1/invoices/${invoiceId}/accept`, acceptance);
    await world.effect('invoice-settled', began);
    const found = await look({ olderThanSec: 0 });
    expect(found.orphans).toMatchObject([{ kind: 'allocation', id: allocationId, costIs: 'reserved' }]);
    await expectClosed(found, `${theJob.jobUuid}/settlement`);
  });
});

describe('an invoice that nobody decided', () => {
  /** Yagna shows no invoice of anybody. */
  function hideInvoices(): () => void {
    const faults = [/^GET .*\/invoiceEvents$/, /^GET .*\/invoices$/].map((call) =>
      proxy.rewrite(call, () => []),
    );
    return () => {
      for (const fault of faults) fault.stop();
    };
  }

  test('because it came after its settlement had given up is paid, from a new allocation of that size', async () => {
    const show = hideInvoices();
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: ['true'], invoiceWaitSec: 1 });
    expect((await world.golem.settled(jobId)).state).toBe('unpaid');
    show();
    const found = await look();
    expect(kinds(found)).toEqual(['invoice']);
    const [invoice] = (await since(world, began)).of('invoice-issued');
    expect(found.orphans[0]).toMatchObject({
      jobId,
      cost: String(Number(invoice?.amount)),
      costIs: 'billed',
    });
    await expectClosed(found, `${jobId}/settlement`);
    expect((await world.golem.settled(jobId)).money).toMatchObject({
      budget: '1',
      paid: found.orphans[0]?.cost,
    });
  });

  test('because nothing could be paid is tried once more, and then listed as it is', async () => {
    const refusals = proxy.answer(
      ...([/^POST .*\/invoices\/\S+\/accept$/, 400, { message: 'Not enough funds. Allocated: 1' }] as const),
      { times: Infinity },
    );
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: ['true'] });
    expect((await world.golem.settled(jobId)).state).toBe('unpaid');
    expect((await look()).settlements).toEqual([`${jobId}/settlement`]);
    expect((await world.golem.settled(jobId)).state).toBe('unpaid');
    const again = await look();
    expect(again.settlements).toEqual([]);
    expect(again.orphans).toMatchObject([
      { kind: 'invoice', jobId, left: 'a settlement has tried to pay it, and could not' },
    ]);
    expect(await world.open()).toEqual(NOTHING_OPEN);
    refusals.stop();
  });
});

test("whatever is somebody else's is not touched", async () => {
  const others = new Requestor(world.devnet.url, world.devnet.appKey, world.devnet.adminUrl);
  const mark = (owner: string) => ({ 'golem.temporal.mark': `${owner}/${randomUUID()}/1` });
  const inTheirs = { 'golem.node.debug.subnet': 'theirs' };
  // As golem-js makes them, and as another installation of this package does on the same yagna.
  for (const properties of [inTheirs, { ...inTheirs, ...mark('somebody-else') }]) {
    await others.subscribe(others.terms(properties));
    await others.createActivity(await others.rent('session', properties));
  }
  await others.allocate('2');
  for (const micros of ['000001', '123456', '999999']) {
    await others.post('/payment-api/v1/allocations', {
      ...{ totalAmount: '1', paymentPlatform: PLATFORM, timeout: `2099-01-01T00:00:00.${micros}Z` },
    });
  }
  const theirs = await world.open();
  expect(theirs).toEqual({ allocations: 4, demands: 2, agreements: 2, activities: 2 });

  const jobId = await runningJob();
  await terminate(jobId, ALL);
  const { orphans } = await look({ olderThanSec: 0 });
  const ours = orphans.filter(({ left }) => left === undefined);
  expect(ours).toHaveLength(4);
  for (const orphan of ours) expect(orphan.jobId).toBe(jobId);
  await world.golem.settled(jobId);
  expect(await world.open()).toEqual(theirs);
});
