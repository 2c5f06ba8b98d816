/** Payment by a broker, a process of its own that needs no requestor to be there: who is paid, how much, and who is not. */
import { judge, type Case, type Claim } from '../devnet/broker/release-rules';
import { Amount } from '../devnet/payment/amounts';
import { BROKER_CONSTRAINT, brokerProperties } from '../model/payer';
import { requireBuild } from './support/cli';
import {
  startBrokerProcess,
  type BrokerProcess,
  type DecidedClaim,
  type Deposit,
} from './support/devnet-broker';
import { expectBalanced } from './support/devnet-rental';
import { PLATFORM, withDevnet, type Requestor } from './support/devnet-requestor';
import type { Devnet, DevnetOptions } from '../devnet';

const PAYMENT = '/payment-api/v1';
/** 0.01 GLM a second. */
const PRICES = { cpuPerHour: '0', envPerHour: '36' };
const BROKERED = {
  name: 'brokered',
  paidBy: 'broker' as const,
  pricing: PRICES,
  debitNoteIntervalSec: 0.2,
  minDebitNoteIntervalSec: 0.1,
};

beforeAll(requireBuild);

async function withBroker(
  options: DevnetOptions & { hourSec?: number },
  test: (requestor: Requestor, devnet: Devnet, broker: BrokerProcess) => Promise<void>,
): Promise<void> {
  const { hourSec, ...devnetOptions } = options;
  await withDevnet(
    { providers: [BROKERED], paymentCycleSec: 0, ...devnetOptions },
    async (requestor, devnet) => {
      const broker = await startBrokerProcess(devnet, { hourSec });
      try {
        await test(requestor, devnet, broker);
      } finally {
        await broker.stop();
      }
    },
  );
}

const naming = ({ url, address }: BrokerProcess, deposit: string): Record<string, unknown> =>
  brokerProperties({ url, address, deposit });

/** Waits for so many claims of a deposit that are decided like that. */
async function decided(
  requestor: Requestor,
  decision: 'settled' | 'refused',
  count: number,
  after = 0,
): Promise<Record<string, string>[]> {
  const found: Record<string, string>[] = [];
  while (found.length < count) {
    const effect = (await requestor.effect('broker-decided', after)) as Record<string, string> & {
      seq: number;
    };
    after = effect.seq;
    if (effect.decision === decision) found.push(effect);
  }
  return found;
}

/** What the broker's wallet has paid to providers, by the public ledger. */
const paidBy = (devnet: Devnet, address: string): string =>
  devnet.ledger
    .after()
    .filter(({ kind, from }) => kind === 'payment' && from === address)
    .reduce((all, { amount }) => all.plus(amount), new Amount(0))
    .toFixed();

