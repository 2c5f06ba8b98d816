/** Reading providers' offers, and choosing among them. */
import { type Offer, readOffer } from '../model/offer';
import {
  hourPrice,
  perHour,
  priceCapReason,
  providerListReason,
  raisedPriceReason,
  SELECTION_STRATEGIES,
} from '../model/selection';
import type { Properties } from '../model/properties';

const PROVIDER = '0x1e34baec996c448814b48eb4fbd908bea004da61';

/** An initial proposal's properties as ya-provider 0.17 sends them. */
const PROPERTIES: Properties = {
  'golem.activity.caps.transfer.protocol': ['http', 'gftp', 'https'],
  'golem.com.payment.debit-notes.accept-timeout?': 240,
  'golem.com.payment.platform.erc20-holesky-tglm.address': PROVIDER,
  'golem.com.payment.platform.erc20-polygon-glm.address': PROVIDER,
  'golem.com.payment.protocol.version': 3,
  'golem.com.pricing.model': 'linear',
  'golem.com.pricing.model.linear.coeffs': [0.0001, 0.0002, 0],
  'golem.com.scheme': 'payu',
  'golem.com.usage.vector': ['golem.usage.cpu_sec', 'golem.usage.duration_sec'],
  'golem.inf.cpu.brand': 'Fake CPU',
  'golem.inf.cpu.cores': 2,
  'golem.inf.cpu.threads': 4,
  'golem.inf.mem.gib': 4,
  'golem.inf.storage.gib': 20,
  'golem.node.id.name': 'yg-prov',
  'golem.runtime.capabilities': ['manifest-support', 'start-entrypoint'],
  'golem.runtime.name': 'vm',
};

function offer(changes: Properties = {}, id = PROVIDER): Offer {
  const reading = readOffer({ ...PROPERTIES, ...changes }, id);
  if (!reading.ok) throw new Error(reading.reason);
  return reading.offer;
}

function priced(id: string, coeffs: number[], threads = 4): Offer {
  return offer({ 'golem.com.pricing.model.linear.coeffs': coeffs, 'golem.inf.cpu.threads': threads }, id);
}

