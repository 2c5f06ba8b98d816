/** Documents decided one by one, each in the first attempt of an activity of its own, whatever was lost before. */
import { DefaultLogger } from '@temporalio/worker';
import { MockActivityEnvironment } from '@temporalio/testing';
import { Connections } from '../activities';
import type { DecideInput, Decision } from '../activities/contract';
import { decisionActivities } from '../activities/decide';
import { startDevnet, type Devnet } from '../devnet';
import { brokerProperties } from '../model/payer';
import { PROP } from '../model/properties';
import { Requestor } from './support/devnet-requestor';
import { FaultProxy } from './support/fault-proxy';

const PAYMENT = '/payment-api/v1';
const SECOND = '11111111-2222-4333-8444-555555555555';
const ACCEPT_INVOICE = new RegExp(`^POST ${PAYMENT}/invoices/[\\w-]+/accept$`);

const proxy = new FaultProxy();
let devnet: Devnet;
let requestor: Requestor;
let decide: (
  jobUuid: string,
  document: DecideInput['document'],
  more?: Partial<DecideInput>,
) => Promise<Decision>;

beforeAll(async () => {
  devnet = await startDevnet({ paymentCycleSec: 0.1 });
  requestor = new Requestor(devnet.url, devnet.appKey);
  const url = await proxy.start(devnet.url);
  const connections = new Connections({ YAGNA_APPKEY: devnet.appKey, YAGNA_API_URL: url });
  const environment = { connections, specSettings: {}, strategies: {}, registryUrl: '' };
  const { golemDecideDocument } = decisionActivities(environment);
  const allocationId = await requestor.allocate();
  const tolerance = { usageSec: 10, usageRatio: 0 };
  decide = async (jobUuid, document, more = {}) =>
    (await new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(golemDecideDocument, {
      ...{ document, allocationId, tolerance, ledger: {} },
      job: { connection: 'default', jobId: 'job', jobUuid, owner: 'owner' },
      ...more,
    })) as Decision;
});
afterAll(async () => {
  await proxy.close();
  await devnet?.close();
});
afterEach(() => proxy.clear());

interface Accepted {
  invoice: { invoiceId: string; agreementId: string; activityIds: string[] };
  eventDate: string;
}

/** An agreement under which a VM was, with an invoice whose acceptance was done, but not answered. */
async function unbookedAcceptance(jobUuid: string): Promise<Accepted> {
  const session = `owner/${jobUuid}`;
  const agreementId = await requestor.rent(session, { 'golem.temporal.mark': `${session}/1` });
  await requestor.createActivity(agreementId);
  await requestor.terminate(agreementId);
  const { invoiceId, eventDate } = await requestor.firstEvent('invoice', session);
  const lost = proxy.cutAfter(ACCEPT_INVOICE);
  await expect(decide(jobUuid, { kind: 'invoice', id: invoiceId, eventDate })).rejects.toMatchObject({
    type: 'YagnaUnavailable',
  });
  expect(lost.hits[0]?.answer?.status).toBe(200);
  return { invoice: (await requestor.get(`${PAYMENT}/invoices/${invoiceId}`)).json, eventDate };
}

test('a second invoice is rejected: an agreement is paid once', async () => {
  const { invoice, eventDate } = await unbookedAcceptance('one');
  const second = `${PAYMENT}/invoices/${SECOND}`;
  proxy.answer(new RegExp(`^GET ${second}$`), 200, { ...invoice, invoiceId: SECOND, status: 'RECEIVED' });
  const rejected = proxy.answer(new RegExp(`^POST ${second}/reject$`), 200, null);
  const looks = proxy.watch(new RegExp(`^GET ${PAYMENT}/invoiceEvents$`));
  expect(await decide('one', { kind: 'invoice', id: SECOND, eventDate })).toMatchObject({
    decision: 'refused',
    reason: 'invoice refused: the agreement has an accepted invoice already',
  });
  expect(rejected.hits).toHaveLength(1);
  expect(proxy.calls).not.toContain(`POST ${second}/accept`);
  // One question, about this job and no other, however much yagna holds.
  expect(looks.hits).toHaveLength(1);
  expect(looks.hits[0]?.query.get('appSessionId')).toBe('owner/one');
  expect(proxy.calls).not.toContain(`GET ${PAYMENT}/invoices`);
});

