/** What belongs to another requestor is not there: whatever call is made with its id, the answer tells nothing of it. */
import { startDevnet, type Devnet } from '../devnet';
import { CALLS } from '../devnet/faults/operations';
import { Requestor, type Answer } from './support/devnet-requestor';

const MARKET = '/market-api/v1';
const ACTIVITY = '/activity-api/v1/activity';
const PAYMENT = '/payment-api/v1';
const NET = '/net-api/v2/vpn/net';

/** A node in a network of alice's. */
const PEER = `0x${'ab'.repeat(20)}`;
const FLAT = { start: '1', cpuPerHour: '0', envPerHour: '0' };

let devnet: Devnet;
let alice: Requestor;
let bob: Requestor;
/** Of what alice has, by the part of the path before it. */
let ids: Record<string, string>;
let bobsBill: { invoiceId: string; amount: string };

beforeAll(async () => {
  const providers = ['one', 'two', 'three'].map((name) => ({ name, pricing: FLAT }));
  devnet = await startDevnet({ providers, paymentCycleSec: 0, nodes: [{ name: 'bob' }] });
  alice = new Requestor(devnet.url, devnet.appKey, devnet.adminUrl);
  const { url, appKey } = devnet.node('bob');
  bob = new Requestor(url, appKey, devnet.adminUrl);
  bobsBill = await invoiced(bob);
  ids = await everythingOf(alice);
});
afterAll(() => devnet.close());

async function everythingOf(requestor: Requestor): Promise<Record<string, string>> {
  const allocation = await requestor.allocate();
  const { invoiceId, amount } = await invoiced(requestor);
  await requestor.post(`${PAYMENT}/invoices/${invoiceId}/accept`, {
    ...{ totalAmountAccepted: amount, allocationId: allocation },
  });
  const [payment] = (await requestor.get(`${PAYMENT}/payments?timeout=10`)).json;
  const [order] = (await requestor.get(`${PAYMENT}/batchOrders`)).json;
  const { debitNoteId } = await requestor.firstEvent('debitNote', 'paid');
  const agreement = await requestor.rent();
  const activity = await requestor.createActivity(agreement);
  const { json: exec } = await requestor.post(`${ACTIVITY}/${activity}/exec`, { text: '[]' });
  const demand = await requestor.subscribe();
  const [offer] = await requestor.events(demand, 10, 1);
  const { json: scan } = await requestor.post(`${MARKET}/scan`, { type: 'offer' });
  const { json: net } = await requestor.post(NET, { ip: '192.168.0.0/24' });
  await requestor.post(`${NET}/${net.id}/nodes`, { id: PEER, ip: '192.168.0.2' });
  return {
    ...{ allocations: allocation, invoices: invoiceId, payments: payment.paymentId, batchOrders: order.id },
    ...{ debitNotes: debitNoteId, agreements: agreement, activity, exec, demands: demand, scan },
    ...{ proposals: offer.proposal.proposalId, net: net.id, nodes: PEER },
  };
}

async function invoiced(requestor: Requestor): Promise<{ invoiceId: string; amount: string }> {
  const agreementId = await requestor.rent('paid');
  await requestor.createActivity(agreementId);
  await requestor.terminate(agreementId);
  const { invoiceId } = await requestor.firstEvent('invoice', 'paid');
  return (await requestor.get(`${PAYMENT}/invoices/${invoiceId}`)).json;
}

const calls = Object.entries(CALLS).flatMap(([route, methods]) =>
  Object.keys(methods).map((method): [string, string] => [method, route]),
);

/** One of the same shape that nobody has. */
const unknown = (id: string): string =>
  id.replace(/[0-9a-f](?!-)/g, (digit) => (digit === '0' ? '1' : '0')).replace(/^[01]x/, '0x');

const BODY = {
  ...{ text: '[]', message: 'm', properties: {}, constraints: '()', ip: '192.168.0.7', id: '0x1' },
  ...{ totalAmount: '2', totalAmountAccepted: '0', rejectionReason: 'BAD_SERVICE' },
};

function call(method: string, route: string, changed: (id: string) => string): Promise<Answer> {
  const path = route.replace(/(\w+)\/:\w+/g, (_, kind: string) => `${kind}/${changed(ids[kind] ?? kind)}`);
  const query = method === 'GET' ? '?timeout=0' : '';
  const body = { ...BODY, allocationId: ids['allocations'] };
  return bob.call(method, path + query, method === 'GET' || method === 'DELETE' ? undefined : body);
}

/** Without the ids that were asked for. */
const masked = (text: string): string => text.replace(/[0-9a-f-]{16,}|\d+/g, '…');

describe('an id of another requestor in the path', () => {
  it.each(calls.filter(([, route]) => route.includes(':')))('%s %s', async (method, route) => {
    const owned = await call(method, route, (id) => id);
    const nobodys = await call(method, route, unknown);
    // yagna says of some that they are another's.
    if (owned.status !== 403)
      expect([owned.status, masked(owned.text)]).toEqual([nobodys.status, masked(nobodys.text)]);
    if (owned.status < 400) expect(['[]', 'null']).toContain(owned.text);
  });

  it('changed nothing', async () => {
    const path = `${PAYMENT}/allocations/${ids['allocations']}`;
    expect((await alice.get(path)).json.spentAmount).toBe('1.000000000000000000');
    expect((await alice.get(`${path}/expenditures`)).json).toMatchObject([
      { acceptedAmount: expect.any(String) },
    ]);
    expect((await alice.get(`${MARKET}/agreements/${ids['agreements']}`)).json.state).toBe('Approved');
    expect((await alice.get(`${ACTIVITY}/${ids['activity']}/state`)).json.state[0]).toBe('Initialized');
    expect(devnet.open().demands).toEqual([ids['demands']]);
    expect((await alice.get(`${MARKET}/scan/${ids['scan']}/events?timeout=0`)).status).toBe(200);
    expect((await alice.get(`${NET}/${ids['net']}/nodes`)).json).toHaveLength(1);
  });
});

describe('an id of another requestor elsewhere', () => {
  it('is of no use', async () => {
    const { agreements, allocations, proposals } = ids;
    const validTo = new Date(Date.now() + 60_000).toISOString();
    const answers = await Promise.all([
      bob.get(`${ACTIVITY}?agreementId=${agreements}`),
      bob.post(ACTIVITY, { agreementId: agreements }),
      bob.post(ACTIVITY, JSON.stringify(agreements)),
      bob.get(`${PAYMENT}/demandDecorations?allocationIds=${allocations}`),
      bob.post(`${MARKET}/agreements`, { proposalId: proposals, validTo }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 400]);
  });

  it('pays no bill of ours', async () => {
    const { invoiceId, amount } = bobsBill;
    const allocationId = ids['allocations'];
    const answer = await bob.post(`${PAYMENT}/invoices/${invoiceId}/accept`, {
      ...{ totalAmountAccepted: amount, allocationId },
    });
    expect(answer).toMatchObject({
      ...{ status: 400, json: { message: `Allocation ${allocationId} not found` } },
    });
  });

  it('is in no list of ours', async () => {
    const lists = calls.filter(
      ([method, route]) =>
        method === 'GET' && !route.includes(':') && !/_monitor|me$|batchCycles/.test(route),
    );
    for (const [, route] of lists) {
      const { text } = await bob.get(`${route}?timeout=0`);
      const told = Object.values(ids).filter((id) => id.length > 8 && text.includes(id));
      expect([route, told]).toEqual([route, []]);
    }
  });
});
