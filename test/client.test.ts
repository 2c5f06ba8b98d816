/** What a program that starts and follows jobs relies on, shown with workflows that do as they are told. */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import {
  GolemClient,
  GolemJobError,
  UnknownJobError,
  type JobEvent,
  type JobsPage,
  type ListedJob,
} from '../client';
import type { EventName, NewEvent } from '../model/events';
import { openTemporal, type TestTemporal } from './support/temporal';

let temporal: TestTemporal;
let golem: GolemClient;
let worker: Worker;
let running: Promise<void>;

beforeAll(async () => {
  temporal = await openTemporal();
  golem = new GolemClient({ client: temporal.client });
  worker = await Worker.create({
    connection: temporal.nativeConnection,
    namespace: temporal.namespace,
    taskQueue: 'golem',
    workflowsPath: require.resolve('./support/stand-in-workflows'),
    // As our plugin has it: less than a client waits for an answer.
    stickyQueueScheduleToStartTimeout: '5 s',
  });
  running = worker.run();
});
afterAll(async () => {
  worker.shutdown();
  await running;
  await temporal.close();
});

const handle = (workflowId: string) => temporal.client.workflow.getHandle(workflowId);
const event = (second: number, name: EventName): NewEvent => ({
  name,
  at: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
  details: { second },
});
const tell = (workflowId: string, ...events: NewEvent[]) => handle(workflowId).signal('tell', events);
const names = (events: JobEvent[]) => events.map((one) => one.name);

/** Starts a job whose workflows are there and answer. */
async function startJob(spec: object): Promise<string> {
  const { jobId } = await golem.startJob(spec);
  await handle(jobId).executeUpdate('ready');
  return jobId;
}

async function endAll(jobId: string, children: string[] = []): Promise<void> {
  for (const id of [jobId, ...children]) await handle(id).signal('end', { state: 'done', jobId });
}

test('a job gets an id, and hands back its result', async () => {
  const { jobId, runId } = await golem.startJob({ any: 'spec' }, { memo: { why: 'a test' } });
  expect(jobId).toMatch(/^golem-[0-9a-f-]{36}$/);
  const description = await handle(jobId).describe();
  expect(description).toMatchObject({ type: 'golemJob', taskQueue: 'golem', runId, memo: { why: 'a test' } });
  await endAll(jobId);
  expect(await golem.result(jobId)).toEqual({ state: 'done', jobId });
  await expect(golem.settled(jobId)).rejects.toThrow(/it has no settlement/);
});

test('the id of a running job is not taken', async () => {
  const jobId = `mine-${randomUUID()}`;
  await golem.startJob({}, { jobId });
  await expect(golem.startJob({}, { jobId })).rejects.toMatchObject({ type: 'JobIdInUse', jobId });
  await endAll(jobId);
});

test('a failed job tells the name of its failure, its message and what to do', async () => {
  const { jobId } = await golem.startJob({ fail: 'InvalidJobSpec' });
  const error: unknown = await golem.result(jobId).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(GolemJobError);
  expect(error).toMatchObject({
    type: 'InvalidJobSpec',
    reason: 'tasks: must not be empty',
    message: `job ${jobId}: InvalidJobSpec: tasks: must not be empty`,
    action: expect.stringMatching(/Correct/) as string,
  });
  await expect(golem.settled(jobId)).rejects.toMatchObject({ type: 'InvalidJobSpec' });
});

test('a cancelled or terminated job says so, and cancelling again changes nothing', async () => {
  const cancelled = await startJob({});
  await golem.cancel(cancelled);
  await expect(golem.result(cancelled)).rejects.toMatchObject({ type: 'Cancelled' });
  await golem.cancel(cancelled);
  const terminated = await startJob({});
  await handle(terminated).terminate('enough');
  await expect(golem.result(terminated)).rejects.toMatchObject({ type: 'Terminated' });
});

test('a job that does not exist is named in one line', async () => {
  const message = `there is no job nobody in the namespace ${temporal.namespace}`;
  for (const call of [
    () => golem.result('nobody'),
    () => golem.settled('nobody'),
    () => golem.progress('nobody'),
    () => golem.events('nobody'),
    () => golem.cancel('nobody'),
    () => golem.followEvents('nobody').next(),
  ]) {
    const error: unknown = await call().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnknownJobError);
    expect(error).toMatchObject({ message, jobId: 'nobody' });
  }
});