test('a debit note is not accepted any more', async () => {
  const { invoice, eventDate } = await unbookedAcceptance('two');
  const note = `${PAYMENT}/debitNotes/${SECOND}`;
  const { activityIds, ...fields } = invoice;
  proxy.answer(new RegExp(`^GET ${note}$`), 200, {
    ...{ ...fields, status: 'RECEIVED', paymentDueDate: null, debitNoteId: SECOND },
    ...{ activityId: activityIds[0], totalAmountDue: '0', usageCounterVector: [0, 0] },
  });
  expect(await decide('two', { kind: 'debitNote', id: SECOND, eventDate })).toMatchObject({
    decision: 'superseded',
  });
  expect(proxy.calls).not.toContain(`POST ${note}/accept`);
});

test('a document whose agreement yagna does not show for a moment is decided later', async () => {
  const agreementId = await requestor.rent('owner/hidden', { 'golem.temporal.mark': 'owner/hidden/1' });
  await requestor.createActivity(agreementId);
  await requestor.terminate(agreementId);
  const { invoiceId, eventDate } = await requestor.firstEvent('invoice', 'owner/hidden');
  const document = { kind: 'invoice' as const, id: invoiceId as string, eventDate: eventDate as string };
  const path = new RegExp(`^GET /market-api/v1/agreements/${agreementId}$`);
  proxy.answer(path, 404, { message: 'not found' });
  await expect(decide('hidden', document)).rejects.toMatchObject({
    ...{ type: 'YagnaUnavailable', nonRetryable: false },
    message: `yagna does not show agreement ${agreementId}`,
  });
  expect(await decide('hidden', document)).toMatchObject({ decision: 'accepted' });
});

test('an amount may be written with an exponent', async () => {
  const agreementId = await requestor.rent('owner/exponent', {
    'golem.temporal.mark': 'owner/exponent/1',
  });
  await requestor.createActivity(agreementId);
  await requestor.terminate(agreementId);
  const { invoiceId, eventDate } = await requestor.firstEvent('invoice', 'owner/exponent');
  const path = `${PAYMENT}/invoices/${invoiceId}`;
  const invoice = (await requestor.get(path)).json;
  const amount = Number(invoice.amount).toExponential();
  proxy.answer(new RegExp(`^GET ${path}$`), 200, { ...invoice, amount });
  const accepted = proxy.answer(new RegExp(`^POST ${path}/accept$`), 200, null);
  const document = { kind: 'invoice' as const, id: invoiceId as string, eventDate: eventDate as string };
  expect(await decide('exponent', document)).toMatchObject({ decision: 'accepted' });
  expect(accepted.hits).toHaveLength(1);
});

test('a debit note that newer ones or the rejection of its invoice have overtaken is left, and no fault of the provider', async () => {
  const agreementId = await requestor.rent('owner/three', { 'golem.temporal.mark': 'owner/three/1' });
  const activityId = await requestor.createActivity(agreementId);
  await requestor.delete(`/activity-api/v1/activity/${activityId}`);
  const { debitNoteId, eventDate } = await requestor.firstEvent('debitNote', 'owner/three');
  const after = (lastNoteAt: string) => ({
    ledger: {
      [agreementId]: {
        ...{ acceptedByActivity: { [activityId]: '4' }, notes: {}, lastUsage: {}, invoiceAccepted: false },
        lastNoteAt: { [activityId]: lastNoteAt },
      },
    },
  });
  const document = { kind: 'debitNote' as const, id: debitNoteId as string, eventDate: eventDate as string };
  expect(await decide('three', document, after('2100-01-01T00:00:00Z'))).toMatchObject({
    decision: 'superseded',
  });
  // Nor does one change anything whose invoice was rejected before, though yagna would take its acceptance.
  const rejected = after('2000-01-01T00:00:00Z');
  Object.assign(rejected.ledger[agreementId] ?? {}, { invoiceRejected: true, acceptedByActivity: {} });
  expect(await decide('three', document, rejected)).toMatchObject({ decision: 'superseded' });
  // A total that falls is another thing.
  expect(await decide('three', document, after('2000-01-01T00:00:00Z'))).toMatchObject({
    decision: 'refused',
    reason: expect.stringContaining('less than the 4 accepted before'),
  });
  await requestor.terminate(agreementId);
  await requestor.firstEvent('invoice', 'owner/three');
});

