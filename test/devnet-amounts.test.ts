/** Amounts of money, wherever they come in: exact when they are amounts, and refused at once when they are absurd. */
import { startDevnet } from '../devnet';
import { sharedDevnet } from './support/devnet-requestor';

const PAYMENT = '/payment-api/v1';
const ID = '00000000-0000-4000-8000-000000000000';

const shared = sharedDevnet();

const ABSURD: [string, string][] = [
  ['more than all zeros can say', '"1e100000000"'],
  ['less than all zeros can say', '"1e-100000000"'],
  ['negative, and the same', '"-1e-100000000"'],
  ['an exponent that is no number of ours', `"1e${'9'.repeat(400)}"`],
  ['a number beyond JavaScript', '1e999'],
  ['a million digits', `"${'1'.repeat(1_000_000)}"`],
  ['a million digits and no number', `"${'1'.repeat(1_000_000)}x"`],
  ['a million decimals', `"0.${'0'.repeat(1_000_000)}1"`],
  ['31 digits', `"${'1'.repeat(31)}"`],
  ['41 decimals', `"0.${'1'.repeat(41)}"`],
];

describe('an amount in a request', () => {
  it.each([
    ['1.50e1', '15.0'],
    ['1e2', '100'],
    ['12.5E-2', '0.125'],
    ['+007', '7'],
    ['.5', '0.5'],
    ['0.10', '0.10'],
    ['-0', '0'],
    ['0.1234567890123456789123', '0.1234567890123456789123'],
    [2, '2'],
    [1e-7, '0.0000001'],
  ])('%s is taken as %s', async (totalAmount, plain) => {
    const { status, json } = await shared.requestor.post(`${PAYMENT}/allocations`, { totalAmount });
    expect([status, json.totalAmount, json.remainingAmount]).toEqual([201, plain, plain]);
    expect((await shared.requestor.delete(`${PAYMENT}/allocations/${json.allocationId}`)).status).toBe(200);
  });

  it.each(ABSURD)('is refused at once when it is %s', async (_, amount) => {
    const allocationId = await shared.requestor.allocate('1');
    for (const [method, path, field] of [
      ['POST', 'allocations', 'totalAmount'],
      ['PUT', `allocations/${allocationId}`, 'totalAmount'],
      ['POST', `invoices/${ID}/accept`, 'totalAmountAccepted'],
      ['POST', `debitNotes/${ID}/accept`, 'totalAmountAccepted'],
    ] as const) {
      const body = `{"${field}":${amount},"allocationId":"${allocationId}"}`;
      const answer = await shared.requestor.call(method, `${PAYMENT}/${path}`, body);
      expect([path, answer.status, answer.contentType]).toEqual([path, 400, 'text/plain; charset=utf-8']);
      expect(answer.text).toMatch(/^Json deserialize error: number out of range at line 1 column \d+$/);
    }
    expect(shared.devnet.open().allocations).toEqual([allocationId]);
    expect((await shared.requestor.get(`${PAYMENT}/allocations/${allocationId}`)).json.totalAmount).toBe('1');
    await shared.requestor.delete(`${PAYMENT}/allocations/${allocationId}`);
  });

  it('is no amount when it is of another type', async () => {
    for (const [totalAmount, complaint] of [
      ['abc', 'invalid digit found in string'],
      ['', 'invalid digit found in string'],
      ['Infinity', 'invalid digit found in string'],
      [true, 'invalid type: boolean `true`, expected a number or formatted decimal string'],
      [[], 'invalid type: sequence, expected a number or formatted decimal string'],
    ] as const) {
      const answer = await shared.requestor.post(`${PAYMENT}/allocations`, { totalAmount });
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(complaint)]);
    }
  });
});

describe('an amount at the admin API', () => {
  const address = `0x${'1'.repeat(40)}`;
  it.each(['1e5', '-1', '1'.repeat(31), '9'.repeat(900_000), `0.${'1'.repeat(19)}`, 5, ''])(
    'is refused with one line: %p',
    async (amount) => {
      const deposit = { id: '1', contract: address, funder: address, amount };
      for (const [path, body] of [
        ['transfers', { to: address, amount }],
        ['deposits', deposit],
      ] as const) {
        const { status, json } = await post(`${shared.devnet.adminUrl}/${path}`, body);
        expect([status, json.message.length < 200, json.message]).toEqual([
          400,
          true,
          expect.stringContaining('amount'),
        ]);
      }
    },
  );

  async function post(url: string, body: object): Promise<{ status: number; json: { message: string } }> {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, json: (await response.json()) as { message: string } };
  }
});

describe('an amount in the options', () => {
  it.each(['1e5', '9'.repeat(400), '-1', 'all'])('is refused with one line: %s', async (funds) => {
    for (const options of [{ funds }, { nodes: [{ name: 'bob', funds }] }])
      await expect(startDevnet(options)).rejects.toThrow(/^[^\n]{1,200}$/);
  });

  it('is refused as a price before it can be no number', async () => {
    const providers = [{ name: 'dear', pricing: { envPerHour: '9'.repeat(400) } }];
    await expect(startDevnet({ providers })).rejects.toThrow(
      /pricing.envPerHour: must have at most 12 digits/,
    );
  });
});
