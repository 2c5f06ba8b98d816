import type { Devnet } from '../devnet';
import { Amount } from '../devnet/payment/amounts';
import { acceptInvoice, adminPost, expectBalanced, invoicedRental, settled } from './support/devnet-rental';
import { PLATFORM, withDevnet, type Answer, type Requestor } from './support/devnet-requestor';

const PAYMENT = '/payment-api/v1';
const ONE = [{ name: 'one', pricing: { start: '0.001', cpuPerHour: '0.1', envPerHour: '0.05' } }];
const CONTRACT = `0x${'c0'.repeat(20)}`;
const FUNDER = `0x${'f0'.repeat(20)}`;
const DEPOSIT = { id: '0x2a', contract: CONTRACT };
const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

/** A deposit of 5 GLM, out of 8 that the funder has. */
async function makeDeposit(devnet: Devnet, fields: object = {}): Promise<void> {
  await adminPost(devnet, '/transfers', { to: FUNDER, amount: '8' });
  const [status] = await adminPost(devnet, '/deposits', {
    ...DEPOSIT,
    funder: FUNDER,
    amount: '5',
    ...fields,
  });
  expect(status).toBe(200);
}

function allocate(requestor: Requestor, deposit: object, fields: object = {}): Promise<Answer> {
  return requestor.post(`${PAYMENT}/allocations`, {
    ...{ totalAmount: '4', paymentPlatform: PLATFORM, timeout: inAnHour(), deposit, ...fields },
  });
}

