/** A settlement looks at yagna when there is news of its own job, not of the others on the same connection. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Connections } from '../activities';
import type { SettlementNews, WatchSettlementInput } from '../activities/contract';
import { settlementWatchActivities } from '../activities/watch-settlement';
import { startDevnet, type Devnet } from '../devnet';
import { Requestor } from './support/devnet-requestor';
import { FaultProxy, type Fault } from './support/fault-proxy';
import { respond, startFakeYagna } from './support/recorded-yagna';
import { temporalAddress } from './support/temporal';

const proxy = new FaultProxy();
let devnet: Devnet;
let requestor: Requestor;
let connections: Connections;

beforeAll(async () => {
  devnet = await startDevnet({ providers: [{ name: 'one', agreementLimit: 2 }] });
  requestor = new Requestor(devnet.url, devnet.appKey);
  const url = await proxy.start(devnet.url);
  connections = new Connections({ YAGNA_APPKEY: devnet.appKey, YAGNA_API_URL: url });
});
afterAll(async () => {
  await proxy.close();
  await devnet?.close();
});

interface Rented {
  agreementId: string;
  activityId: string;
}

interface Watched extends Rented {
  news: Promise<SettlementNews>;
  /** Looks at the job's invoice events, of which there is one each time. */
  looks: Fault;
}

/** A job with an agreement and a VM. */
async function rented(jobUuid: string): Promise<Rented> {
  const session = `owner/${jobUuid}`;
  const agreementId = await requestor.rent(session, { 'golem.temporal.mark': `${session}/1` });
  return { agreementId, activityId: await requestor.createActivity(agreementId) };
}

/** One whose settlement is watched and has looked once. */
async function watched(
  jobUuid: string,
  more: Partial<WatchSettlementInput> = {},
  rental?: Rented,
): Promise<Watched> {
  const session = `owner/${jobUuid}`;
  const { agreementId, activityId } = rental ?? (await rented(jobUuid));
  const looks = proxy.watch(/^GET .*\/invoiceEvents$/, {
    when: ({ query }) => query.get('appSessionId') === session,
  });
  const { golemWatchSettlement } = settlementWatchActivities({
    ...{ connections, specSettings: {}, strategies: {}, registryUrl: '' },
  });
  const now = new Date().toISOString();
  const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const input: WatchSettlementInput = {
    job: { connection: 'default', jobId: jobUuid, jobUuid, owner: 'owner' },
    cursor: { debitNotes: now, invoices: now },
    ...{ awaitingPayment: [], owners: 'none', closedRentals: 0 },
    ...more,
  };
  const news = environment.run(golemWatchSettlement, input) as Promise<SettlementNews>;
  await looks.hit();
  return { agreementId, activityId, news, looks };
}