test('debit notes that came too fast are too many, however late they are decided', async () => {
  const properties = { 'golem.temporal.mark': 'owner/late/1', [PROP.debitNoteInterval]: 1 };
  const agreementId = await requestor.rent('owner/late', properties);
  const activityId = await requestor.createActivity(agreementId);
  await requestor.delete(`/activity-api/v1/activity/${activityId}`);
  const { debitNoteId } = await requestor.firstEvent('debitNote', 'owner/late');
  const path = `/market-api/v1/agreements/${agreementId}`;
  const agreement = (await requestor.get(path)).json;
  // It began an hour ago, and so did its notes; whoever decides them was away since.
  const cameAfter = (seconds: number): string =>
    new Date(Date.parse(agreement.timestamp as string) - 3_600_000 + seconds * 1000).toISOString();
  const ledger = {
    [agreementId]: {
      ...{ acceptedByActivity: {}, lastUsage: {}, lastNoteAt: {}, invoiceAccepted: false },
      notes: { [activityId]: { all: 10, payable: 0 } },
    },
  };
  const decided = async (after: number): Promise<Decision> => {
    proxy.answer(new RegExp(`^GET ${path}$`), 200, { ...agreement, timestamp: cameAfter(0) });
    const document = { kind: 'debitNote' as const, id: debitNoteId as string, eventDate: cameAfter(after) };
    return await decide('late', document, { ledger });
  };
  expect(await decided(2)).toMatchObject({
    ...{ decision: 'refused', requestorCode: 'TooManyDebitNotes' },
    reason: 'debit notes come more often than every 1 s as agreed',
  });
  expect(await decided(9)).toMatchObject({ decision: 'accepted' });
  await requestor.terminate(agreementId);
  await requestor.firstEvent('invoice', 'owner/late');
});

test('an invoice of a provider whose clock is slow, and who ended the agreement, is measured by its own dates', async () => {
  const agreementId = await requestor.rent('owner/four', { 'golem.temporal.mark': 'owner/four/1' });
  const activityId = await requestor.createActivity(agreementId);
  await requestor.terminate(agreementId);
  const { invoiceId, eventDate } = await requestor.firstEvent('invoice', 'owner/four');
  const agreement = (await requestor.get(`/market-api/v1/agreements/${agreementId}`)).json;
  const invoice = (await requestor.get(`${PAYMENT}/invoices/${invoiceId}`)).json;
  const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
  // By our clock it began a minute ago; the provider's is two minutes behind, and bills the minute.
  const [, perSecond, start] = agreement.offer.properties[
    'golem.com.pricing.model.linear.coeffs'
  ] as number[];
  const path = `/market-api/v1/agreements/${agreementId}`;
  proxy.answer(new RegExp(`^GET ${path}$`), 200, {
    ...agreement,
    timestamp: ago(61),
    approvedDate: ago(181),
  });
  proxy.answer(new RegExp(`^GET ${path}/terminate/reason$`), 200, {
    ...{ agreementId, eventType: 'AgreementTerminatedEvent', eventDate: ago(120), terminator: 'Provider' },
  });
  const amount = ((perSecond ?? 0) * 60 + (start ?? 0)).toFixed(15);
  proxy.answer(new RegExp(`^GET ${PAYMENT}/invoices/${invoiceId}$`), 200, { ...invoice, amount });
  proxy.answer(new RegExp(`^POST ${PAYMENT}/invoices/${invoiceId}/accept$`), 200, null);
  expect(invoice.activityIds).toEqual([activityId]);
  const document = { kind: 'invoice' as const, id: invoiceId as string, eventDate: eventDate as string };
  const tolerance = { usageSec: 1, usageRatio: 0 };
  expect(await decide('four', document, { tolerance })).toMatchObject({ decision: 'accepted' });
});

