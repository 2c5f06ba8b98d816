/** That no debit note and no invoice is paid that asks for more than the agreement's price of a possible usage. */
import { Decimal } from 'decimal.js';
import { addAmounts, readExact } from '../model/amount';
import type { OfferPricing } from '../model/offer';
import { readPricing } from '../model/offer';
import {
  checkDebitNote,
  checkInvoice,
  type Decision,
  type DebitNoteClaim,
  type InvoiceClaim,
  priceOf,
} from '../model/pricing';

function pricing(
  coeffs: (number | string)[],
  vector = ['golem.usage.cpu_sec', 'golem.usage.duration_sec'],
): OfferPricing {
  const reading = readPricing({
    'golem.com.pricing.model': 'linear',
    'golem.com.usage.vector': vector,
    'golem.com.pricing.model.linear.coeffs': coeffs,
  });
  if (!reading.ok) throw new Error(reading.reason);
  return reading.pricing;
}

const RECORDED = pricing([0.0001, 0.0002, 0]);
const TERMS = { pricing: RECORDED, cpuThreads: 1 };
const TOLERANCE = { usageSec: 10, usageRatio: 0.05 };
const EXACT_TIME = { usageSec: 0, usageRatio: 0 };

function reasonOf(decision: Decision): string | undefined {
  return decision.accept ? undefined : decision.reason;
}