test('thousands of documents, as a settlement may find that takes over, are told in parts, and asked for a few at once', async () => {
  const fake = await startFakeYagna();
  const at = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString();
  const told = (kind: 'debitNote' | 'invoice', type: string, dates: number[]) =>
    dates.map((n) => ({ [`${kind}Id`]: `${kind}-${n}`, eventDate: at(n), eventType: type }));
  // Each note was accepted before the next one came.
  const notes = [
    ...told(
      'debitNote',
      'DebitNoteReceivedEvent',
      Array.from({ length: 1000 }, (_, n) => 2 * n + 1),
    ),
    ...told(
      'debitNote',
      'DebitNoteAcceptedEvent',
      Array.from({ length: 1000 }, (_, n) => 2 * n + 2),
    ),
  ].sort((a, b) => (String(a.eventDate) < String(b.eventDate) ? -1 : 1));
  const invoices = told('invoice', 'InvoiceReceivedEvent', [150, 1999.5]);
  const documentFields = {
    ...{ issuerId: '0x1', recipientId: '0x2', payeeAddr: '0x1', payerAddr: '0x2', paymentPlatform: 'p' },
    ...{ timestamp: at(0), agreementId: 'a1', status: 'RECEIVED', paymentDueDate: at(0) },
  };
  let asked = 0;
  let mostAsked = 0;
  fake.answer = ({ path, query }, response) => {
    const [, , , kind = '', id] = path.split('/');
    if (kind.endsWith('Events')) {
      const all = kind === 'invoiceEvents' ? invoices : notes;
      const later = all.filter(({ eventDate }) => String(eventDate) > (query.afterTimestamp ?? ''));
      return respond(response, 200, later.slice(0, Number(query.maxEvents)));
    }
    asked += 1;
    mostAsked = Math.max(mostAsked, asked);
    setImmediate(() => {
      asked -= 1;
      const invoice = { invoiceId: id, activityIds: [], amount: '0' };
      const note = { debitNoteId: id, activityId: 'vm', totalAmountDue: '0', usageCounterVector: [] };
      respond(response, 200, { ...documentFields, ...(kind === 'invoices' ? invoice : note) });
    });
  };
  const { golemWatchSettlement } = settlementWatchActivities({
    connections: new Connections({ YAGNA_APPKEY: 'key', YAGNA_API_URL: fake.url }),
    ...{ specSettings: {}, strategies: {}, registryUrl: '' },
  });
  const looks: SettlementNews[] = [];
  let cursor = { debitNotes: at(0), invoices: at(0) };
  for (let count = 0; count < 1002; count += looks.at(-1)?.documents.length ?? 0) {
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
    const input: WatchSettlementInput = {
      ...{ job: { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' }, cursor },
      ...{ awaitingPayment: [], owners: 'none', closedRentals: 0 },
    };
    const news = (await environment.run(golemWatchSettlement, input)) as SettlementNews;
    looks.push(news);
    ({ cursor } = news);
  }
  await fake.close();
  expect(looks.length).toBeGreaterThan(3);
  expect(Math.max(...looks.map(({ documents }) => documents.length))).toBeLessThan(310);
  expect(mostAsked).toBeLessThanOrEqual(5);
  // Each once, and in the order in which they came, whichever kind was cut.
  const dates = looks.flatMap(({ documents }) => documents.map(({ eventDate }) => eventDate));
  expect(dates).toEqual([...dates].sort());
  expect(new Set(looks.flatMap(({ documents }) => documents.map(({ id }) => id))).size).toBe(1002);
});

test('a document wakes the settlement of its own job, and no other', async () => {
  const one = await watched('one');
  const other = await watched('other');
  const lookedUp = proxy.watch(/^GET .*\/agreements\/\w+$/);
  const began = Date.now();
  await requestor.terminate(one.agreementId);
  const { documents } = await one.news;
  // Without being woken it looks after a minute.
  expect(Date.now() - began).toBeLessThan(30_000);
  expect(documents.length).toBeGreaterThan(0);
  for (const { agreementId } of documents) expect(agreementId).toBe(one.agreementId);
  await requestor.terminate(other.agreementId);
  expect((await other.news).documents[0]?.agreementId).toBe(other.agreementId);
  expect(one.looks.hits).toHaveLength(2);
  expect(other.looks.hits).toHaveLength(2);
  // Once for each agreement, not for each event or settlement.
  expect(lookedUp.hits.length).toBeLessThanOrEqual(2);
});

test('debit notes of an agreement whose notes came too often are no news, its invoice is', async () => {
  const rental = await rented('flooded');
  const ignoredNotes = [rental.agreementId];
  const { agreementId, activityId, news, looks } = await watched('flooded', { ignoredNotes }, rental);
  await requestor.delete(`/activity-api/v1/activity/${activityId}`);
  // The look that finds the note, and one for what may be behind it.
  await looks.hit(3);
  await requestor.terminate(agreementId);
  const { documents, cursor } = await news;
  expect(documents).toMatchObject([{ kind: 'invoice', agreementId }]);
  const [note] = (await requestor.get('/payment-api/v1/debitNotes')).json.filter(
    (each: { agreementId: string }) => each.agreementId === agreementId,
  );
  expect(Date.parse(cursor.debitNotes)).toBeGreaterThanOrEqual(Date.parse(note.timestamp as string));
});

test('a document that somebody else decides is news again when he has', async () => {
  const rental = await rented('elsewhere');
  const issued = devnet.effects.next('debit-note-issued');
  await requestor.delete(`/activity-api/v1/activity/${rental.activityId}`);
  const { debitNoteId = '', amount } = (await issued) as { debitNoteId?: string; amount?: string };
  const { news } = await watched('elsewhere', { decidedElsewhere: [debitNoteId] }, rental);
  const allocationId = await requestor.allocate('1');
  const acceptance = { totalAmountAccepted: amount, allocationId };
  await requestor.post(`/payment-api/v1/debitNotes/${debitNoteId}/accept`, acceptance);
  expect(await news).toMatchObject({ documents: [], heardOf: [debitNoteId] });
  await requestor.terminate(rental.agreementId);
});

test('the end of a job is noticed however fast its documents come', async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  // Temporal answers only when yagna has told of a document.
  const slowly: Interceptor = (options, next) =>
    new InterceptingCall(next(options), {
      start: (metadata, listener, start) => void released.then(() => start(metadata, listener)),
    });
  const address = temporalAddress();
  const quick = await Connection.connect({ address });
  const slow = Connection.lazy({ address, interceptors: [slowly] });
  const jobId = randomUUID();
  const job = await new Client({ connection: quick }).workflow.start('golemJob', {
    ...{ workflowId: jobId, taskQueue: 'nobody', args: [] },
  });
  await job.terminate();
  const session = `owner/${job.firstExecutionRunId}`;
  const before = new Date(Date.now() - 1000).toISOString();
  const agreementId = await requestor.rent(session, { 'golem.temporal.mark': `${session}/1` });
  await requestor.createActivity(agreementId);
  const issued = devnet.effects.next('invoice-issued');
  await requestor.terminate(agreementId);
  await issued;

  const lookedUp = proxy.watch(/^GET .*\/invoices\/[\w-]+$/);
  void lookedUp.hit().then(release);
  const { golemWatchSettlement } = settlementWatchActivities({
    ...{ connections, specSettings: {}, strategies: {}, registryUrl: '' },
  });
  const environment = new MockActivityEnvironment(
    {},
    { logger: new DefaultLogger('ERROR'), client: new Client({ connection: slow }) },
  );
  const input: WatchSettlementInput = {
    job: { connection: 'default', jobId, jobUuid: job.firstExecutionRunId, owner: 'owner' },
    cursor: { debitNotes: before, invoices: before },
    ...{ awaitingPayment: [], owners: 'job', closedRentals: 0 },
  };
  const news = (await environment.run(golemWatchSettlement, input)) as SettlementNews;
  expect(news.documents.length).toBeGreaterThan(0);
  expect(news.owners).toEqual({ liveRentals: [], abrupt: true });
  await Promise.all([quick.close(), slow.close()]);
});