describe('where yagna cannot list the VMs of an agreement', () => {
  const MOST = 5;
  const made = (n: number): string[] => Array.from({ length: n }, (_, i) => `${i}`.repeat(32));

  /** An agreement that is over, with its invoice. */
  async function over(jobUuid: string): Promise<{ agreementId: string; id: string; eventDate: string }> {
    const session = `owner/${jobUuid}`;
    const agreementId = await requestor.rent(session, { 'golem.temporal.mark': `${session}/1` });
    await requestor.createActivity(agreementId);
    await requestor.terminate(agreementId);
    const { invoiceId: id, eventDate } = await requestor.firstEvent('invoice', session);
    proxy.answer(/^GET \/activity-api\/v1\/activity$/, 404, { message: 'no such call' }, { times: Infinity });
    return { agreementId, id, eventDate };
  }

  test('an invoice may be for as many as a rental makes, each with its start price, and for no more', async () => {
    const { id, eventDate } = await over('five');
    const path = `${PAYMENT}/invoices/${id}`;
    const invoice = (await requestor.get(path)).json;
    const billed = (activityIds: string[]): void =>
      void proxy.answer(new RegExp(`^GET ${path}$`), 200, { ...invoice, activityIds, amount: '0' });
    proxy.answer(new RegExp(`^POST ${path}/(accept|reject)$`), 200, null, { times: 2 });
    billed(made(MOST + 2));
    expect(await decide('five', { kind: 'invoice', id, eventDate })).toMatchObject({
      decision: 'refused',
      reason: expect.stringMatching(/an activity that the job does not know \(5{32}, 6{32}\)/),
    });
    billed(made(MOST));
    expect(await decide('five', { kind: 'invoice', id, eventDate })).toMatchObject({ decision: 'accepted' });
  });

  test('debit notes may be for as many, and for no more', async () => {
    const { agreementId, eventDate } = await over('six');
    const invoice = (await requestor.get(`${PAYMENT}/invoices`)).json.find(
      (each: { agreementId: string }) => each.agreementId === agreementId,
    );
    const path = `${PAYMENT}/debitNotes/${SECOND}`;
    const noted = async (accepted: string[], activityId: string): Promise<Decision> => {
      const { activityIds: _, ...fields } = invoice;
      proxy.answer(new RegExp(`^GET ${path}$`), 200, {
        ...{ ...fields, status: 'RECEIVED', paymentDueDate: null, debitNoteId: SECOND },
        ...{ activityId, totalAmountDue: '0', usageCounterVector: [0, 0] },
      });
      const acceptedByActivity = Object.fromEntries(accepted.map((each) => [each, '0']));
      const soFar = { notes: {}, lastUsage: {}, lastNoteAt: {}, invoiceAccepted: false };
      const document = { kind: 'debitNote' as const, id: SECOND, eventDate };
      return await decide('six', document, { ledger: { [agreementId]: { ...soFar, acceptedByActivity } } });
    };
    proxy.answer(new RegExp(`^POST ${path}/accept$`), 200, null, { times: 2 });
    expect(await noted(made(MOST), 'f'.repeat(32))).toMatchObject({
      decision: 'refused',
      reason: expect.stringContaining('an activity that the job does not know'),
    });
    expect(await noted(made(MOST), '0'.repeat(32))).toMatchObject({ decision: 'accepted' });
    expect(await noted(made(MOST - 1), 'f'.repeat(32))).toMatchObject({ decision: 'accepted' });
  });
});

test('what somebody else is to decide and pay is not accepted here, however it came: it is awaited', async () => {
  const session = 'owner/other-payer';
  const named = brokerProperties({ url: 'http://127.0.0.1:9', address: '0xb', deposit: 'd' });
  // A provider that takes its bills to no broker, and sends them here all the same.
  const agreementId = await requestor.rent(session, { 'golem.temporal.mark': `${session}/1`, ...named });
  await requestor.createActivity(agreementId);
  await requestor.terminate(agreementId);
  const { invoiceId, eventDate } = await requestor.firstEvent('invoice', session);
  const { debitNoteId } = await requestor.firstEvent('debitNote', session);
  for (const document of [
    { kind: 'debitNote' as const, id: debitNoteId as string, eventDate: eventDate as string },
    { kind: 'invoice' as const, id: invoiceId as string, eventDate: eventDate as string },
  ])
    expect(await decide('other-payer', document)).toMatchObject({ decision: 'awaited', settled: false });
  const decisions = proxy.calls.filter((call) => /\/(accept|reject)$/.test(call));
  expect(
    decisions.filter((call) => [invoiceId, debitNoteId].some((id) => call.includes(id as string))),
  ).toEqual([]);
});
