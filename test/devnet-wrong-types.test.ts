/** A request with a field of the wrong type is told so, and nothing comes of it. */
import { sharedDevnet } from './support/devnet-requestor';

const MARKET = '/market-api/v1';
const PAYMENT = '/payment-api/v1';

const shared = sharedDevnet();

describe('a new allocation', () => {
  const NO_PLATFORM = 'data did not match any variant of untagged enum PaymentPlatformEnum';
  it.each<[object, string]>([
    [{ paymentPlatform: 5 }, NO_PLATFORM],
    [{ paymentPlatform: true }, NO_PLATFORM],
    [{ paymentPlatform: [] }, NO_PLATFORM],
    [{ paymentPlatform: { token: 5 } }, NO_PLATFORM],
    [{ paymentPlatform: { driver: {} } }, NO_PLATFORM],
    [{ address: 5 }, 'invalid type: integer `5`, expected a string'],
    [{ makeDeposit: 'yes' }, 'invalid type: string "yes", expected a boolean'],
    [{ makeDeposit: 1 }, 'invalid type: integer `1`, expected a boolean'],
    [{ extendTimeout: '5' }, 'invalid type: string "5", expected u64'],
    [{ extendTimeout: -5 }, 'invalid type: integer `-5`, expected u64'],
    [{ timeout: 5 }, 'invalid type: integer `5`, expected a string'],
    [{ deposit: 'all' }, 'invalid type: string "all", expected struct Deposit'],
    [{ deposit: { id: 1 } }, 'invalid type: integer `1`, expected a string'],
    [{ deposit: { id: '1' } }, 'missing field `contract`'],
    [
      { deposit: { id: '1', contract: '0x', validate: 5 } },
      'invalid type: integer `5`, expected struct ValidateDepositCall',
    ],
    [
      { deposit: { id: '1', contract: '0x', validate: { a: [] } } },
      'invalid type: sequence, expected a string',
    ],
  ])('with %j is refused', async (fields, complaint) => {
    const { status, contentType, text } = await shared.requestor.post(`${PAYMENT}/allocations`, {
      totalAmount: '1',
      ...fields,
    });
    expect([status, contentType]).toEqual([400, 'text/plain; charset=utf-8']);
    expect(text).toContain(`Json deserialize error: ${complaint} at line 1 column `);
    expect(shared.devnet.open().allocations).toEqual([]);
  });

  it.each<[unknown, string]>([
    ['erc20-constructor-glm', 'Validate network failed (2): Invalid network name: constructor'],
    [{ network: 'toString' }, 'Validate network failed (1): Invalid network name: toString'],
    [{ network: '__proto__' }, 'Validate network failed (1): Invalid network name: __proto__'],
    [{ token: 'GLM' }, 'Uppercase token names are not supported. Use lowercase glm or tglm instead of GLM'],
    [
      'erc20-holesky-glm',
      'Token glm does not match expected token tglm for driver erc20 and network holesky.',
    ],
    ['erc20-holesky', 'paymentPlatform must be of the form driver-network-token instead of erc20-holesky'],
  ])('on the platform %j is refused', async (paymentPlatform, complaint) => {
    const answer = await shared.requestor.post(`${PAYMENT}/allocations`, {
      totalAmount: '1',
      paymentPlatform,
    });
    expect(answer).toMatchObject({ status: 400, contentType: 'application/problem+json' });
    expect(answer.json.parseError).toContain(complaint);
  });

  it.each<[unknown, string]>([
    [null, 'erc20-holesky-tglm'],
    [{}, 'erc20-holesky-tglm'],
    [{ token: 'glm' }, 'erc20-polygon-glm'],
    [{ token: 'tglm', network: null }, 'erc20-holesky-tglm'],
    [{ network: 'mainnet', more: 1 }, 'erc20-mainnet-glm'],
  ])('on the platform %j is on %s', async (paymentPlatform, platform) => {
    const { status, json } = await shared.requestor.post(`${PAYMENT}/allocations`, {
      ...{ totalAmount: '1', paymentPlatform, address: null, deposit: null, extendTimeout: 60 },
    });
    expect([status, json.paymentPlatform]).toEqual([201, platform]);
    await shared.requestor.delete(`${PAYMENT}/allocations/${json.allocationId}`);
  });
});

describe('the place of a mistake', () => {
  it.each([
    ['{"totalAmount": "abc", "makeDeposit": false}', 21],
    ['{"totalAmount": {"a": "}"}, "x": 1}', 26],
    ['{"a":"totalAmount","totalAmount":[[1],"]"] }', 42],
    ['{"totalAmount":\n x}'.replace('x', 'true'), 21],
    ['{"totalAmount":"1","deposit":{"id":"","contract":"","validate":{"(((a+)+": 5}}}', 76],
    [`{"totalAmount":"${'\\"'.repeat(3_000_000)}"}`, 6_000_017],
  ])('is the end of the value: %p', async (body, column) => {
    const { status, text } = await shared.requestor.call('POST', `${PAYMENT}/allocations`, body);
    expect([status, text.slice(-30)]).toEqual([400, expect.stringMatching(` column ${column}$`)]);
  });
});

describe('an amended allocation', () => {
  it('with a deposit of the wrong type is refused', async () => {
    const path = `${PAYMENT}/allocations/${await shared.requestor.allocate()}`;
    for (const deposit of [5, 'all', [], { validate: 5 }, { validate: { amount: 5 } }]) {
      const answer = await shared.requestor.call('PUT', path, { deposit });
      expect([deposit, answer.status, answer.text]).toEqual([
        deposit,
        400,
        expect.stringContaining('Json deserialize error: invalid type'),
      ]);
    }
    await shared.requestor.delete(path);
  });
});

describe('a demand', () => {
  it.each([[[]], [[1]], [5], ['text'], [true], [null]])(
    'with the properties %j is refused',
    async (properties) => {
      const answer = await shared.requestor.post(`${MARKET}/demands`, { properties, constraints: '()' });
      expect(answer.status).toBe(400);
      expect(answer.json.message).toContain('expected a map');
      expect(shared.devnet.open().demands).toEqual([]);
    },
  );

  it('without properties is kept as a real yagna keeps it', async () => {
    const demandId = await shared.requestor.subscribe({ properties: {}, constraints: '()' });
    const { json } = await shared.requestor.get(`${MARKET}/demands`);
    expect(json).toMatchObject([{ demandId, properties: { '': {} } }]);
    await shared.requestor.delete(`${MARKET}/demands/${demandId}`);
  });
});

describe('a query', () => {
  it.each([
    ['allocations?maxItems=-1'],
    ['invoices?maxItems=-1'],
    ['debitNotes?maxItems=-1'],
    ['batchOrders?maxItems=-1'],
    ['payments?timeout=0&maxItems=-1'],
    ['invoiceEvents?timeout=0&maxEvents=-1'],
  ])('for fewer than none is refused: %s', async (path) => {
    const { status, text } = await shared.requestor.get(`${PAYMENT}/${path}`);
    expect([status, text]).toEqual([400, 'Query deserialize error: invalid digit found in string']);
  });

  it.each(['toString', 'constructor', '__proto__', 'nonet'])(
    'for the network %s finds none',
    async (network) => {
      const answer = await shared.requestor.get(`${PAYMENT}/payments/status?network=${network}`);
      expect(answer).toMatchObject({
        ...{ status: 404, json: { message: `Requested network not supported ${network}` } },
      });
    },
  );
});