test('progress carries the money as the settlement knows it', async () => {
  const jobId = await startJob({ settlement: true });
  expect(await golem.progress(jobId)).toMatchObject({ phase: 'running', money: { accepted: '1.25' } });
  await handle(`${jobId}/settlement`).terminate();
  await endAll(jobId);
  const alone = await startJob({});
  expect(await golem.progress(alone)).toMatchObject({ phase: 'validating', money: { accepted: '0' } });
  await endAll(alone);
});

test('a settlement that was terminated is not told as if it was its job', async () => {
  const { jobId } = await golem.startJob({ settlement: true, fail: 'NoProviders' });
  // It may be told before the call that terminates it returns.
  const told = expect(golem.settled(jobId)).rejects.toMatchObject({
    ...{ type: 'SettlementEnded', reason: expect.stringContaining('Terminated') as string },
    action: expect.stringContaining('golem-temporal reconcile') as string,
  });
  await expect(golem.result(jobId)).rejects.toMatchObject({ type: 'NoProviders' });
  await handle(`${jobId}/settlement`).terminate('oops');
  await told;
});

test('settled waits for the job and then for its settlement, even of a failed job', async () => {
  const { jobId } = await golem.startJob({ settlement: true, fail: 'NoProviders' });
  const settled = golem.settled(jobId);
  await expect(golem.result(jobId)).rejects.toMatchObject({ type: 'NoProviders' });
  await handle(`${jobId}/settlement`).signal('end', { state: 'settled', jobId });
  expect(await settled).toEqual({ state: 'settled', jobId });
});

test('jobs are listed page by page, with what they and their settlements tell, also where no worker answers', async () => {
  const jobId = await startJob({ settlement: true });
  const { jobId: failed } = await golem.startJob({ fail: 'NoProviders' });
  await expect(golem.result(failed)).rejects.toMatchObject({ type: 'NoProviders' });
  const nobody = new GolemClient({
    client: temporal.client,
    taskQueue: 'nobody-works-here',
    answerLimitMs: 2_000,
  });
  const { jobId: waiting } = await nobody.startJob({});
  const all = async (): Promise<ListedJob[]> => {
    const pages: JobsPage[] = [await nobody.jobs({ limit: 2 })];
    for (let after = pages[0]?.cursor; after; after = pages.at(-1)?.cursor)
      pages.push(await nobody.jobs({ limit: 2, after }));
    return pages.flatMap(({ jobs }) => jobs);
  };
  const find = async (id: string) => (await all()).find((job) => job.jobId === id);
  // Temporal lists what happens a moment later.
  while (!(await find(waiting)) || (await find(failed))?.status !== 'failed');
  expect(await find(waiting)).toMatchObject({ status: 'running', taskQueue: 'nobody-works-here' });
  expect(await find(waiting)).not.toHaveProperty('phase');
  // Who answers late is left out.
  let told: ListedJob | undefined;
  do told = await find(jobId);
  while (!told?.phase || !told.money);
  expect(told).toMatchObject({
    status: 'running',
    phase: 'running',
    money: { accepted: '1.25' },
  });
  expect(await find(failed)).toMatchObject({
    ...{ status: 'failed', phase: 'failed', closedAt: expect.any(String) as string },
    failure: { type: 'NoProviders', message: 'tasks: must not be empty' },
  });
  const running = (await golem.jobs({ running: true, limit: 1000, details: false })).jobs;
  expect(running.map((job) => job.jobId)).toEqual(expect.arrayContaining([waiting, jobId]));
  expect(running.map((job) => job.jobId)).not.toContain(failed);
  await handle(`${jobId}/settlement`).signal('end', { state: 'settled', jobId, money: { paid: '1.25' } });
  await endAll(jobId);
  while ((await find(jobId))?.settlement !== 'settled');
  expect(await find(jobId)).toMatchObject({ money: { paid: '1.25' } });
  await expect(golem.jobs({ after: 'bm9uc2Vuc2U' })).rejects.toThrow('no cursor');
  await handle(waiting).terminate();
});

