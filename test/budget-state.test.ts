/** When little of a budget is left, without Temporal. */
import fc from 'fast-check';
import { readTopUp } from '../model/top-up';
import { costAt } from '../model/cost';
import {
  affords,
  applyBills,
  commitment,
  isLow,
  lowAtMs,
  outlook,
  type Commitment,
} from '../workflows/state/budget';

const HOUR_MS = 3_600_000;
const LATE_MS = 1000 * HOUR_MS;

/** A rental that costs 36 GLM an hour, 0.01 a second, from 0 on. */
const rental = (more: Partial<Commitment> = {}): Commitment => ({
  ...commitment(1, { startPrice: '0', pricePerHour: '36' }, 0, LATE_MS),
  agreementId: 'a1',
  ...more,
});

const money = (reserved: string, accepted = '0', budget = reserved) => ({ budget, reserved, accepted });
const bill = (accepted: string, agreementId = 'a1') => ({ open: [{ agreementId, accepted }], invoiced: [] });

describe('little is left', () => {
  test('never of a budget from which nothing is rented, unless it is used up', () => {
    expect(isLow(money('0.001'), [], 120, 0)).toBe(false);
    expect(isLow(money('1', '1'), [], 120, 0)).toBe(true);
  });

  test('when it is less than what has accrued and two notes', () => {
    // Two notes of 10 s cost 0.2.
    expect(isLow(money('1'), [rental()], 10, 79_000)).toBe(false);
    expect(isLow(money('1'), [rental()], 10, 81_000)).toBe(true);
  });

  test('where no interval was agreed, two notes are four minutes', () => {
    expect(isLow(money('10'), [rental()], undefined, 759_000)).toBe(false);
    expect(isLow(money('10'), [rental()], undefined, 761_000)).toBe(true);
  });

  test('two notes are never more than half of a small budget', () => {
    expect(isLow(money('0.1'), [rental()], 120, 0)).toBe(false);
    expect(isLow(money('0.1'), [rental()], 120, 4_900)).toBe(false);
    expect(isLow(money('0.1'), [rental()], 120, 5_100)).toBe(true);
  });

  test('what debit notes say is believed before the price, but never beyond it', () => {
    // Half of the price.
    const [half] = applyBills([rental()], bill('0.5'), 100_000);
    expect(half && isLow(money('1', '0.5'), [half], 10, 100_000)).toBe(false);
    expect(half && isLow(money('1', '0.5'), [half], 10, 179_000)).toBe(false);
    expect(half && isLow(money('1', '0.5'), [half], 10, 181_000)).toBe(true);
    // Told late, all at once: ten times the price.
    const [tenfold] = applyBills([rental()], bill('0.1'), 1_000);
    expect(tenfold && isLow(money('1', '0.1'), [tenfold], 10, 60_000)).toBe(false);
  });

  test('a start price has accrued from the beginning, and is no part of what an hour costs', () => {
    const each = commitment(1, { startPrice: '0.5', pricePerHour: '36.5' }, 0, LATE_MS);
    expect(isLow(money('1'), [each], 10, 0)).toBe(false);
    expect(isLow(money('1'), [each], 10, 31_000)).toBe(true);
    const [billed] = applyBills([{ ...each, agreementId: 'a1' }], bill('0.6'), 10_000);
    expect(billed && isLow(money('1', '0.6'), [billed], 10, 29_000)).toBe(false);
    expect(billed && isLow(money('1', '0.6'), [billed], 10, 31_000)).toBe(true);
  });

  test('what has ended is owed until its invoice is decided, and burns no more', () => {
    const ended = rental({ untilMs: 50_000 });
    expect(isLow(money('0.51'), [ended], 10, HOUR_MS)).toBe(false);
    expect(isLow(money('0.49'), [ended], 10, HOUR_MS)).toBe(true);
    expect(applyBills([ended], { open: [], invoiced: ['a1'] }, HOUR_MS)).toEqual([]);
  });

  test('the moment at which it will be is foreseen, unless the agreements end before', () => {
    const at = lowAtMs(money('1'), [rental()], 10, 0);
    expect(at).toBeGreaterThanOrEqual(80_000);
    expect(at).toBeLessThan(80_100);
    expect(lowAtMs(money('1'), [rental({ untilMs: 70_000 })], 10, 0)).toBe(Infinity);
    expect(lowAtMs(money('1'), [], 10, 0)).toBe(Infinity);
  });

  test('at the moment foreseen it is, and just before it is not', () => {
    const amount = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(fc.array(amount, { minLength: 1, maxLength: 5 }), amount, amount, (prices, budget, sec) => {
        const rentals = prices.map((price, n) => ({
          ...commitment(n, { startPrice: '0', pricePerHour: String(price) }, 0, LATE_MS * 1000),
        }));
        const all = money(String(budget));
        const at = lowAtMs(all, rentals, sec, 0);
        expect(isLow(all, rentals, sec, at)).toBe(true);
        if (at > 1) expect(isLow(all, rentals, sec, at - 3)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});

describe('one more rental', () => {
  const another = commitment(2, { startPrice: '0', pricePerHour: '36' }, 0, LATE_MS);

  test('is affordable when nothing is spent or rented, however small the budget', () => {
    expect(affords(money('0.0001'), [], another, 120, 0)).toBe(true);
    expect(
      affords(money('0.0001'), [rental({ untilMs: -1, startPrice: '0', sinceMs: -1 })], another, 120, 0),
    ).toBe(true);
  });

  test('is not when its start costs more than the budget', () => {
    const dear = commitment(2, { startPrice: '2', pricePerHour: '2' }, 0, LATE_MS);
    expect(affords(money('1'), [], dear, 120, 0)).toBe(false);
  });

  test('beside another needs two notes of both', () => {
    expect(affords(money('0.41'), [rental()], another, 10, 0)).toBe(true);
    expect(affords(money('0.39'), [rental()], another, 10, 0)).toBe(false);
  });

  test('counts on what may still be reserved', () => {
    expect(affords({ ...money('0.1'), budget: '1' }, [rental()], another, 10, 0)).toBe(true);
  });

  test('after another one is affordable while little is left of neither note nor budget', () => {
    expect(affords(money('1', '0.4'), [], another, 120, 0)).toBe(true);
    expect(affords(money('1', '0.6'), [], another, 120, 0)).toBe(false);
  });
});

test('an amount to add is taken or refused in one line, whatever comes', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.anything(), fc.record({ amount: fc.anything() }), fc.record({ amount: fc.string() })),
      (given) => {
        const read = readTopUp(given);
        if ('problem' in read) expect(read.problem).toMatch(/^[^\n]{1,300}$/);
        else expect(read.amount).toMatch(/^\d{1,30}(\.\d{1,18})?$/);
      },
    ),
    { numRuns: 500 },
  );
});

describe('what it costs', () => {
  test('is nothing before anything is rented, and no time is left to tell', () => {
    expect(outlook(money('1'), [], 0)).toEqual({ accrued: '0', perHour: '0' });
  });

  test('grows from the price until a debit note says less', () => {
    expect(outlook(money('1'), [rental()], 50_000)).toEqual({
      ...{ accrued: '0.5', perHour: '36', budgetLastsSec: 50 },
    });
    const [half] = applyBills([rental()], bill('0.5'), 100_000);
    expect(outlook(money('1', '0.5'), [half!], 120_000)).toEqual({
      ...{ accrued: '0.1', perHour: '18', budgetLastsSec: 80 },
    });
  });

  test('of what has ended stays owed until its invoice, and burns no more', () => {
    expect(outlook(money('1'), [rental({ untilMs: 50_000 })], HOUR_MS)).toEqual({
      ...{ accrued: '0.5', perHour: '0' },
    });
  });

  test('more than the budget lasts no time', () => {
    expect(outlook(money('1'), [rental()], 200_000).budgetLastsSec).toBe(0);
  });

  test('is told for a later moment, at the same pace', () => {
    const cost = { at: '2026-01-01T00:00:00.000Z', accrued: '0.5', perHour: '36', budgetLastsSec: 50 };
    const atMs = Date.parse(cost.at);
    const later = { ...cost, at: '2026-01-01T00:00:10.000Z', accrued: '0.6', budgetLastsSec: 40 };
    expect(costAt(cost, atMs + 10_000)).toEqual(later);
    expect(costAt(cost, atMs - 10_000)).toEqual(cost);
    expect(costAt(cost, atMs + 100_000).budgetLastsSec).toBe(0);
  });
});
