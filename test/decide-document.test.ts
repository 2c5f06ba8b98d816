/**
 * A document of an agreement whose final invoice was accepted without anybody having booked it: the answer was lost,
 * and the next document is decided by an activity of its own, in its first attempt.
 */
import { DefaultLogger } from '@temporalio/worker';
import { MockActivityEnvironment } from '@temporalio/testing';
import { Connections } from '../activities';
import type { DecideInput, Decision } from '../activities/contract';
import { decisionActivities } from '../activities/decide';
import { startDevnet, type Devnet } from '../devnet';
import { Requestor } from './support/devnet-requestor';
import { FaultProxy } from './support/fault-proxy';

const PAYMENT = '/payment-api/v1';
const SECOND = '11111111-2222-4333-8444-555555555555';
const ACCEPT_INVOICE = new RegExp(`^POST ${PAYMENT}/invoices/[\\w-]+/accept$`);

const proxy = new FaultProxy();
let devnet: Devnet;
let requestor: Requestor;
let decide: (jobUuid: string, document: DecideInput['document']) => Promise<Decision>;

beforeAll(async () => {
  devnet = await startDevnet({ paymentCycleSec: 0.1 });
  requestor = new Requestor(devnet.url, devnet.appKey);
  const url = await proxy.start(devnet.url);
  const connections = new Connections({ YAGNA_APPKEY: devnet.appKey, YAGNA_API_URL: url });
  const environment = { connections, specSettings: {}, strategies: {}, registryUrl: '' };
  const { golemDecideDocument } = decisionActivities(environment);
  const allocationId = await requestor.allocate();
  const tolerance = { usageSec: 10, usageRatio: 0 };
  decide = async (jobUuid, document) =>
    (await new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(golemDecideDocument, {
      ...{ document, allocationId, tolerance, ledger: {} },
      job: { connection: 'default', jobId: 'job', jobUuid, owner: 'owner' },
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
