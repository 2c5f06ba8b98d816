/** What a user sees of a job while it goes on: progress, events, and the lines in Temporal's UI. */
import { randomUUID } from 'node:crypto';
import { EVENT_NAMES, type GolemEvent } from '../model/events';
import type { JobEvent } from '../client';
import type { JobProgress, RentalProgress, SettlementProgress } from '../model/result';
import { FaultProxy, type HeldFault } from './support/fault-proxy';
import { startWebServer, type WebServer } from './support/web-server';
import { startWorld, type World } from './support/world';

const APP_KEY = `key-${randomUUID()}`;
const proxy = new FaultProxy();
let world: World;
let web: WebServer;

beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({
    yagnaUrl: (url) => proxy.start(url),
    devnet: { appKeys: [APP_KEY], paymentCycleSec: 0.1 },
  });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
  await web.close();
});
afterEach(() => proxy.clear());

const BASE = { image: 'golem/alpine:latest', budget: '1' };

const query = <T>(workflowId: string, name: string, ...args: unknown[]): Promise<T> =>
  world.client.workflow.getHandle(workflowId).query<T, unknown[]>(name, ...args);

/** What the UI shows of a workflow as its current details. */
async function details(workflowId: string): Promise<string> {
  const metadata = await query<{ currentDetails?: string }>(workflowId, '__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

const id = expect.any(String) as string;
const provider = {
  id: expect.stringMatching(/^0x[0-9a-f]{40}$/) as string,
  name: expect.stringMatching(/^(?!0x)/) as string,
};
const ofAgreement = { agreementId: id, provider };
const amount = {
  amount: expect.stringMatching(/^\d+(\.\d*[1-9])?$/) as string,
  amountPrecise: expect.stringMatching(/^\d+\.\d{18}$/) as string,
};
const pricing = { startPrice: id, cpuPerSec: id, envPerSec: id };
const ofVm = { agreementId: id, activityId: id };

/** All fields of each event; one that is not here must not occur. */
const FIELDS: Partial<Record<GolemEvent['name'], object>> = {
  AllocationCreated: { id, platform: 'erc20-holesky-tglm', ...amount },
  DemandSubscribed: { id, mark: id, expiration: id },
  ProposalReceived: { id, provider, details: expect.any(Object) as object },
  ProposalResponded: { id, counteringProposalId: id, provider },
  ProposalRejected: { id, provider, reason: id },
  AgreementCreated: { id, proposalId: id, provider, validTo: id },
  AgreementConfirmed: { id, provider, approvedDate: id, pricing },
  AgreementRejected: { id, proposalId: id, provider, reason: id },
  ActivityCreated: { id, ...ofAgreement },
  ActivityStateChanged: { id, ...ofAgreement, state: id },
  ScriptSent: { ...ofVm, batchId: id },
  ScriptExecuted: { ...ofVm, batchId: id, success: expect.any(Boolean) as boolean },
  DebitNoteReceived: { id, activityId: id, ...ofAgreement, ...amount },
  DebitNoteAccepted: { id, activityId: id, ...ofAgreement, ...amount },
  InvoiceReceived: { id, ...ofAgreement, ...amount },
  PaymentAccepted: { id, ...ofAgreement, ...amount },
  PaymentConfirmed: { id, ...ofAgreement, ...amount },
  ActivityDestroyed: { id, ...ofAgreement },
  AgreementTerminated: { id, provider, reason: id, terminator: 'Requestor' },
  DemandUnsubscribed: { id },
  AllocationReleased: { id, ...amount },
};

function expectFields(events: readonly JobEvent[]): void {
  for (const { name, details: told } of events) {
    // An answer to a counter-proposal of ours says to which.
    const more = name === 'ProposalReceived' && told.parentId !== undefined ? { parentId: id } : {};
    // A script that brings a VM up is of no task.
    const ofTask = name === 'ScriptSent' && told.task !== undefined ? { task: id } : {};
    expect([name, told]).toEqual([name, { ...FIELDS[name], ...more, ...ofTask }]);
  }
}

/** Waits until a request is held, looks, and lets it go on. */
async function at(held: HeldFault, look: () => Promise<void>): Promise<void> {
  await held.reached;
  await look();
  held.release();
}

test('progress tells phase, tasks, rentals and money, from the check of the spec to the last payment', async () => {
  const me = proxy.hold(/^GET \/me$/);
  const reserve = proxy.hold(/^POST .*\/allocations$/);
  const subscribe = proxy.hold(/^POST .*\/demands$/);
  const confirm = proxy.hold(/^POST .*\/confirm$/);
  const create = proxy.hold(/^POST .*\/activity$/);
  const exec = proxy.hold(/^POST .*\/exec$/);
  const unsubscribe = proxy.hold(/^DELETE .*\/demands\//);
  const destroy = proxy.hold(/^DELETE .*\/activity\//);
  const pay = proxy.hold(/^POST .*\/invoices\/.*\/accept$/);
  const door = web.door();

  const { jobId } = await world.golem.startJob({
    ...BASE,
    tasks: [{ name: 'knock', commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }] }],
  });
  const job = (): Promise<JobProgress> => query(jobId, 'progress');
  const rental = (): Promise<RentalProgress> => query(`${jobId}/rental/1`, 'progress');
  const settlement = (): Promise<SettlementProgress> => query(`${jobId}/settlement`, 'progress');
  const counts = { total: 1, waiting: 0, running: 0, done: 0, failed: 0 };
  const noMoney = { budget: '1', reserved: '0', accepted: '0', paid: '0', platform: 'erc20-holesky-tglm' };

  await at(me, async () => {
    expect(await job()).toMatchObject({ jobId, phase: 'validating', tasks: { total: 0 }, rentals: [] });
  });
  await at(reserve, async () => {
    const tasks = { ...counts, waiting: 1 };
    expect(await job()).toMatchObject({ phase: 'reserving', tasks, money: noMoney, rentals: [] });
    expect(await settlement()).toMatchObject({ jobId, phase: 'reserving', agreements: [] });
  });
  await at(subscribe, async () => {
    expect(await job()).toMatchObject({ phase: 'negotiating', money: { ...noMoney, reserved: '1' } });
    expect(await settlement()).toMatchObject({ phase: 'open', allocationId: expect.any(String) as string });
    expect(await details(jobId)).toMatch(/\*\*negotiating\*\*.*0 of 1 done/);
  });
  const provider = { id: expect.stringMatching(/^0x[0-9a-f]{40}$/) as string, name: 'cheap-and-slow' };
  const begun = { n: 1, workflowId: `${jobId}/rental/1`, provider, tasksDone: 0 };
  await at(confirm, async () => {
    expect(await job()).toMatchObject({ phase: 'running', rentals: [{ ...begun, state: 'signing' }] });
    expect(await rental()).toMatchObject({ ...begun, state: 'signing' });
  });
  await at(create, async () => {
    const agreementId = expect.stringMatching(/^[0-9a-f]{64}$/) as string;
    // The job is told while the request is made.
    while ((await job()).rentals[0]?.state === 'signing');
    expect((await job()).rentals).toMatchObject([{ ...begun, state: 'creating', agreementId }]);
  });
  await at(exec, async () => {
    const activityId = expect.stringMatching(/^[0-9a-f]{32}$/) as string;
    expect(await rental()).toMatchObject({ ...begun, state: 'deploying', activityId });
    // It hears of it when that takes more than a moment.
    expect((await job()).rentals).toMatchObject([{ ...begun, state: 'creating' }]);
  });
  await door.knocked;
  expect(await job()).toMatchObject({
    ...{ phase: 'running', tasks: { ...counts, running: 1 } },
    rentals: [{ ...begun, currentTask: 'knock' }],
  });
  expect(await rental()).toMatchObject({ state: 'busy', currentTask: 'knock' });
  expect(await details(jobId)).toMatch(/1 running[^]*- cheap-and-slow: .*task knock/);
  expect(await details(`${jobId}/rental/1`)).toMatch(/cheap-and-slow: busy, task knock, 0 done/);
  door.open();
  await at(unsubscribe, async () => {
    expect(await job()).toMatchObject({ phase: 'closing', tasks: { ...counts, done: 1 } });
  });
  expect((await world.golem.result(jobId)).state).toBe('done');
  expect(await job()).toMatchObject({ phase: 'done', rentals: [{ tasksDone: 1 }] });
  await destroy.reached;
  expect(await rental()).toMatchObject({ state: 'closing', tasksDone: 1 });
  destroy.release();
  await at(pay, async () => {
    const { agreements } = await settlement();
    expect(agreements).toMatchObject([{ provider, state: 'open', paid: '0' }]);
    expect(await details(`${jobId}/settlement`)).toMatch(/budget 1 [^]*- cheap-and-slow: open/);
  });
  const settled = await world.golem.settled(jobId);
  expect(settled.money).toMatchObject({ budget: '1', accepted: settled.money.paid });
  expect(settled.money.paid).not.toBe('0');
  expect(await rental()).toMatchObject({ state: 'closed' });
  expect(await settlement()).toMatchObject({
    ...{ phase: 'settled', money: settled.money },
    agreements: [{ provider, state: 'settled', accepted: settled.money.paid, paid: settled.money.paid }],
  });
  // The client adds what the settlement knows better.
  expect((await world.golem.progress(jobId)).money).toEqual(settled.money);
});

test('the last failure says what went wrong, by its name', async () => {
  const door = web.door();
  const { jobId } = await world.golem.startJob({
    ...BASE,
    tasks: [
      { name: 'wrong', commands: ['exit 7'], maxAttempts: 1 },
      { name: 'slow', commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }] },
    ],
  });
  await door.knocked;
  for await (const event of world.golem.followEvents(jobId)) {
    if (event.name === 'ScriptExecuted' && event.details.success === false) break;
  }
  const failed = async (): Promise<JobProgress> => {
    const progress = await world.golem.progress(jobId);
    return progress.tasks.failed === 1 ? progress : failed();
  };
  expect((await failed()).lastFailure).toMatchObject({
    type: 'CommandFailed',
    message: expect.stringMatching(/^wrong: .*exited with code 7/) as string,
    at: expect.any(String) as string,
  });
  door.open();
  expect((await world.golem.result(jobId)).state).toBe('failed');
});