test('a broker pays while the requestor is stopped and through a crash of its own; all of it is there afterwards', async () => {
  await withBroker({}, async (requestor, devnet, broker) => {
    const node = devnet.node('requestor');
    const [me = ''] = node.requestorIds;
    const { id } = await broker.deposit('5', { perHour: '4', total: '4.5' });
    const agreementId = await requestor.rent('away', naming(broker, id));
    const activityId = await requestor.createActivity(agreementId);
    await node.stop();
    const before = devnet.ledger.after().length;
    await decided(requestor, 'settled', 2, devnet.effects.all().at(-1)?.seq);
    await broker.child.kill();
    const { seq } = await requestor.effect('debit-note-issued', devnet.effects.all().at(-1)!.seq);
    await broker.start();
    await requestor.effect('broker-decided', seq);
    expect(node.running).toBe(false);
    const payments = devnet.ledger.after(before);
    expect(payments.length).toBeGreaterThan(2);
    for (const payment of payments)
      expect(payment).toMatchObject({ kind: 'payment', from: broker.address, requestor: me, depositId: id });

    // Back, it finds what was decided meanwhile, ends the agreement, and pays nothing of its own.
    await node.start();
    const { json } = await requestor.get(`/activity-api/v1/activity/${activityId}/state`);
    expect(json.state).toEqual(['Initialized', null]);
    const notes = (await requestor.get(`${PAYMENT}/debitNotes`)).json as { status: string }[];
    expect(notes.length).toBeGreaterThan(2);
    expect(new Set(notes.map(({ status }) => status))).toEqual(new Set(['SETTLED']));
    await requestor.terminate(agreementId);
    await requestor.effect('invoice-settled');
    const { invoiceId } = await requestor.firstEvent('invoice', 'away', 'SETTLED');
    const invoice = (await requestor.get(`${PAYMENT}/invoices/${invoiceId}`)).json;
    expect(invoice.status).toBe('SETTLED');
    const amount = new Amount(invoice.amount).toFixed();
    expect(paidBy(devnet, broker.address)).toBe(amount);
    expect(await broker.get(id)).toMatchObject({ spent: amount });

    // What is left comes back, once.
    for (let times = 0; times < 2; times++)
      expect(await broker.call(`/deposits/${id}/close`, {})).toMatchObject([
        200,
        { closed: true, left: '0' },
      ]);
    expect(devnet.wallets.balance(broker.address, PLATFORM).toFixed()).toBe('0');
    expect(devnet.wallets.balance(me, PLATFORM).toFixed()).toBe(new Amount(1000).minus(amount).toFixed());
    expectBalanced(devnet);
  });
});

test('only providers that take their bills to a broker match a demand that asks for it, and they no other', async () => {
  const providers = [BROKERED, { name: 'usual' }, { name: 'both', paidBy: 'either' as const }];
  await withBroker({ providers }, async (requestor, _devnet, broker) => {
    const offered = async (terms: object): Promise<string[]> => {
      const demandId = await requestor.subscribe(terms);
      const names: string[] = [];
      // The two that match come at once; one that does not never does.
      while (names.length < 2)
        for (const { proposal } of await requestor.events(demandId))
          names.push(proposal.properties['golem.node.id.name'] as string);
      names.push(...(await requestor.events(demandId, 0)).map(() => 'one more'));
      await requestor.delete(`/market-api/v1/demands/${demandId}`);
      return names.sort();
    };
    const { id } = await broker.deposit('1');
    expect(await offered(requestor.terms())).toEqual(['both', 'usual']);
    const terms = requestor.terms(naming(broker, id), `(golem.runtime.name=vm)${BROKER_CONSTRAINT}`);
    expect(await offered(terms)).toEqual(['both', 'brokered']);
  });
});

test('a provider signs nothing that names a broker or deposit which is not good for it', async () => {
  await withBroker({}, async (requestor, devnet, broker) => {
    const { id } = await broker.deposit('1');
    const refusal = async (properties: Record<string, unknown>): Promise<string> => {
      const demandId = await requestor.subscribe(requestor.terms(properties));
      const [offer] = await requestor.events(demandId);
      const { reason } = await requestor.negotiate(demandId, offer.proposal.proposalId, properties);
      await requestor.delete(`/market-api/v1/demands/${demandId}`);
      return reason.message;
    };
    const good = { url: broker.url, address: broker.address, deposit: id };
    const named = (part: object): Promise<string> => refusal(brokerProperties({ ...good, ...part }));
    expect(await named({ deposit: 'none' })).toBe('The broker has no deposit none');
    const other = `0x${'ab'.repeat(20)}`;
    expect(await named({ address: other })).toBe(
      `The broker at ${broker.url} is ${broker.address}, not ${other}`,
    );
    expect(await named({ url: 'http://127.0.0.1:9' })).toBe(
      'The broker at http://127.0.0.1:9 does not answer',
    );
    expect(await named({ url: 'http://example.com' })).toMatch('it is not on this machine');
    // Its money is gone from its wallet.
    devnet.wallets.move({
      kind: 'transfer',
      platform: PLATFORM,
      from: broker.address,
      to: 'treasury',
      amount: '0.1',
    });
    expect(await named({})).toBe(`The broker's wallet holds less than the 1 GLM of deposit ${id}`);
    await broker.call(`/deposits/${id}/close`, {});
    expect(await named({})).toBe(`Nothing is left of deposit ${id}`);
  });
});