describe('events', () => {
  test('of all workflows of a job come in the order of time, page by page', async () => {
    const jobId = await startJob({ settlement: true });
    await handle(jobId).executeUpdate('rent');
    await handle(jobId).executeUpdate('rent');
    const [settlement, one, two] = [`${jobId}/settlement`, `${jobId}/rental/1`, `${jobId}/rental/2`] as const;
    await tell(settlement, event(1, 'AllocationCreated'), event(9, 'InvoiceReceived'));
    await tell(jobId, event(2, 'DemandSubscribed'), event(3, 'ProposalReceived'));
    await tell(one, event(4, 'AgreementCreated'), event(6, 'ActivityCreated'));
    await tell(two, event(5, 'AgreementCreated'));
    const first = await golem.events(jobId, { limit: 4 });
    expect(names(first.events)).toEqual([
      'AllocationCreated',
      'DemandSubscribed',
      'ProposalReceived',
      'AgreementCreated',
    ]);
    expect(first.events.map((told) => told.workflowId)).toEqual([settlement, jobId, jobId, one]);
    const second = await golem.events(jobId, { after: first.cursor });
    expect(names(second.events)).toEqual(['AgreementCreated', 'ActivityCreated', 'InvoiceReceived']);
    expect((await golem.events(jobId, { after: second.cursor })).events).toEqual([]);
    await tell(two, event(7, 'ActivityCreated'));
    const third = await golem.events(jobId, { after: second.cursor });
    expect(third.events).toMatchObject([
      { workflowId: two, name: 'ActivityCreated', details: { second: 7 } },
    ]);
    await endAll(jobId, [settlement, one, two]);
  });

  test('are told once each where a workflow hears of an earlier thing after a later one', async () => {
    const jobId = await startJob({ settlement: true });
    const settlement = `${jobId}/settlement`;
    await tell(
      settlement,
      event(5, 'InvoiceReceived'),
      event(9, 'PaymentAccepted'),
      event(7, 'PaymentConfirmed'),
    );
    await tell(jobId, event(8, 'DemandUnsubscribed'));
    const all = (await golem.events(jobId)).events;
    expect(names(all)).toEqual([
      ...['InvoiceReceived', 'DemandUnsubscribed', 'PaymentAccepted', 'PaymentConfirmed'],
    ]);
    const paged: JobEvent[] = [];
    for (let after: string | undefined; ;) {
      const page = await golem.events(jobId, { after, limit: 1 });
      if (page.events.length === 0) break;
      paged.push(...page.events);
      after = page.cursor;
    }
    expect(paged).toEqual(all);
    await endAll(jobId, [settlement]);
  });

  test.each([
    ['as a new run', undefined],
    ['as a new run which is given none of them', 0],
  ])('are not lost or told twice when a workflow goes on %s', async (_, limitBytes) => {
    const jobId = await startJob({ settlement: true });
    const settlement = `${jobId}/settlement`;
    const goOn = async (): Promise<void> => {
      const { runId } = await handle(settlement).describe();
      await handle(settlement).signal('again', limitBytes);
      await temporal.client.workflow
        .getHandle(settlement, runId, { followRuns: false })
        .result()
        .catch(() => undefined);
    };
    await tell(settlement, event(1, 'AllocationCreated'), event(2, 'DebitNoteReceived'));
    const first = await golem.events(jobId, { limit: 1 });
    await goOn();
    await tell(settlement, event(3, 'InvoiceReceived'));
    await goOn();
    await tell(settlement, event(4, 'PaymentConfirmed'));
    // Whoever has read before reads on, and who comes late reads all.
    for (const [begun, after] of [[first.events, first.cursor], [[]]] as const) {
      const told: JobEvent[] = [...begun];
      for (let cursor = after; ;) {
        const page = await golem.events(jobId, { after: cursor });
        if (page.events.length === 0) break;
        told.push(...page.events);
        ({ cursor } = page);
      }
      expect(names(told)).toEqual([
        ...['AllocationCreated', 'DebitNoteReceived', 'InvoiceReceived', 'PaymentConfirmed'],
      ]);
      expect(told.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    }
    const all: unknown[] = [];
    for await (const { seq } of golem.followEvents(jobId, { untilNow: true })) all.push(seq);
    expect(all).toEqual([1, 2, 3, 4]);
    await endAll(jobId, [settlement]);
  });

  test('of an earlier job with the same id are not mixed in', async () => {
    const jobId = await startJob({ settlement: true });
    const settlement = `${jobId}/settlement`;
    await tell(settlement, event(1, 'AllocationCreated'));
    await endAll(jobId, [settlement]);
    await golem.settled(jobId);
    await golem.startJob({}, { jobId });
    await golem.progress(jobId);
    expect((await golem.events(jobId)).events).toEqual([]);
    await endAll(jobId);
    await expect(golem.settled(jobId)).rejects.toThrow(/no settlement/);
  });

  test('are followed until the job and its settlement are over', async () => {
    const jobId = await startJob({ settlement: true });
    const settlement = `${jobId}/settlement`;
    await tell(jobId, event(1, 'DemandSubscribed'));
    const following = golem.followEvents(jobId);
    expect((await following.next()).value).toMatchObject({ name: 'DemandSubscribed' });
    await endAll(jobId);
    await tell(settlement, event(2, 'PaymentConfirmed'));
    expect((await following.next()).value).toMatchObject({ name: 'PaymentConfirmed' });
    await endAll(settlement);
    expect(await following.next()).toEqual({ done: true, value: undefined });
  });

  test('are asked for once each, however many pages they fill', async () => {
    const jobId = await startJob({ settlement: true });
    await handle(jobId).executeUpdate('rent');
    const ids = [jobId, `${jobId}/settlement`, `${jobId}/rental/1`];
    const each = Array.from({ length: 700 }, (_, i) => i);
    for (const [n, id] of ids.entries())
      await tell(id, ...each.map((i) => event(3 * i + n, 'DebitNoteReceived')));
    await endAll(jobId, ids.slice(1));
    let answered = 0;
    const client = new Client({
      connection: temporal.client.connection,
      namespace: temporal.namespace,
      interceptors: {
        workflow: [
          {
            query: async (input, next) => {
              const answer = await next(input);
              if (input.queryType === 'events') answered += (answer as unknown[]).length;
              return answer;
            },
          },
        ],
      },
    });
    const seconds: unknown[] = [];
    for await (const { details } of new GolemClient({ client }).followEvents(jobId))
      seconds.push(details.second);
    expect(seconds).toEqual(Array.from({ length: ids.length * each.length }, (_, second) => second));
    expect(answered).toBe(seconds.length);
  });

  test('following ends with the signal, and a cursor that is none is refused', async () => {
    const jobId = await startJob({});
    const stop = new AbortController();
    const following = golem.followEvents(jobId, { signal: stop.signal });
    const next = following.next();
    stop.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    await expect(golem.events(jobId, { after: 'nonsense' })).rejects.toThrow(/no cursor/);
    await endAll(jobId);
  });
});

test('a question that no worker is there to answer says so', async () => {
  const idle = new GolemClient({ client: temporal.client, taskQueue: 'nobody-polls', answerLimitMs: 200 });
  const { jobId } = await idle.startJob({});
  await expect(idle.progress(jobId)).rejects.toThrow(
    `${jobId} does not answer: is a golem-temporal worker running`,
  );
  await handle(jobId).terminate();
});

test('connects where the environment says, and closes what it opened', async () => {
  const connected = await GolemClient.connect({ address: temporal.address, namespace: temporal.namespace });
  const { jobId } = await connected.startJob({});
  await endAll(jobId);
  expect(await connected.result(jobId)).toMatchObject({ jobId });
  await connected.close();
});

test.each([
  ['that it has heard of is shown as low', '5', true],
  ['that was raised since is not shown as low', '4', undefined],
])('a budget %s', async (_what, reserved, low) => {
  const jobId = await startJob({ settlement: true, low: { reserved } });
  const { money } = await golem.progress(jobId);
  expect(money).toMatchObject({ reserved: '5', accepted: '1.25' });
  expect(money.low).toBe(low);
  await endAll(jobId, [`${jobId}/settlement`]);
});