test('an allocation that somebody releases while providers are looked for ends the job by its name', async () => {
  const decorations = proxy.hold(/^GET .*\/demandDecorations$/);
  const { jobId } = await world.golem.startJob({ ...BASE, tasks: ['echo hello'] });
  await decorations.reached;
  const { allocationId } = await query<SettlementProgress>(`${jobId}/settlement`, 'progress');
  await fetch(`${world.devnet.url}/payment-api/v1/allocations/${allocationId}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${APP_KEY}` },
  });
  decorations.release();
  await expect(world.golem.result(jobId)).rejects.toMatchObject({
    type: 'BudgetExhausted',
    message: expect.stringContaining('released before its time') as string,
  });
  expect((await world.golem.settled(jobId)).state).toBe('settled');
});

test('an agreement that the provider rejects is told, and another is made', async () => {
  const spec = {
    ...BASE,
    providers: { select: 'fastest' },
    demand: { minCpuThreads: 8, offerFetchingIntervalSec: 1 },
  };
  // Two jobs have a draft of the only place that is left; the one that signs later is rejected.
  const door = web.door();
  const busy = { commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }] };
  const confirm = proxy.hold(/^POST .*\/confirm$/, { times: 1 });
  const late = await world.golem.startJob({
    ...spec,
    pricing: { maxCpuPerHour: '0.05' },
    tasks: ['echo late'],
  });
  await confirm.reached;
  const early = await world.golem.startJob({ ...spec, pricing: { maxCpuPerHour: '0.05' }, tasks: [busy] });
  await door.knocked;
  confirm.release();
  const created: unknown[] = [];
  for await (const event of world.golem.followEvents(late.jobId)) {
    if (event.name === 'AgreementCreated') created.push(event.details.id);
    if (event.name !== 'AgreementRejected') continue;
    expect(event.details).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      proposalId: expect.stringMatching(/^R-/) as string,
      provider: { id: expect.any(String) as string, name: 'pay-to-enter' },
      reason: 'the agreement is Rejected',
    });
    expect(created).toContain(event.details.id);
    break;
  }
  door.open();
  expect((await world.golem.result(early.jobId)).state).toBe('done');
  expect((await world.golem.result(late.jobId)).state).toBe('done');
  await world.golem.settled(late.jobId);
  expectFields((await world.golem.events(late.jobId)).events);
});

