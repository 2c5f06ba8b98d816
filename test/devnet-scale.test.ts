/** Many providers and rentals at once: everybody hears of everything, once. How fast is `npm run bench:devnet`. */
import { Streams } from '../devnet/server/long-poll';
import { PLATFORM, type Requestor, withDevnet } from './support/devnet-requestor';

const COUNT = 200;
const [MARKET, PAYMENT] = ['/market-api/v1', '/payment-api/v1'];
const providers = Array.from({ length: COUNT }, (_, i) => ({ name: `provider-${i}` }));

it(`${COUNT} providers, agreements and activities at once: all events arrive, nothing is lost or doubled`, async () => {
  await withDevnet({ providers, paymentCycleSec: 0 }, async (requestor) => {
    const allocationId = await requestor.allocate('100');
    const agreements = await rentAll(requestor);
    expect(new Set(agreements).size).toBe(COUNT);
    const activities = await each((i) => requestor.createActivity(agreements[i] ?? ''));
    const { counts } = await requestor.admin('/open');
    expect(counts).toEqual({ allocations: 1, demands: 0, agreements: COUNT, activities: COUNT });

    // Each waits for its own agreement's end, invoice and payment before anything of it happens.
    const since = encodeURIComponent(new Date().toISOString());
    const heard = agreements.map(async (agreementId, i) => {
      const query = `timeout=50&afterTimestamp=${since}&appSessionId=s${i}`;
      const end = requestor.get(`${MARKET}/agreementEvents?${query}`);
      const invoices = (await requestor.get(`${PAYMENT}/invoiceEvents?${query}`)).json as {
        invoiceId: string;
      }[];
      expect(invoices).toHaveLength(1);
      const path = `${PAYMENT}/invoices/${invoices[0]?.invoiceId}`;
      const { json: invoice } = await requestor.get(path);
      expect(invoice).toMatchObject({ agreementId, activityIds: [activities[i]], paymentPlatform: PLATFORM });
      const settled = requestor.get(`${PAYMENT}/invoiceEvents?${query}`, { 'X-Requestor-Events': 'SETTLED' });
      await requestor.post(`${path}/accept`, { totalAmountAccepted: invoice.amount, allocationId });
      expect((await settled).json).toMatchObject([{ eventType: 'InvoiceSettledEvent' }]);
      expect((await end).json).toMatchObject([{ eventType: 'AgreementTerminatedEvent', agreementId }]);
    });
    await each((i) => requestor.terminate(agreements[i] ?? ''));
    await Promise.all(heard);

    const effects = (await requestor.admin('/effects')) as { seq: number; kind: string }[];
    expect(effects.map(({ seq }) => seq)).toEqual(effects.map((_, index) => index + 1));
    const kinds = ['agreement-created', 'agreement-approved', 'activity-created', 'agreement-terminated'];
    for (const kind of [
      ...kinds,
      'activity-destroyed',
      'invoice-issued',
      'invoice-accepted',
      'invoice-settled',
    ]) {
      expect([kind, effects.filter((effect) => effect.kind === kind).length]).toEqual([kind, COUNT]);
    }
    expect((await requestor.admin('/open')).counts).toMatchObject({ agreements: 0, activities: 0 });
  });
});

it('a demand that nobody reads gathers one offer of each provider, however often they offer', async () => {
  await withDevnet({ providers: providers.slice(0, 20), rebroadcastSec: 0.02 }, async (requestor) => {
    const demandId = await requestor.subscribe();
    const ended = await requestor.rent('s');
    await requestor.terminate(ended);
    await requestor.effect('invoice-issued');
    const offers = await requestor.events(demandId);
    expect(new Set(offers.map(({ proposal }) => proposal.issuerId)).size).toBe(offers.length);
  });
});

it('streams that nobody waits on any more are not kept', () => {
  const streams = new Streams();
  const waiters = Array.from({ length: 1000 }, (_, i) => {
    const waiter = jest.fn();
    streams.get(`s${i}`).add(waiter);
    return waiter;
  });
  streams.wake('s7');
  expect(waiters.filter((waiter) => waiter.mock.calls.length > 0)).toEqual([waiters[7]]);
  waiters.forEach((waiter, i) => streams.get(`s${i}`).remove(waiter));
  streams.get('nobody');
  expect(streams.size).toBe(0);
});

/** From one demand, as client libraries do it. */
async function rentAll(requestor: Requestor): Promise<string[]> {
  const demandId = await requestor.subscribe();
  const proposals = async (state: string): Promise<string[]> => {
    const found: string[] = [];
    while (found.length < COUNT) {
      for (const { proposal } of await requestor.events(demandId)) {
        expect(proposal.state).toBe(state);
        found.push(proposal.proposalId as string);
      }
    }
    return found;
  };
  const offers = await proposals('Initial');
  const terms = requestor.terms({ 'golem.com.payment.chosen-platform': PLATFORM });
  await each((i) => requestor.post(`${MARKET}/demands/${demandId}/proposals/${offers[i]}`, terms));
  const drafts = await proposals('Draft');
  const agreements = await each(async (i) => {
    const agreementId = await requestor.createAgreement(drafts[i] ?? '', 3600);
    await requestor.post(`${MARKET}/agreements/${agreementId}/confirm?appSessionId=s${i}`);
    expect((await requestor.post(`${MARKET}/agreements/${agreementId}/wait?timeout=30`)).status).toBe(204);
    return agreementId;
  });
  await requestor.delete(`${MARKET}/demands/${demandId}`);
  return agreements;
}

function each<T>(action: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: COUNT }, (_, i) => action(i)));
}
