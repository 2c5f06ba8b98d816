import { join } from 'node:path';
import { startDevnet, type Devnet } from '../devnet';
import { Amount } from '../devnet/payment/amounts';
import { PLATFORM, Requestor, withDevnet, type Answer } from './support/devnet-requestor';
import {
  acceptInvoice,
  adminPost,
  expectBalanced,
  invoicedRental,
  invoiceOf,
  settled,
  SUPPLY,
  type Invoice,
} from './support/devnet-rental';
import { tempDir } from './support/temp-dir';

const PAYMENT = '/payment-api/v1';
const POLYGON = 'erc20-polygon-glm';
const PRICED = { pricing: { start: '0.001', cpuPerHour: '0.1', envPerHour: '0.05' } };
const PROVIDERS = ['one', 'two', 'three'].map((name) => ({ name, ...PRICED }));
const ONE = PROVIDERS.slice(0, 1);
const folder = tempDir('ledger');

const idOf = async (requestor: Requestor): Promise<string> => (await requestor.get('/me')).json.identity;

describe('the ledger', () => {
  it('tells who paid whom, when, and for which documents', async () => {
    await withDevnet({ providers: ONE, paymentCycleSec: 0 }, async (requestor, devnet) => {
      const me = await idOf(requestor);
      const allocationId = await requestor.allocate('5');
      const invoice = await invoicedRental(requestor, 's');
      const { debitNoteId } = await requestor.firstEvent('debitNote', 's');
      const { json: note } = await requestor.get(`${PAYMENT}/debitNotes/${debitNoteId}`);
      const half = { totalAmountAccepted: note.totalAmountDue, allocationId };
      await requestor.post(`${PAYMENT}/debitNotes/${debitNoteId}/accept`, half);
      const { paymentId } = await requestor.effect('paid');
      await acceptInvoice(requestor, invoice, allocationId);
      await settled(requestor, invoice.invoiceId);

      const { agreementId, issuerId: provider, amount } = invoice;
      expect(await requestor.admin('/ledger')).toEqual(devnet.ledger.after());
      expect(await requestor.admin('/ledger?after=1&limit=1')).toEqual([devnet.ledger.after()[1]]);
      expect(devnet.ledger.after()).toEqual([
        {
          ...{ seq: 1, at: expect.any(String), kind: 'funding', platform: PLATFORM },
          ...{ from: 'treasury', to: me, amount: '1000' },
        },
        {
          ...{ seq: 2, at: expect.any(String), kind: 'payment', platform: PLATFORM },
          ...{ from: me, to: provider, amount, paymentId },
          for: [{ agreementId, activityId: note.activityId, debitNoteId, allocationId, amount }],
        },
      ]);
      expect(devnet.wallets.balance(provider, PLATFORM).toFixed(18)).toBe(amount);
      expect(await requestor.admin('/wallets')).toContainEqual({
        ...{ owner: me, platform: PLATFORM, balance: new Amount(1000).minus(amount).toFixed() },
      });
      expectBalanced(devnet);
    });
  });

  it('explains every balance, and money is neither made nor lost, whatever happens', async () => {
    const dataDir = join(folder, 'ledger');
    const random = seeded(20_261_125);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T; // never empty here
    const names = ['requestor', 'bob'] as const;
    let devnet: Devnet;
    const start = async (): Promise<void> => {
      const nodes = [{ name: 'bob', funds: '20' }];
      devnet = await startDevnet({ dataDir, providers: PROVIDERS, nodes, paymentCycleSec: 0.05 });
    };
    const of = (name: string): Requestor =>
      new Requestor(devnet.node(name).url, devnet.node(name).appKey, devnet.adminUrl);
    const allocations: Record<string, string[]> = { requestor: [], bob: [] };
    const open: { name: string; invoice: Invoice }[] = [];
    const accepted: { name: string; invoice: Invoice }[] = [];
    let sessions = 0;

    const allocate = async (name: string, deposit?: object): Promise<void> => {
      const { json } = await of(name).post(`${PAYMENT}/allocations`, {
        ...{ totalAmount: (random() * 15).toFixed(4), paymentPlatform: PLATFORM, deposit },
        timeout: new Date(Date.now() + 3_600_000).toISOString(),
      });
      if (json.allocationId) allocations[name]?.push(json.allocationId as string);
    };
    const steps: Record<string, (name: string) => Promise<unknown>> = {
      allocate,
      deposit: async (name) => {
        const [contract, id] = [`0x${'c'.repeat(40)}`, `0x${(sessions += 1).toString(16)}`];
        const funder = `0x${'f'.repeat(40)}`;
        await adminPost(devnet, '/transfers', { to: funder, amount: '20' });
        await adminPost(devnet, '/deposits', { id, contract, funder, amount: '15' });
        await allocate(name, { id, contract });
      },
      amend: async (name) => {
        const id = pick([...(allocations[name] ?? []), 'none']);
        await of(name).call('PUT', `${PAYMENT}/allocations/${id}`, {
          totalAmount: (random() * 9).toFixed(3),
        });
      },
      release: (name) => of(name).delete(`${PAYMENT}/allocations/${allocations[name]?.shift()}`),
      rent: async (name) => {
        sessions += 1;
        open.push({ name, invoice: await invoicedRental(of(name), `s${sessions}`) });
      },
      note: async (name) => {
        const { json: notes } = await of(name).get(`${PAYMENT}/debitNotes`);
        for (const { debitNoteId, totalAmountDue } of notes.slice(-1)) {
          const acceptance = {
            totalAmountAccepted: totalAmountDue,
            allocationId: allocations[name]?.[0] ?? '',
          };
          await of(name).post(`${PAYMENT}/debitNotes/${debitNoteId}/accept`, acceptance);
        }
      },
      accept: async () => {
        const next = open.shift();
        if (!next) return;
        const { status } = await acceptInvoice(
          of(next.name),
          next.invoice,
          allocations[next.name]?.[0] ?? '',
        );
        (status === 200 ? accepted : open).push(next);
      },
      drain: async (name) => {
        const from = await idOf(of(name));
        const amount = devnet.wallets.balance(from, PLATFORM).toFixed();
        await adminPost(devnet, '/transfers', { from, to: 'treasury', amount });
      },
      fund: async (name) => adminPost(devnet, '/transfers', { to: await idOf(of(name)), amount: '30' }),
      // On another port, for no connection of before to be reused.
      restartNode: (name) => devnet.node(name).restart({ port: 0 }),
      restartAll: async () => {
        await devnet.close();
        await start();
      },
    };
    const often = ['allocate', 'rent', 'rent', 'rent', 'accept', 'accept', 'note', 'release'];

    await start();
    try {
      for (const name of names) await allocate(name);
      for (let i = 0; i < 120; i += 1) {
        const step = pick([...Object.keys(steps), ...often]);
        await steps[step]?.(pick(names));
        expectBalanced(devnet!); // started above
      }
      // What is left to be paid is paid once there is money.
      for (const name of names) await steps['fund']?.(name);
      for (const name of names) allocations[name]?.unshift(await of(name).allocate('1'));
      while (open.length > 0) await steps['accept']?.('');
      for (const { name, invoice } of accepted) await settled(of(name), invoice.invoiceId);
      expect(accepted.length).toBeGreaterThan(10);
      const kinds = new Set(devnet!.ledger.after().map((entry) => entry.kind));
      expect([...kinds].sort()).toEqual(['deposit', 'deposit-closed', 'funding', 'payment', 'transfer']);
      const paid = devnet!.ledger.after().flatMap((entry) => entry.for ?? []);
      for (const { name, invoice } of accepted) {
        expect((await invoiceOf(of(name), invoice.invoiceId)).status).toBe('SETTLED');
        const parts = paid.filter(({ agreementId }) => agreementId === invoice.agreementId);
        expect(Amount.sum(...parts.map(({ amount }) => amount)).toFixed(18)).toBe(invoice.amount);
      }
      expectBalanced(devnet!);
    } finally {
      await devnet!.close();
    }
  });
});