/** Pseudo-random numbers from 0 to 1, the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

describe('the price of a usage', () => {
  // Usage and amount of debit notes that a real provider sent.
  test.each([
    [[0.496092, 7.004392176], '0.001450487635200000'],
    [[0.550718, 23.005053777], '0.004656082555400000'],
    [[1.025849, 63.005212411], '0.012703627382200000'],
    [[0.269553, 5.004929931], '0.001027941286200000'],
    [[0.191576, 2.005256811], '0.000420208962200000'],
  ])('of %j is %s, as the provider says', (usage, amount) => {
    expect(new Decimal(priceOf(RECORDED, usage)).eq(amount)).toBe(true);
  });

  test('is the start price for no usage, and counts every counter in the order of the vector', () => {
    const three = pricing(
      [3, 0, 5, 7],
      ['golem.usage.duration_sec', 'golem.usage.gpu-sec', 'golem.usage.cpu_sec'],
    );
    expect(priceOf(three, [0, 0, 0])).toBe('7');
    expect(priceOf(three, ['1', '100', '2'])).toBe('20');
    expect(priceOf(three, [])).toBe('7');
  });

  test('is exact where floats are not', () => {
    expect(priceOf(pricing([0.1, 0.2, 0]), [3, 0])).toBe('0.3');
    expect(priceOf(pricing([1e-18, 0, 0]), [0.000000001, 0])).toBe('0.000000000000000000000000001');
    expect(priceOf(pricing([1e15, 1e-15, 0]), [1, 1])).toBe('1000000000000000.000000000000001');
  });

  test('sums to the same whichever way it is added up (seeded)', () => {
    const random = seeded(1);
    for (let i = 0; i < 300; i++) {
      const coeffs = [random() * 1e-3, random() * 1e-6, random()];
      const usage = [random() * 1e5, random() * 1e5];
      const own = coeffs
        .slice(0, 2)
        .map((coeff, n) => bigProduct(String(coeff), String(usage[n])))
        .concat(scaled(String(coeffs[2])))
        .reduce((sum, part) => sum + part, 0n);
      expect(scaled(priceOf(pricing(coeffs), usage))).toBe(own);
    }
  });
});

describe('amounts', () => {
  test('add up without losing a digit', () => {
    expect(addAmounts(['0.1', '0.2', '1000000000000', '0.000000000000000001'])).toBe(
      '1000000000000.300000000000000001',
    );
    expect(addAmounts([])).toBe('0');
  });

  test.each([
    ['1e999999999'],
    ['0x10'],
    ['Infinity'],
    ['NaN'],
    [''],
    ['1,5'],
    [NaN],
    [Infinity],
    [null],
    [{}],
    ['9'.repeat(61)],
  ])('%j is none', (text) => expect(readExact(text)).toBeUndefined());
});

describe('a debit note', () => {
  const usage = [0.5, 60];
  const amount = priceOf(RECORDED, usage);
  const claim = (changes: Partial<DebitNoteClaim> = {}): DebitNoteClaim => ({
    terms: TERMS,
    tolerance: TOLERANCE,
    amount,
    usage,
    elapsedSec: 61,
    activityKnown: true,
    acceptedEarlier: '0',
    budgetLeft: '1',
    ...changes,
  });
  const reason = (changes: Partial<DebitNoteClaim>) => reasonOf(checkDebitNote(claim(changes)));

  test('that is right is accepted, with all digits or fewer', () => {
    expect(checkDebitNote(claim())).toEqual({ accept: true });
    expect(reason({ amount: `${amount}00000` })).toBeUndefined();
  });

  test('with more decimals than GLM has is refused: it could not be paid', () => {
    expect(reason({ amount: '0.0010000000000000001' })).toMatch(/has more than 18 decimals/);
    expect(reason({ amount: '0.001000000000000001' })).toBeUndefined();
  });

  test('is refused for time that notes of other VMs under its agreement have counted: one runs at a time', () => {
    const second = { elapsedSec: 130, otherUsage: [[1, 60]] };
    expect(reason(second)).toBeUndefined();
    expect(reason({ ...second, elapsedSec: 100 })).toMatch(/duration_sec 60, but only 40 s have passed/);
    // Of two that may run at once each has as much time as there was, and both together twice as much.
    expect(reason({ ...second, elapsedSec: 61, vmsAtOnce: 2 })).toBeUndefined();
    expect(reason({ elapsedSec: 30, otherUsage: [], vmsAtOnce: 2 })).toMatch(/only 30 s have passed/);
    expect(
      reason({
        elapsedSec: 61,
        otherUsage: [
          [1, 61],
          [1, 40],
        ],
        vmsAtOnce: 2,
      }),
    ).toMatch(/only 21 s/);
    // What cannot be read has counted nothing.
    expect(reason({ elapsedSec: 61, otherUsage: [[NaN, 60], []] })).toBeUndefined();
  });

  test('is refused for a counter more than time allows, accepted within the tolerance', () => {
    const at = (sec: number, cpu: number) => ({
      usage: [cpu, sec],
      amount: priceOf(RECORDED, [cpu, sec]),
      elapsedSec: 100,
    });
    expect(reason(at(115, 1))).toBeUndefined();
    expect(reason(at(115.001, 1))).toMatch(
      /claims golem\.usage\.duration_sec 115\.001, but only 100 s have passed/,
    );
    expect(reason(at(100, 115))).toBeUndefined();
    expect(reason(at(100, 116))).toMatch(
      /claims golem\.usage\.cpu_sec 116, but only 100 s have passed on 1 threads/,
    );
  });

  test('may claim as much CPU as there are threads', () => {
    const terms = { ...TERMS, cpuThreads: 4 };
    const busy = {
      terms,
      tolerance: EXACT_TIME,
      elapsedSec: 100,
      usage: [400, 100],
      amount: priceOf(RECORDED, [400, 100]),
    };
    expect(reason(busy)).toBeUndefined();
    expect(reason({ ...busy, usage: [400.1, 100], amount: priceOf(RECORDED, [400.1, 100]) })).toMatch(
      /cpu_sec 400\.1/,
    );
  });

  test('that asks for more than its own usage costs is refused, by however little', () => {
    const above = new Decimal(amount).plus('0.00000000000000002').toFixed();
    expect(reason({ amount: above })).toBe(
      `it asks for ${above}, but its usage costs ${amount} by the agreement`,
    );
  });

  test('may be off by what the provider rounds', () => {
    expect(reason({ amount: new Decimal(amount).plus('0.000000000000000001').toFixed() })).toBeUndefined();
  });

  test("below its own price is the provider's loss", () => {
    expect(reason({ amount: '0' })).toBeUndefined();
    expect(reason({ amount: '0.001' })).toBeUndefined();
  });

  test('below what was accepted before is refused', () => {
    expect(reason({ acceptedEarlier: '0.02' })).toMatch(/less than the 0\.02 accepted before/);
    expect(reason({ acceptedEarlier: amount })).toBeUndefined();
  });

  test('must fit the budget with what it adds to the note before', () => {
    expect(reason({ acceptedEarlier: '0.01', budgetLeft: '0.00205' })).toBeUndefined();
    expect(reason({ acceptedEarlier: '0.01', budgetLeft: '0.00204' })).toMatch(
      /0\.00205 more, but 0\.00204 of the budget are left/,
    );
    expect(reason({ acceptedEarlier: amount, budgetLeft: '-1' })).toBeUndefined();
  });

  test.each<[Partial<DebitNoteClaim>, RegExp]>([
    [{ activityKnown: false }, /an activity that the job does not know/],
    [{ usage: undefined }, /states no usage/],
    [{ usage: null }, /states no usage/],
    [{ usage: [1] }, /states 1 usage counters where the agreement has 2/],
    [{ usage: [1, 2, 3] }, /states 3 usage counters/],
    [{ usage: [-1, 60] }, /cpu_sec is -1, which is no usage/],
    [{ usage: [NaN, 60] }, /cpu_sec is null, which is no usage/],
    [{ usage: ['x', 60] }, /cpu_sec is "x", which is no usage/],
    [{ usage: ['1e999999999', 60] }, /which is no usage/],
    [{ amount: '-0.1' }, /"-0\.1" is no amount/],
    [{ amount: 'Infinity' }, /is no amount/],
    [{ elapsedSec: NaN }, /claims golem\.usage\.duration_sec 60/],
    [{ elapsedSec: -5 }, /claims golem\.usage\.duration_sec 60/],
  ])('%j is refused', (changes, text) => {
    expect(reason(changes)).toMatch(text);
  });

  test('of an honest provider is accepted, of one that asks for more it is not (seeded)', () => {
    const random = seeded(2);
    for (let i = 0; i < 500; i++) {
      const cpuThreads = 1 + Math.floor(random() * 32);
      const terms = { pricing: pricing([random() * 1e-3, random() * 1e-3, random() * 1e-2]), cpuThreads };
      const elapsedSec = random() * 50_000;
      const honest = [random() * elapsedSec * cpuThreads, random() * elapsedSec];
      const price = new Decimal(priceOf(terms.pricing, honest));
      const note = claim({
        terms,
        elapsedSec,
        usage: honest,
        amount: price.toFixed(18),
        budgetLeft: '1000000',
      });
      expect(reasonOf(checkDebitNote(note))).toBeUndefined();
      const greedy = price.times(1 + 1e-9 + random()).toFixed(18);
      expect(checkDebitNote({ ...note, amount: greedy }).accept).toBe(false);
      const tooLong = [honest[0] ?? 0, elapsedSec * 1.05 + 10 + random() * 1000 + 0.001];
      expect(
        checkDebitNote({ ...note, usage: tooLong, amount: priceOf(terms.pricing, tooLong) }).accept,
      ).toBe(false);
    }
  });
});

describe('an invoice', () => {
  const started = pricing([0.0001, 0.0002, 0.5]);
  const terms = { pricing: started, cpuThreads: 2 };
  const claim = (changes: Partial<InvoiceClaim> = {}): InvoiceClaim => ({
    terms,
    tolerance: EXACT_TIME,
    amount: priceOf(started, [200, 100]),
    activityIds: ['a'],
    activities: [{ activityId: 'a', accepted: '0' }],
    elapsedSec: 100,
    budgetLeft: '10',
    ...changes,
  });
  const reason = (changes: Partial<InvoiceClaim>) => reasonOf(checkInvoice(claim(changes)));
  const plus = (amount: string, more: string) => new Decimal(amount).plus(more).toFixed();

  test('is accepted up to the price of all threads busy for all the time, and not beyond', () => {
    expect(reason({})).toBeUndefined();
    expect(reason({ amount: plus(priceOf(started, [200, 100]), '0.0000000001') })).toBe(
      'it asks for 0.5400000001, but 100 s on 2 threads cost at most 0.54 by the agreement',
    );
  });

  test('with more decimals than GLM has is refused: it could not be paid', () => {
    expect(reason({ amount: '0.5000000000000000001' })).toMatch(/has more than 18 decimals/);
    expect(reason({ amount: '0.500000000000000001' })).toBeUndefined();
  });

  test('of a real provider is accepted', () => {
    const real = {
      terms: TERMS,
      tolerance: TOLERANCE,
      amount: '0.013705257582600000',
      elapsedSec: 70,
      activities: [
        {
          activityId: 'a',
          accepted: '0.012703627382200000',
          lastUsage: [1.025849, 63.005212411],
        },
      ],
    };
    expect(reason(real)).toBeUndefined();
  });

  test('of nothing is fine, also without an activity', () => {
    expect(reason({ amount: '0', activityIds: [], activities: [] })).toBeUndefined();
    expect(reason({ amount: '0.000000000000000000' })).toBeUndefined();
    expect(reason({ amount: '0', budgetLeft: '-1' })).toBeUndefined();
  });

  test('of something without an activity is only the time, never a start price', () => {
    expect(reason({ activityIds: [], activities: [], amount: '0.5' })).toMatch(/cost at most 0 by/);
  });

  test('below the sum of the notes that were accepted is refused', () => {
    const activities = [
      { activityId: 'a', accepted: '0.5' },
      { activityId: 'b', accepted: '0.51' },
    ];
    expect(reason({ activities, activityIds: ['a', 'b'], amount: '1.01' })).toBeUndefined();
    expect(reason({ activities, activityIds: ['a', 'b'], amount: '1.0099' })).toMatch(
      /less than the 1\.01 accepted before/,
    );
  });

  test('must fit the budget with what it adds to the notes', () => {
    const activities = [{ activityId: 'a', accepted: '0.5' }];
    expect(reason({ activities, budgetLeft: '0.04' })).toBeUndefined();
    expect(reason({ activities, budgetLeft: '0.039' })).toMatch(
      /0\.04 more, but 0\.039 of the budget are left/,
    );
  });

  test('has one start price for each activity, and their time is shared', () => {
    const two = {
      activityIds: ['a', 'b'],
      activities: ['a', 'b'].map((activityId) => ({ activityId, accepted: '0' })),
    };
    expect(reason({ ...two, amount: '1.04' })).toBeUndefined();
    expect(reason({ ...two, amount: '1.041' })).toMatch(/cost at most 1\.04 by/);
    expect(reason({ ...two, activityIds: ['a'], amount: '0.541' })).toMatch(/cost at most 0\.54 by/);
  });

  test('for an activity that nobody created is refused where no creation can have been lost', () => {
    const noted = [{ activityId: 'a', accepted: '0', lastUsage: [10, 98.5] }];
    expect(reason({ activities: noted, activityIds: ['a', 'x'], amount: '0.51' })).toMatch(
      /an activity that the job does not know \(x\)/,
    );
    expect(reason({ activityIds: ['a', 'x', 'y'] })).toMatch(/does not know \(x, y\)/);
    expect(reason({ activities: [], activityIds: ['x', 'y'] })).toMatch(/does not know \(x, y\)/);
  });

  test('for one whose creation was lost is paid for the time that the others left', () => {
    const alone = { activities: [], activityIds: ['x'] };
    expect(reason({ ...alone, amount: '0.54' })).toBeUndefined();
    expect(reason({ ...alone, amount: '0.5401' })).toMatch(/cost at most 0\.54 by/);
    const after = {
      activityIds: ['a', 'x'],
      activities: [{ activityId: 'a', accepted: '0', lastUsage: [10, 90] }],
    };
    // 0.519 of the one, the start price of the other, and 10 s of two busy threads
    expect(reason({ ...after, amount: '1.023' })).toBeUndefined();
    expect(reason({ ...after, amount: '1.0231' })).toMatch(/cost at most 1\.023 by/);
  });

  test('is not held to less because of an activity that nobody created', () => {
    const dear = { pricing: pricing([0.0001, 0.0002, 0.1]), cpuThreads: 8 };
    const padded = {
      terms: dear,
      activities: [{ activityId: 'a', accepted: '0.12', lastUsage: [4, 98] }],
      amount: '0.3',
    };
    expect(reason(padded)).toMatch(/cost at most 0\.122 by/);
    expect(reason({ ...padded, activityIds: ['a', 'made-up'] })).toMatch(/cost at most 0\.222 by/);
  });

  test('agrees with the last usage that was known of each activity', () => {
    const known = { activities: [{ activityId: 'a', accepted: '0', lastUsage: [10, 90] }] };
    // 0.5 + 10 × 0.0001 + 90 × 0.0002, and 10 s more of two busy threads
    expect(reason({ ...known, amount: '0.523' })).toBeUndefined();
    expect(reason({ ...known, amount: '0.5231' })).toMatch(/cost at most 0\.523 by/);
    expect(reason({ ...known, tolerance: { usageSec: 10, usageRatio: 0 }, amount: '0.527' })).toBeUndefined();
  });

  test('leaves an activity the time that the notes of the others do not count', () => {
    const two = {
      activityIds: ['a', 'b'],
      activities: [
        { activityId: 'a', accepted: '0', lastUsage: [0, 60] },
        { activityId: 'b', accepted: '0', lastUsage: [0, 30] },
      ],
    };
    expect(reason({ ...two, amount: '1.022' })).toBeUndefined();
    expect(reason({ ...two, amount: '1.0221' })).toMatch(/cost at most 1\.022 by/);
  });

  test('without a duration among the counters goes by the CPU time', () => {
    const cpuOnly = { pricing: pricing([0.0001, 0], ['golem.usage.cpu_sec']), cpuThreads: 2 };
    const busy = {
      terms: cpuOnly,
      activities: [{ activityId: 'a', accepted: '0', lastUsage: [180] }],
    };
    expect(reason({ ...busy, amount: '0.02' })).toBeUndefined();
    expect(reason({ ...busy, amount: '0.0201' })).toMatch(/cost at most 0\.02 by/);
  });

  test('does not believe a last usage that is impossible', () => {
    const activities = [{ activityId: 'a', accepted: '0', lastUsage: [1e9, 1e9] }];
    expect(reason({ activities, amount: '0.541' })).toMatch(/cost at most 0\.54 by/);
  });

  test.each([['-1'], ['x'], ['Infinity'], ['1e5']])('of %j is refused', (amount) => {
    expect(reason({ amount })).toMatch(/is no amount/);
  });

  test('without a known time is held to the tolerance', () => {
    expect(reason({ elapsedSec: NaN, amount: '0.54' })).toMatch(/cost at most 0\.5 by/);
  });

  test('of honest activities is accepted, of a greedy provider it is not (seeded)', () => {
    const random = seeded(3);
    for (let i = 0; i < 300; i++) {
      const cpuThreads = 1 + Math.floor(random() * 16);
      const prices = pricing([random() * 1e-3, random() * 1e-3, random() * 1e-2]);
      const ids = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, n) => `activity-${n}`);
      let clock = 0;
      let owed = new Decimal(0);
      const activities = ids.map((activityId) => {
        const ranSec = random() * 5000;
        clock += ranSec;
        const lastUsage = [random() * ranSec * cpuThreads, ranSec];
        const price = priceOf(prices, lastUsage);
        owed = owed.plus(price);
        return { activityId, accepted: random() < 0.5 ? '0' : price, lastUsage };
      });
      const invoice = claim({
        terms: { pricing: prices, cpuThreads },
        amount: owed.toFixed(18),
        activityIds: ids,
        activities: activities.map((activity) => ({
          ...activity,
          accepted: new Decimal(activity.accepted).toDecimalPlaces(18, Decimal.ROUND_DOWN).toFixed(),
        })),
        elapsedSec: clock,
        budgetLeft: '1000000',
      });
      expect(reasonOf(checkInvoice(invoice))).toBeUndefined();
      expect(checkInvoice({ ...invoice, amount: owed.times(1.000001 + random()).toFixed(18) }).accept).toBe(
        false,
      );
    }
  });
});

/** Digits after the point in this test's own arithmetic, which is done with whole numbers. */
const SCALE = 60;

function scaled(text: string, scale = SCALE): bigint {
  const [whole = '0', decimals = ''] = new Decimal(text).toFixed().split('.');
  return BigInt(whole + decimals.padEnd(scale, '0'));
}

function bigProduct(a: string, b: string): bigint {
  return scaled(a, SCALE / 2) * scaled(b, SCALE / 2);
}