test('a note of more than its usage costs is refused, and its provider ends the agreement', async () => {
  await withBroker({}, async (requestor, devnet, broker) => {
    const { id } = await broker.deposit('5');
    devnet.faults.arm({ on: 'provider.debitNote', do: 'tooMuch', nth: 2 });
    const agreementId = await requestor.rent('s', naming(broker, id));
    await requestor.createActivity(agreementId);
    const [refused] = await decided(requestor, 'refused', 1);
    expect(refused?.reason).toMatch(/but its usage costs/);
    expect(await requestor.effect('agreement-terminated')).toMatchObject({
      terminator: 'Provider',
      reason: { 'golem.provider.code': 'DebitNoteRejected' },
    });
    await requestor.effect('invoice-settled');
    const claims = await broker.claims(id);
    const invoice = claims.find(({ kind }) => kind === 'invoice');
    expect(invoice?.status).toBe('settled');
    expect(paidBy(devnet, broker.address)).toBe(new Amount(invoice!.amount).toFixed());

    // The requestor cannot pay what its broker has refused, nor once more what it has paid.
    const allocationId = await requestor.allocate();
    for (const { id: debitNoteId, amount, status } of claims.filter(({ kind }) => kind === 'debitNote')) {
      const acceptance = { totalAmountAccepted: amount, allocationId };
      const answer = await requestor.post(`${PAYMENT}/debitNotes/${debitNoteId}/accept`, acceptance);
      expect(answer.status).toBe(status === 'refused' ? 400 : 200);
    }
    expect((await requestor.get(`${PAYMENT}/allocations/${allocationId}`)).json.spentAmount).toBe('0');
  });
});

test('the total of a deposit is the end of it, however long the agreement would go on', async () => {
  await withBroker({}, async (requestor, devnet, broker) => {
    const { id } = await broker.deposit('1', { total: '0.005' });
    await requestor.createActivity(await requestor.rent('s', naming(broker, id)));
    await devnet.node('requestor').stop();
    const [refused] = await decided(requestor, 'refused', 1);
    expect(refused?.reason).toMatch(/are left$/);
    await requestor.effect('agreement-terminated');
    await requestor.effect('activity-destroyed');
    expect(new Amount(paidBy(devnet, broker.address)).lte('0.005')).toBe(true);
  });
});

test("an hour's money is released within an hour, and what is right waits for the next one", async () => {
  const options = {
    hourSec: 3,
    providers: [{ ...BROKERED, debitNoteIntervalSec: 0.3, minDebitNoteIntervalSec: 0.1 }],
  };
  await withBroker(options, async (requestor, devnet, broker) => {
    // Each note adds 0.003 GLM: about six of them fit into an "hour" of 3 s.
    const { id } = await broker.deposit('1', { perHour: '0.02' });
    const agreementId = await requestor.rent('s', naming(broker, id));
    await requestor.createActivity(agreementId);
    const isHeld = async (): Promise<DecidedClaim | undefined> =>
      (await broker.claims(id)).find(({ status }) => status === 'held');
    let held = await isHeld();
    for (let after = 0; !held; held = await isHeld())
      after = (await requestor.effect('debit-note-issued', after)).seq as number;
    expect(held.reason).toMatch(/an hour go out of deposit/);
    // By itself, or within a later claim for the same agreement that is right first.
    const { id: claimId } = held;
    const statusNow = async (): Promise<string | undefined> =>
      (await broker.claims(id)).find((claim) => claim.id === claimId)?.status;
    for (let after = 0; (await statusNow()) === 'held';)
      after = (await requestor.effect('broker-decided', after)).seq as number;
    expect(['settled', 'covered']).toContain(await statusNow());
    await requestor.terminate(agreementId);
    await requestor.effect('invoice-issued');
    const out = devnet.ledger
      .after()
      .filter(({ from, kind }) => from === broker.address && kind === 'payment');
    for (const { at } of out) {
      const hour = out.filter((each) => each.at <= at && Date.parse(each.at) > Date.parse(at) - 2990);
      expect(hour.reduce((all, { amount }) => all.plus(amount), new Amount(0)).lte('0.02')).toBe(true);
    }
  });
});