describe('payments', () => {
  it('are one to each provider for all that was accepted with it', async () => {
    const dataDir = join(folder, 'batch');
    const options = { dataDir, providers: ONE };
    const invoices: Invoice[] = [];
    await withDevnet({ ...options, paymentCycleSec: 1000 }, async (requestor) => {
      const allocationId = await requestor.allocate();
      for (const session of ['first', 'second']) {
        const invoice = await invoicedRental(requestor, session);
        expect((await acceptInvoice(requestor, invoice, allocationId)).status).toBe(200);
        invoices.push(invoice);
      }
      // Accepted is accepted: it is paid though the allocation is gone.
      await requestor.delete(`${PAYMENT}/allocations/${allocationId}`);
    });
    await withDevnet({ ...options, paymentCycleSec: 0 }, async (requestor, devnet) => {
      for (const { invoiceId } of invoices) await settled(requestor, invoiceId);
      const { json: payments } = await requestor.get(`${PAYMENT}/payments?timeout=0`);
      const [first, second] = invoices as [Invoice, Invoice];
      expect(payments).toMatchObject([
        {
          payeeId: first.issuerId,
          amount: Amount.sum(first.amount, second.amount).toFixed(18),
          activityPayments: [],
          agreementPayments: invoices.map(({ agreementId, amount }) => ({ agreementId, amount })),
        },
      ]);
      const [{ signature, signedBytes, ...signed }] = payments;
      expect(signature).toHaveLength(65);
      expect(JSON.parse(Buffer.from(signedBytes as number[]).toString())).toEqual(signed);
      expectBalanced(devnet);
    });
  });

  it('wait for money when there is too little, as the driver status says, and are made once there is', async () => {
    await withDevnet({ providers: ONE, paymentCycleSec: 0 }, async (requestor, devnet) => {
      const me = await idOf(requestor);
      const allocationId = await requestor.allocate();
      const invoice = await invoicedRental(requestor, 's');
      await adminPost(devnet, '/transfers', { from: me, to: 'treasury', amount: '1000' });
      expect((await acceptInvoice(requestor, invoice, allocationId)).status).toBe(200);
      expect(await requestor.effect('payment-short-of-funds')).toMatchObject({ requestorId: me });
      const status = `${PAYMENT}/payments/status`;
      expect((await requestor.get(status)).json).toEqual([
        {
          ...{ kind: 'InsufficientToken', driver: 'erc20', network: 'holesky', address: me },
          neededTokenEst: new Amount(invoice.amount).toFixed(),
        },
      ]);
      expect((await requestor.get(`${status}?network=polygon`)).json).toEqual([]);
      expect(await requestor.get(`${status}?network=nonet`)).toMatchObject({
        status: 404,
        json: { message: 'Requested network not supported nonet' },
      });
      expect((await invoiceOf(requestor, invoice.invoiceId)).status).toBe('ACCEPTED');

      await adminPost(devnet, '/transfers', { to: me, amount: '1' });
      await settled(requestor, invoice.invoiceId);
      expect((await requestor.get(status)).json).toEqual([]);
      expectBalanced(devnet);
    });
  });
});