describe('the events of a job', () => {
  let jobId: string;
  let followed: JobEvent[];

  beforeAll(async () => {
    jobId = (await world.golem.startJob({ ...BASE, tasks: ['echo one', 'echo two'] })).jobId;
    followed = [];
    for await (const event of world.golem.followEvents(jobId)) followed.push(event);
  });

  const named = (name: string): JobEvent[] => followed.filter((event) => event.name === name);

  test('are followed until everything is settled', async () => {
    const { status } = await world.client.workflow.getHandle(`${jobId}/settlement`).describe();
    expect(status.name).toBe('COMPLETED');
    expect(followed.at(-1)?.name).toBe('AllocationReleased');
  });

  test('come in the order in which things happened', async () => {
    // Those of several workflows in one answer; what is followed comes as each of them tells.
    const { events } = await world.golem.events(jobId);
    const first = (name: string): number => events.findIndex((event) => event.name === name);
    const order = [
      ...['AllocationCreated', 'DemandSubscribed', 'ProposalReceived', 'ProposalResponded'],
      ...['AgreementCreated', 'AgreementConfirmed', 'ActivityCreated', 'ScriptSent', 'ScriptExecuted'],
      ...['ActivityDestroyed', 'AgreementTerminated', 'InvoiceReceived', 'PaymentAccepted'],
      ...['PaymentConfirmed', 'AllocationReleased'],
    ];
    const places = order.map(first);
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    const times = followed.map((event) => Date.parse(event.at));
    for (const event of followed) expect(EVENT_NAMES).toContain(event.name);
    expect(times.every((time) => Number.isFinite(time))).toBe(true);
  });

  test('are complete: each thing that happened on yagna is told once', async () => {
    expect(named('AllocationCreated')).toHaveLength(1);
    expect(named('DemandSubscribed')).toHaveLength(named('DemandUnsubscribed').length);
    const agreements = new Set(named('AgreementConfirmed').map((event) => event.details.id));
    for (const name of ['AgreementCreated', 'ActivityCreated', 'ActivityDestroyed', 'AgreementTerminated']) {
      expect(named(name)).toHaveLength(agreements.size);
    }
    for (const { details: created } of named('ActivityCreated')) {
      const changes = named('ActivityStateChanged').filter((event) => event.details.id === created.id);
      expect(changes.map((event) => event.details.state)).toEqual(['Initialized', 'Ready', 'Terminated']);
    }
    for (const name of ['InvoiceReceived', 'PaymentAccepted', 'PaymentConfirmed']) {
      expect(new Set(named(name).map((event) => event.details.agreementId))).toEqual(agreements);
      expect(named(name)).toHaveLength(agreements.size);
    }
    expect(named('ScriptSent')).toHaveLength(agreements.size + 2);
    const tasks = named('ScriptSent').flatMap(({ details }) => details.task ?? []);
    expect(tasks.sort()).toEqual(['task-1', 'task-2']);
    expect(named('ScriptExecuted')).toHaveLength(agreements.size + 2);
    expect(named('DebitNoteAccepted')).toHaveLength(named('DebitNoteReceived').length);
  });

  test('an offer is shown with the fields of the guide', () => {
    const [offer] = named('ProposalReceived').filter(
      (event) => (event.details.provider as { name: string }).name === 'big-iron',
    );
    expect(offer?.details).toEqual({
      id: expect.any(String) as string,
      provider: { id: expect.any(String) as string, name: 'big-iron' },
      details: {
        ...{ transferProtocol: ['http', 'https', 'file'], cpuBrand: 'Devnet Xeon' },
        ...{ cpuCapabilities: ['sse3', 'avx'], cpuCores: 16, cpuThreads: 32, memory: 64, storage: 500 },
        ...{ publicNet: false, runtimeName: 'vm', state: 'Initial' },
        runtimeCapabilities: ['inet', 'vpn', 'manifest-support', 'start-entrypoint'],
      },
    });
    const drafts = named('ProposalReceived').filter((event) => event.details.parentId !== undefined);
    const counters = named('ProposalResponded').map((event) => event.details.id);
    expect(drafts.length).toBeGreaterThan(0);
    for (const { details: draft } of drafts) {
      expect(counters).toContain(draft.parentId);
      expect(draft.details).toMatchObject({ state: 'Draft' });
    }
  });

  test('carry ids, providers, and amounts short and with 18 digits', () => {
    expectFields(followed);
    for (const { details: told } of followed) {
      if (told.amount === undefined) continue;
      expect(told.amount).toMatch(/^\d+(\.\d*[1-9])?$/);
      expect(told.amountPrecise).toMatch(/^\d+\.\d{18}$/);
      expect(Number(told.amountPrecise)).toBe(Number(told.amount));
    }
  });

  test('page by page, they are the same, without gaps or repeats', async () => {
    const paged: JobEvent[] = [];
    for (let after: string | undefined; ;) {
      const page = await world.golem.events(jobId, { after, limit: 3 });
      if (page.events.length === 0) break;
      expect(page.events.length).toBeLessThanOrEqual(3);
      paged.push(...page.events);
      after = page.cursor;
    }
    const key = (event: JobEvent): string => `${event.workflowId} ${event.seq}`;
    expect(paged.map(key).sort()).toEqual(followed.map(key).sort());
    expect(new Set(paged.map(key)).size).toBe(paged.length);
    const all = (await world.golem.events(jobId)).events;
    expect(all.map(key)).toEqual(paged.map(key));
  });

  test('can be asked of each workflow by position', async () => {
    const all = await query<GolemEvent[]>(`${jobId}/settlement`, 'events');
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1));
    expect(await query(`${jobId}/settlement`, 'events', { after: 1, limit: 2 })).toEqual(all.slice(1, 3));
  });
});