test('money goes only to the provider of an agreement that names the deposit, on the word of nobody else', async () => {
  // No note of its own meanwhile.
  const providers = [
    { ...BROKERED, debitNoteIntervalSec: 120 },
    { name: 'usual', pricing: PRICES },
  ];
  await withBroker({ providers }, async (requestor, devnet, broker) => {
    const { id } = await broker.deposit('5');
    const agreementId = await requestor.rent('s', naming(broker, id));
    const activityId = await requestor.createActivity(agreementId);
    const { provider } = await agreementOf(requestor, agreementId);
    // The other provider's agreement names no broker.
    const usual = await requestor.rent('t');
    const usualActivity = await requestor.createActivity(usual);
    const { provider: stranger } = await agreementOf(requestor, usual);
    expect(stranger).not.toBe(provider);
    const claim = async (
      part: object,
    ): Promise<[number, { status?: string; reason?: string; message?: string }]> =>
      await broker.call('/claims', {
        ...{ kind: 'debitNote', id: `claim-${Math.random()}`, issuer: provider, agreementId, activityId },
        ...{ amount: '0', usage: [0, 0], ...part },
      });
    expect(await claim({ issuer: stranger })).toMatchObject(
      [200, { status: 'refused', reason: /somebody else/ }].map(matching),
    );
    expect(await claim({ issuer: stranger, agreementId: usual, activityId: usualActivity })).toMatchObject(
      [200, { status: 'refused', reason: /does not name this broker/ }].map(matching),
    );
    expect(await claim({ agreementId: 'none' })).toMatchObject(
      [200, { status: 'refused', reason: /no agreement/ }].map(matching),
    );
    expect(await claim({ activityId: 'invented' })).toMatchObject(
      [200, { status: 'refused', reason: /does not know/ }].map(matching),
    );
    expect(await claim({ usage: [0, 9999], amount: '99.99' })).toMatchObject(
      [200, { status: 'refused', reason: /have passed/ }].map(matching),
    );
    expect((await claim({ amount: '-1' }))[0]).toBe(400);
    // One id is one note: its terms stay.
    const once = { id: 'once' };
    expect((await claim(once))[1].status).toBe('settled');
    expect((await claim(once))[1].status).toBe('settled');
    expect(await claim({ ...once, amount: '1' })).toMatchObject([409, {}]);
    // A transfer is a deposit once, and only one that the ledger shows.
    const [me = ''] = devnet.node('requestor').requestorIds;
    expect((await broker.call<Deposit>('/deposits', { requestor: me, amount: '5' }))[0]).toBe(409);
    expect((await broker.call(`/deposits/${id}/close`, {}))[0]).toBe(409);
  });
});

function matching(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      each instanceof RegExp ? expect.stringMatching(each) : each,
    ]),
  );
}

async function agreementOf(requestor: Requestor, id: string): Promise<{ provider: string }> {
  return await requestor.admin(`/agreements/${id}`);
}