describe('wallets', () => {
  it('of requestors are funded once on each platform, with as much as is said; those of providers are empty', async () => {
    const nodes = [{ name: 'rich', funds: '5000.5' }, { name: 'ordinary' }];
    await withDevnet({ providers: ONE, funds: '0', nodes }, async (requestor, devnet) => {
      const { url, appKey } = devnet.node('rich');
      const rich = new Requestor(url, appKey);
      expect((await rich.get(`${PAYMENT}/requestorAccounts`)).json).toEqual([]);
      const platforms = [PLATFORM, POLYGON, POLYGON];
      for (const paymentPlatform of platforms)
        await rich.post(`${PAYMENT}/allocations`, { totalAmount: '1', paymentPlatform });
      const owner = await idOf(rich);
      expect(devnet.wallets.list().filter((wallet) => wallet.owner === owner)).toEqual([
        { owner, platform: PLATFORM, balance: '5000.5' },
        { owner, platform: POLYGON, balance: '5000.5' },
      ]);
      expect((await rich.get(`${PAYMENT}/requestorAccounts`)).json).toMatchObject([
        { platform: PLATFORM, network: 'holesky', token: 'tGLM', address: owner },
        { platform: POLYGON, network: 'polygon', token: 'GLM', address: owner },
      ]);

      const poor = await requestor.post(`${PAYMENT}/allocations`, { totalAmount: '1' });
      expect([poor.status, poor.json.availableFunds]).toEqual([400, '0']);
      await adminPost(devnet, '/transfers', { to: await idOf(requestor), amount: '2' });
      expect((await requestor.post(`${PAYMENT}/allocations`, { totalAmount: '2' })).status).toBe(201);
      expectBalanced(devnet);
    });
    const refused = `funds: give a decimal from 0 to ${SUPPLY}`;
    await expect(startDevnet({ funds: '1e3' })).rejects.toThrow(refused);
  });

  it('are reserved by allocations and by what is accepted, and free again afterwards', async () => {
    await withDevnet({ providers: ONE, funds: '10', paymentCycleSec: 1000 }, async (requestor, devnet) => {
      const allocate = (totalAmount: string, paymentPlatform = PLATFORM): Promise<Answer> =>
        requestor.post(`${PAYMENT}/allocations`, { totalAmount, paymentPlatform });
      const first = (await allocate('6')).json.allocationId as string;
      expect(await allocate('5')).toMatchObject({
        status: 400,
        json: { requestedFunds: '5', availableFunds: '4', reservedFunds: '6' },
      });
      expect((await allocate('5', POLYGON)).status).toBe(201);
      const second = (await allocate('4')).json.allocationId as string;
      const amend = (totalAmount: string): Promise<Answer> =>
        requestor.call('PUT', `${PAYMENT}/allocations/${second}`, { totalAmount });
      expect(await amend('5')).toMatchObject({
        status: 400,
        json: { requestedFunds: '1', availableFunds: '0' },
      });
      expect((await amend('3')).status).toBe(200);
      expect((await amend('4')).status).toBe(200);

      const invoice = await invoicedRental(requestor, 's');
      await acceptInvoice(requestor, invoice, first);
      for (const id of [first, second]) await requestor.delete(`${PAYMENT}/allocations/${id}`);
      expect(await allocate('10')).toMatchObject({
        status: 400,
        json: { reservedFunds: new Amount(invoice.amount).toFixed() },
      });
      expect((await allocate(new Amount(10).minus(invoice.amount).toFixed())).status).toBe(201);
      expectBalanced(devnet);
    });
  });

  it('are free again when an allocation has expired, and reserved as before after a restart', async () => {
    const options = { dataDir: join(folder, 'reserved'), providers: ONE, funds: '10', paymentCycleSec: 1000 };
    const more = (requestor: Requestor): Promise<Answer> =>
      requestor.post(`${PAYMENT}/allocations`, { totalAmount: '11' });
    await withDevnet(options, async (requestor) => {
      const invoice = await invoicedRental(requestor, 's');
      const expiring = await requestor.allocate('3');
      await acceptInvoice(requestor, invoice, await requestor.allocate('6'));
      expect((await more(requestor)).json.reservedFunds).toBe('9');
      const timeout = new Date(Date.now() + 1000).toISOString();
      await requestor.call('PUT', `${PAYMENT}/allocations/${expiring}`, { timeout });
      expect(await requestor.effect('allocation-released')).toMatchObject({ by: 'timeout' });
      expect((await more(requestor)).json.reservedFunds).toBe('6');
    });
    await withDevnet(options, async (requestor, devnet) => {
      expect((await more(requestor)).json).toMatchObject({ reservedFunds: '6', availableFunds: '4' });
      expectBalanced(devnet);
    });
  });

  it('cannot be made to give what they do not hold', async () => {
    await withDevnet({ providers: ONE }, async (_requestor, devnet) => {
      const [from, to] = [`0x${'a'.repeat(40)}`, `0x${'b'.repeat(40)}`];
      expect(await adminPost(devnet, '/transfers', { from, to, amount: '1' })).toEqual([
        400,
        { message: `${from} holds less than 1 on ${PLATFORM}` },
      ]);
      for (const [field, value] of Object.entries({ amount: '-1', to: 'me', platform: 'erc20-moon-glm' })) {
        const [status, { message }] = await adminPost(devnet, '/transfers', {
          to,
          amount: '1',
          [field]: value,
        });
        expect([status, message]).toEqual([400, expect.stringMatching(`^${field}: `)]);
      }
      expect(devnet.ledger.after()).toEqual([]);
    });
  });
});

/** Numbers from 0 to 1 that are the same every time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