describe('an offer', () => {
  test('is read with exact prices', () => {
    expect(offer()).toEqual({
      providerId: PROVIDER,
      providerName: 'yg-prov',
      cpuCores: 2,
      cpuThreads: 4,
      cpuBrand: 'Fake CPU',
      memGib: 4,
      storageGib: 20,
      runtime: 'vm',
      capabilities: ['manifest-support', 'start-entrypoint'],
      pricing: {
        startPrice: '0',
        cpuPerSec: '0.0001',
        envPerSec: '0.0002',
        usageVector: ['golem.usage.cpu_sec', 'golem.usage.duration_sec'],
        coeffs: ['0.0001', '0.0002', '0'],
      },
      platforms: ['erc20-holesky-tglm', 'erc20-polygon-glm'],
      payment: { acceptTimeoutSec: 240, takesBroker: false },
    });
  });

  test("a provider's words are cut, and cannot write on a terminal", () => {
    const read = offer({
      'golem.node.id.name': `\u001b[31mred\r\n\u202e${'x'.repeat(1000)}`,
      'golem.inf.cpu.brand': '\u0007bell',
      'golem.runtime.capabilities': Array.from({ length: 1000 }, () => 'y'.repeat(1000)),
    });
    expect(read.providerName).toBe(`[31mred ${'x'.repeat(91)}…`);
    expect(read.cpuBrand).toBe('bell');
    expect(read.capabilities).toEqual(Array(30).fill(`${'y'.repeat(99)}…`));
    expect(offer({ 'golem.node.id.name': '\u001b\u0000' }).providerName).toBe(PROVIDER);
    const counters = Array.from({ length: 31 }, (_, n) => `counter-${n}`);
    expect(readOffer({ ...PROPERTIES, 'golem.com.usage.vector': counters }, PROVIDER)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/^golem\.com\.usage\.vector is longer/),
    });
  });

  test('prices too small for plain notation are written out', () => {
    const { pricing } = offer({ 'golem.com.pricing.model.linear.coeffs': [1e-9, 2.5e-19, 5e-7] });
    expect(pricing.coeffs).toEqual(['0.000000001', '0.00000000000000000025', '0.0000005']);
  });

  test('the order of its usage vector counts, not a habit', () => {
    const { pricing } = offer({
      'golem.com.usage.vector': ['golem.usage.duration_sec', 'golem.usage.cpu_sec'],
    });
    expect(pricing).toMatchObject({ cpuPerSec: '0.0002', envPerSec: '0.0001' });
  });

  test('may leave out what is not needed', () => {
    const sparse = { ...PROPERTIES };
    for (const key of ['golem.node.id.name', 'golem.inf.cpu.brand', 'golem.runtime.capabilities'])
      delete sparse[key];
    const reading = readOffer(sparse, PROVIDER.toUpperCase().replace('0X', '0x'));
    expect(reading).toMatchObject({ ok: true, offer: { providerId: PROVIDER, capabilities: [] } });
  });

  test.each<[Properties, RegExp]>([
    [{ 'golem.com.pricing.model': 'free' }, /pricing\.model is "free", not "linear"/],
    [{ 'golem.com.usage.vector': undefined }, /usage\.vector is not a list/],
    [{ 'golem.com.usage.vector': [] }, /usage\.vector is not a list/],
    [{ 'golem.com.usage.vector': ['golem.usage.cpu_sec', 'golem.usage.cpu_sec'] }, /names a counter twice/],
    [{ 'golem.com.pricing.model.linear.coeffs': [0.1, 0.2] }, /one price for each counter/],
    [{ 'golem.com.pricing.model.linear.coeffs': 'free' }, /one price for each counter/],
    [{ 'golem.com.pricing.model.linear.coeffs': [0.1, -0.2, 0] }, /has -0.2, which is no price/],
    [{ 'golem.com.pricing.model.linear.coeffs': [0.1, null, 0] }, /has null, which is no price/],
    [{ 'golem.com.pricing.model.linear.coeffs': [0.1, 'NaN', 0] }, /has "NaN", which is no price/],
    [{ 'golem.inf.cpu.threads': 0 }, /threads is not a whole number/],
    [{ 'golem.inf.cpu.threads': undefined }, /threads is not a whole number/],
    [
      { 'golem.com.usage.vector': ['golem.usage.cpu_sec', 'golem.usage.gpu-sec'] },
      /charges for "golem\.usage\.gpu-sec", a usage that cannot be checked/,
    ],
  ])('%j is refused with a reason', (changes, reason) => {
    expect(readOffer({ ...PROPERTIES, ...changes }, PROVIDER)).toEqual({
      ok: false,
      reason: expect.stringMatching(reason),
    });
  });

  test('a counter unknown to us is no matter while it is free', () => {
    const { pricing } = offer({
      'golem.com.usage.vector': ['golem.usage.gpu-sec', 'golem.usage.cpu_sec', 'golem.usage.duration_sec'],
      'golem.com.pricing.model.linear.coeffs': [0, 0.1, 0.2, 0.3],
    });
    expect(pricing).toMatchObject({ startPrice: '0.3', cpuPerSec: '0.1', envPerSec: '0.2' });
  });
});

describe('prices', () => {
  test('an hour costs the start price and all threads', () => {
    // 0.5 + (0.0001 × 4 + 0.0002) × 3600
    expect(hourPrice(priced(PROVIDER, [0.0001, 0.0002, 0.5]))).toBe('2.66');
    expect(perHour('0.000000000000000001')).toBe('0.0000000000000036');
  });

  const dear = priced(PROVIDER, [0.0001, 0.0002, 0.5]);
  test.each([
    [{}, undefined],
    [{ maxStartPrice: '0.5', maxCpuPerHour: '0.36', maxEnvPerHour: '0.72' }, undefined],
    [
      { maxStartPrice: '0.499999999999999999' },
      'start price 0.5 is above pricing.maxStartPrice 0.499999999999999999',
    ],
    [{ maxCpuPerHour: '0.3599' }, 'CPU price per hour 0.36 is above pricing.maxCpuPerHour 0.3599'],
    [{ maxEnvPerHour: '0' }, 'environment price per hour 0.72 is above pricing.maxEnvPerHour 0'],
  ])('caps %j: %s', (caps, reason) => {
    expect(priceCapReason(caps, dear)).toBe(reason);
  });
});