describe('a deposit', () => {
  it('pays for what is accepted with its allocation, and what is left of it goes back', async () => {
    await withDevnet({ providers: ONE, funds: '0', paymentCycleSec: 0 }, async (requestor, devnet) => {
      await makeDeposit(devnet);
      const balance = (owner: string): string => devnet.wallets.balance(owner, PLATFORM).toFixed();
      expect([balance(FUNDER), balance(CONTRACT)]).toEqual(['3', '5']);

      const { status, json } = await allocate(requestor, DEPOSIT);
      expect([status, json.deposit]).toEqual([201, DEPOSIT]);
      const { allocationId } = json as { allocationId: string };
      expect(
        (await requestor.get(`${PAYMENT}/demandDecorations?allocationIds=${allocationId}`)).json.constraints,
      ).toContain('(golem.com.payment.protocol.version>2)');
      const invoice = await invoicedRental(requestor, 's');
      expect((await acceptInvoice(requestor, invoice, allocationId)).status).toBe(200);
      await settled(requestor, invoice.invoiceId);
      expect(await requestor.admin('/deposits')).toMatchObject([
        { ...DEPOSIT, funder: FUNDER, amount: '5', allocationId, closed: false },
      ]);
      await requestor.delete(`${PAYMENT}/allocations/${allocationId}`);
      await requestor.effect('deposit-closed');

      const { amount, issuerId } = invoice;
      const left = new Amount(8).minus(amount).toFixed();
      expect([balance(FUNDER), balance(CONTRACT)]).toEqual([left, '0']);
      expect(devnet.ledger.after()).toMatchObject([
        { kind: 'transfer', from: 'treasury', to: FUNDER, amount: '8' },
        { kind: 'deposit', from: FUNDER, to: CONTRACT, amount: '5', depositId: '0x2a' },
        {
          kind: 'payment',
          from: CONTRACT,
          to: issuerId,
          amount,
          depositId: '0x2a',
          requestor: expect.any(String),
        },
        { kind: 'deposit-closed', from: CONTRACT, to: FUNDER, depositId: '0x2a' },
      ]);
      const [deposit] = await requestor.admin('/deposits');
      expect(deposit).toMatchObject({ closed: true, spent: new Amount(amount).toFixed() });
      const paid = new Amount(amount).toFixed();
      expect((await requestor.admin('/state')).money).toEqual([
        { node: 'requestor', platform: PLATFORM, balance: '0', reserved: '0', accepted: paid, paid },
      ]);
      expectBalanced(devnet);
    });
  });

  it('stands for one allocation only, of its spender, that it can pay, before it ends, on its terms', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      const refusal = async (deposit: object, fields: object = {}): Promise<[string, string]> => {
        const { status, contentType, json } = await allocate(requestor, deposit, fields);
        expect([status, contentType]).toEqual([400, 'application/problem+json']);
        return [(json.instance as string).replace(/^.*\//, ''), json.detail];
      };
      const validTo = new Date(Date.now() + 1_800_000).toISOString();
      const timeout = new Date(Date.now() + 600_000).toISOString();
      await makeDeposit(devnet, { validTo });
      await makeDeposit(devnet, { id: '0xff', spender: FUNDER });
      expect(await refusal({ ...DEPOSIT, contract: 'zz' })).toEqual([
        'malformed-deposit-contract',
        'Invalid deposit contract address',
      ]);
      expect(await refusal({ ...DEPOSIT, id: 'zz' })).toEqual(['malformed-deposit-id', 'Invalid deposit id']);
      expect(await refusal({ ...DEPOSIT, id: '0x2b' })).toEqual([
        'no-deposit',
        "Deposit doesn't exist under the given id 0x2b",
      ]);
      expect((await refusal({ ...DEPOSIT, id: '0xff' }))[0]).toBe('deposit-spender-mismatch');
      expect((await refusal(DEPOSIT, { totalAmount: '5.1' }))[0]).toBe('insufficient-deposit-funds');
      expect((await refusal(DEPOSIT))[0]).toBe('timeout-exceeds-deposit');
      expect((await refusal(DEPOSIT, { timeout: null }))[0]).toBe('timeout-exceeds-deposit');
      const validate = { amount: '6000000000000000000' };
      expect(await refusal({ ...DEPOSIT, validate }, { timeout })).toEqual([
        'deposit-validation-error',
        'Deposit contract rejected the deposit: failed due to amount mismatch',
      ]);
      validate.amount = '5000000000000000000';
      const { json } = await allocate(requestor, { ...DEPOSIT, validate }, { timeout });
      // The same number, written differently.
      expect(await refusal({ ...DEPOSIT, id: '2A' }, { timeout })).toEqual([
        'deposit-reused',
        expect.stringContaining(`already has a corresponding allocation ${json.allocationId}.`),
      ]);

      const amend = (fields: object): Promise<Answer> =>
        requestor.call('PUT', `${PAYMENT}/allocations/${json.allocationId}`, fields);
      expect((await amend({ totalAmount: '5' })).status).toBe(200);
      expect((await amend({ totalAmount: '5.5' })).json).toMatchObject({
        instance: expect.stringMatching(/insufficient-deposit-funds$/),
        ...{ requestedFunds: '0.5', availableFunds: '0.000000000000000000' },
      });
      expect((await amend({ deposit: { validate: { flatFeeAmount: '1' } } })).json.detail).toContain(
        'failed due to flatFeeAmount mismatch',
      );
      expect((await amend({ deposit: { validate: { flatFeeAmount: '0' } } })).json.deposit).toEqual({
        ...DEPOSIT,
        validate: { flatFeeAmount: '0' },
      });
    });
  });

  it('that was never used goes back to its funder once it is not valid any more', async () => {
    await withDevnet({ providers: ONE, paymentCycleSec: 0 }, async (requestor, devnet) => {
      const terminate = async (path: string): Promise<[number, Answer['json']]> => {
        const response = await fetch(`${devnet.adminUrl}/deposits/${path}`, { method: 'DELETE' });
        return [response.status, await response.json()];
      };
      await makeDeposit(devnet, { id: '0x1', validTo: inAnHour() });
      await makeDeposit(devnet, { id: '0x2', validTo: inAnHour() });
      await makeDeposit(devnet, { id: '0x3', validTo: '2026-01-01T00:00:00Z' });
      const timeout = new Date(Date.now() + 600_000).toISOString();
      const { json } = await allocate(requestor, { ...DEPOSIT, id: '0x2' }, { timeout });
      const { allocationId } = json as { allocationId: string };

      const at = `?contract=${CONTRACT}`;
      expect(await terminate(`0x1${at}`)).toEqual([
        409,
        { message: expect.stringMatching(/^deposit 0x1 is valid until 20/) },
      ]);
      expect(await terminate(`0x2${at}`)).toEqual([
        409,
        { message: expect.stringContaining(`allocation ${allocationId} uses it`) },
      ]);
      expect(await terminate(`0x4${at}`)).toEqual([
        404,
        { message: `contract ${CONTRACT} has no deposit 0x4 on ${PLATFORM}` },
      ]);
      expect((await terminate('0x3'))[0]).toBe(400);
      const before = devnet.wallets.balance(FUNDER, PLATFORM);
      // The same number, written differently.
      expect(await terminate(`03${at}`)).toEqual([
        200,
        expect.objectContaining({ id: '0x3', closed: true, spent: '0' }),
      ]);
      expect(devnet.wallets.balance(FUNDER, PLATFORM).minus(before).toFixed()).toBe('5');
      expect(devnet.ledger.after().at(-1)).toMatchObject({
        ...{ kind: 'deposit-closed', from: CONTRACT, to: FUNDER, amount: '5', depositId: '0x3' },
      });
      expect((await requestor.effect('deposit-closed')).cause).toContain('DELETE /deposits/03');
      expect(await terminate(`0x3${at}`)).toEqual([409, { message: 'deposit 0x3 is closed already' }]);
      expect((await allocate(requestor, { ...DEPOSIT, id: '0x3' }, { timeout })).json.instance).toMatch(
        /no-deposit$/,
      );
      expectBalanced(devnet);
    });
  });

  it('takes only money that its funder has, and is made once', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      const wanted = { ...DEPOSIT, funder: FUNDER, amount: '5' };
      expect((await adminPost(devnet, '/deposits', wanted))[0]).toBe(400);
      await makeDeposit(devnet);
      expect(await adminPost(devnet, '/deposits', wanted)).toEqual([
        409,
        { message: `contract ${CONTRACT} has a deposit 0x2a already` },
      ]);
      const funder = (await requestor.get('/me')).json.identity as string;
      expect((await adminPost(devnet, '/deposits', { ...wanted, id: '0x1', funder }))[0]).toBe(200);
      expect(devnet.wallets.balance(funder, PLATFORM).toFixed()).toBe('995');
      for (const [field, value] of Object.entries({ id: 'x', funder: 'me', amount: '-1', validTo: 'soon' })) {
        const [status, { message }] = await adminPost(devnet, '/deposits', { ...wanted, [field]: value });
        expect([status, message]).toEqual([400, expect.stringMatching(`^${field}: `)]);
      }
      expectBalanced(devnet);
    });
  });
});