describe('what a broker releases', () => {
  const NOW = 10_000_000;
  const offer = {
    'golem.com.pricing.model': 'linear',
    'golem.com.usage.vector': ['golem.usage.cpu_sec', 'golem.usage.duration_sec'],
    'golem.com.pricing.model.linear.coeffs': [0, 0.01, 0],
    'golem.inf.cpu.threads': 2,
  };
  const broker = { url: 'http://127.0.0.1:1', address: '0xb', deposit: 'd' };
  const demand = { ...brokerProperties(broker), 'golem.com.payment.chosen-platform': PLATFORM };
  const note = (amount: string, seconds: number, more: Partial<Claim> = {}): Claim => ({
    ...{ kind: 'debitNote', id: 'n', issuer: '0xp', agreementId: 'a', activityId: 'vm', amount },
    ...{ usage: [0, seconds], ...more },
  });
  const ask = (claim: Claim, more: Partial<Case> = {}): ReturnType<typeof judge> =>
    judge({
      ...{ claim, address: '0xb', nowMs: NOW, hourSec: 3600 },
      agreement: {
        ...{
          requestor: '0xr',
          provider: '0xp',
          demand,
          offer,
          approvedMs: NOW - 100_000,
          activityIds: ['vm', 'vm2'],
        },
      },
      deposit: { id: 'd', requestor: '0xr', platform: PLATFORM, perHour: '10', total: '20', closed: false },
      released: { fromDeposit: [], notes: [], isInvoiced: false },
      ...more,
    });

  test('is what a note adds to those before it of its activity', () => {
    expect(ask(note('1', 100))).toEqual({ do: 'release', added: '1' });
    const notes = [{ activityId: 'vm', amount: '0.4', usage: [0, 40] }];
    const released = { fromDeposit: [], notes, isInvoiced: false };
    expect(ask(note('1', 100), { released })).toEqual({ do: 'release', added: '0.6' });
    expect(ask(note('0.3', 30), { released })).toMatchObject({ do: 'refuse' });
    const invoice: Claim = { ...note('0.9', 0), kind: 'invoice', activityId: undefined, activityIds: ['vm'] };
    expect(ask(invoice, { released })).toEqual({ do: 'release', added: '0.5' });
    expect(ask(invoice, { released: { ...released, isInvoiced: true } })).toMatchObject({ do: 'refuse' });
  });

  test('is nothing for more seconds than have passed, in one activity or in all', () => {
    expect(ask(note('2', 200))).toMatchObject({ do: 'refuse', reason: expect.stringMatching(/have passed/) });
    const notes = [{ activityId: 'vm2', amount: '0.9', usage: [0, 90] }];
    expect(ask(note('0.9', 90), { released: { fromDeposit: [], notes, isInvoiced: false } })).toMatchObject({
      do: 'refuse',
    });
  });

  test('is no more than the hour lets go, to the very moment', () => {
    const out = (agoSec: number, amount: string) => ({ atMs: NOW - agoSec * 1000, amount });
    const released = (...fromDeposit: { atMs: number; amount: string }[]) => ({
      released: { fromDeposit, notes: [], isInvoiced: false },
    });
    expect(ask(note('1', 100), released(out(10, '9')))).toEqual({ do: 'release', added: '1' });
    expect(ask(note('1', 100), released(out(10, '9'), out(5, '0.5')))).toMatchObject({
      ...{ do: 'hold', untilMs: NOW - 10_000 + 3_600_000 },
    });
    expect(ask(note('1', 100), released(out(3600, '9.9')))).toEqual({ do: 'release', added: '1' });
    expect(ask(note('1', 100), released(out(5000, '10'), out(4000, '9.5')))).toMatchObject({ do: 'refuse' });
  });

  test.each([
    ['no such agreement', { agreement: undefined }],
    ['no such deposit', { deposit: undefined }],
    ['another broker', { address: '0xc' }],
  ])('is nothing with %s', (_name, part) => {
    expect(ask(note('1', 100), part)).toMatchObject({ do: 'refuse' });
  });

  test.each([
    ["another requestor's deposit", { requestor: '0xs' }],
    ['a closed one', { closed: true }],
    ['one on another platform', { platform: 'erc20-polygon-glm' }],
  ])('is nothing from %s', (_name, part) => {
    const deposit = {
      id: 'd',
      requestor: '0xr',
      platform: PLATFORM,
      perHour: '10',
      total: '20',
      closed: false,
    };
    expect(ask(note('1', 100), { deposit: { ...deposit, ...part } })).toMatchObject({ do: 'refuse' });
  });
});