test('a demand that is ended for a new one is told, too', async () => {
  // The first attempt's demand is there, although nobody heard so; the second makes one of its own.
  const lost = proxy.cutAfter(/^POST .*\/demands$/);
  const { jobId } = await world.golem.startJob({ ...BASE, tasks: ['echo hello'] });
  const unheard = JSON.parse((await lost.hit()).answer?.body ?? '') as string;
  await world.golem.settled(jobId);
  const { events } = await world.golem.events(jobId);
  const ids = (name: string): unknown[] =>
    events.filter((event) => event.name === name).map(({ details: told }) => told.id);
  expect(ids('DemandUnsubscribed')).toEqual([unheard, ...ids('DemandSubscribed')]);
});

test('what was ended without an answer is told when it is tried again', async () => {
  const lost = proxy.cutAfter(/^POST .*\/terminate$/);
  const { jobId } = await world.golem.startJob({ ...BASE, tasks: ['echo hello'] });
  await lost.hit();
  await world.golem.settled(jobId);
  const { events } = await world.golem.events(jobId);
  for (const name of ['ActivityDestroyed', 'AgreementTerminated']) {
    expect(events.filter((event) => event.name === name)).toHaveLength(1);
  }
  expectFields(events);
});

test('events that are read while the job goes on are those that are read at its end', async () => {
  const door = web.door();
  const { jobId } = await world.golem.startJob({
    ...BASE,
    tasks: [
      { name: 'knock', commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }], maxAttempts: 1 },
      'echo beside',
    ],
  });
  await door.knocked;
  const early = await world.golem.events(jobId);
  expect(early.events.map(({ name }) => name)).toContain('ScriptSent');
  door.open();
  await world.golem.result(jobId);
  const middle = await world.golem.events(jobId, { after: early.cursor });
  await world.golem.settled(jobId);
  const late = await world.golem.events(jobId, { after: middle.cursor });
  const key = (event: JobEvent): string => `${event.workflowId} ${event.seq} ${event.name}`;
  const parts = [...early.events, ...middle.events, ...late.events].map(key);
  expect(new Set(parts).size).toBe(parts.length);
  expect(parts.sort()).toEqual((await world.golem.events(jobId)).events.map(key).sort());
});

test('the app key is in no history and in nothing that can be asked', async () => {
  const { jobId } = await world.golem.startJob({ ...BASE, tasks: ['exit 1', 'echo hello'] });
  await world.golem.settled(jobId);
  const rentals = (await world.golem.progress(jobId)).rentals.map(({ workflowId }) => workflowId);
  expect(rentals.length).toBeGreaterThan(1);
  for (const workflowId of [jobId, `${jobId}/settlement`, ...rentals]) {
    const handle = world.client.workflow.getHandle(workflowId);
    const history = await handle.fetchHistory();
    const description = (await handle.describe()).raw;
    const texts = textsOf([history, description]).join('\n');
    expect(texts).toContain(jobId);
    expect(texts).not.toContain(APP_KEY);
    const answers = [await query(workflowId, 'progress'), await query(workflowId, 'events')];
    expect(JSON.stringify(answers)).not.toContain(APP_KEY);
  }
});

/** Everything readable in a protobuf message; payloads are bytes. */
function textsOf(value: unknown): string[] {
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('latin1')];
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}