describe('a draft', () => {
  const offered = priced(PROVIDER, [0.0001, 0.0002, 0.5], 4);
  const summary = { pricePerHour: hourPrice(offered), startPrice: offered.pricing.startPrice };
  const START = 'agrees only to a higher start price than it offered';
  const HOUR = 'agrees only to a higher price per hour than it offered';
  test.each<[string, number[], number, string | undefined]>([
    ['as offered', [0.0001, 0.0002, 0.5], 4, undefined],
    ['that is cheaper', [0.0001, 0.0001, 0.4], 4, undefined],
    ['whose last digit was rounded on the way', [0.00010000000000000002, 0.0002, 0.5], 4, undefined],
    ['with a higher start price', [0.0001, 0.0002, 0.500001], 4, START],
    ['with a higher start price, and a lower one for time', [0, 0, 0.6], 4, START],
    ['with a higher price for CPU time', [0.00011, 0.0002, 0.5], 4, HOUR],
    ['with a higher price for time', [0.0001, 0.00021, 0.5], 4, HOUR],
    ['with a lower start price, and a higher one for time', [0.0002, 0.0002, 0], 4, HOUR],
    ['with more threads', [0.0001, 0.0002, 0.5], 1000, HOUR],
  ])('%s', (_what, coeffs, threads, reason) => {
    expect(raisedPriceReason(summary, priced(PROVIDER, coeffs, threads))).toBe(reason);
  });

  test('with more threads that cost nothing', () => {
    const free = priced(PROVIDER, [0, 0.0002, 0.5], 4);
    const terms = { pricePerHour: hourPrice(free), startPrice: free.pricing.startPrice };
    expect(raisedPriceReason(terms, priced(PROVIDER, [0, 0.0002, 0.5], 1000))).toBeUndefined();
  });
});

describe('the lists of providers', () => {
  const other = `0x${'b'.repeat(40)}`;
  test.each([
    [{ allow: [], deny: [] }, undefined],
    [{ allow: [PROVIDER], deny: [other] }, undefined],
    [{ allow: [PROVIDER.toUpperCase().replace('0X', '0x')], deny: [] }, undefined],
    [{ allow: [], deny: [PROVIDER] }, 'provider is in providers.deny'],
    [{ allow: [other], deny: [] }, 'provider is not in providers.allow'],
  ])('%j: %s', (lists, reason) => {
    expect(providerListReason(lists, offer())).toBe(reason);
  });
});

describe('selection', () => {
  // An hour costs 7.2, 3.24, 11.12 and 3.24.
  const a = priced('0xa', [0.001, 0.001, 0], 1);
  const b = priced('0xb', [0.0001, 0.0001, 0], 8);
  const c = priced('0xc', [0.0001, 0.0001, 5], 16);
  const d = priced('0xd', [0.0001, 0.0001, 0], 8);
  const order = (offers: Offer[], name: keyof typeof SELECTION_STRATEGIES) =>
    [...offers].sort(SELECTION_STRATEGIES[name]).map(({ providerId }) => providerId);

  test('cheapest: the least price of an hour; equal offers are equal', () => {
    expect(order([a, b, c, d], 'cheapest')).toEqual(['0xb', '0xd', '0xa', '0xc']);
    expect(order([d, c, b, a], 'cheapest')).toEqual(['0xd', '0xb', '0xa', '0xc']);
  });

  test('fastest: most threads, then the cheapest', () => {
    expect(order([a, b, c, d], 'fastest')).toEqual(['0xc', '0xb', '0xd', '0xa']);
    expect(order([d, b, a, c], 'fastest')).toEqual(['0xc', '0xd', '0xb', '0xa']);
  });
});
