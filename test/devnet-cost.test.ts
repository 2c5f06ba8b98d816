import { cost } from '../devnet/provider/cost';
import { recording } from './support/recorded-yagna';

describe('what an activity costs', () => {
  it('is exact in decimals, for any coefficients and usage', () => {
    const random = randomFrom(20261125);
    for (let round = 0; round < 5000; round++) {
      const coefficients = [random(), random(), random()];
      const usage = [microseconds(random() * 1e6), microseconds(random() * 1e6)];
      expect([coefficients, usage, cost(coefficients, usage).toFixed(18)]).toEqual([
        coefficients,
        usage,
        independentCost(coefficients, usage),
      ]);
    }
  });

  it('loses nothing where floating-point numbers do', () => {
    expect(cost([0.1, 0.2, 0], [3, 0]).toFixed(18)).toBe('0.300000000000000000');
    expect(cost([1e-7, 2.5e-10, 0.01], [0.000001, 1e6]).toFixed(18)).toBe('0.010250000000100000');
    expect(cost([0, 0, 0], [7, 7]).isZero()).toBe(true);
  });

  it('is what a real provider asked for in its debit notes', () => {
    const notes = recording('c2_debit_notes').flatMap(({ responseBody }) => [responseBody].flat() as Note[]);
    const stated = notes.filter((note) => note?.usageCounterVector !== undefined);
    expect(stated.length).toBeGreaterThan(5);
    for (const { usageCounterVector = [], totalAmountDue } of stated) {
      expect(cost([0.0001, 0.0002, 0], usageCounterVector).toFixed(18)).toBe(totalAmountDue);
    }
  });
});

/** The same by whole numbers: every factor as an integer and a power of ten. */
function independentCost(coefficients: readonly number[], usage: readonly number[]): string {
  const scale = 60;
  const start = scaled(coefficients.at(-1) ?? 0, scale);
  const total = usage.reduce((sum, used, i) => {
    return sum + scaled(coefficients[i] ?? 0, scale / 2) * scaled(used, scale / 2);
  }, start);
  const unit = 10n ** BigInt(scale - 18);
  const digits = (total / unit).toString().padStart(19, '0');
  return `${digits.slice(0, -18)}.${digits.slice(-18)}`;
}

/** A number's shortest decimal text, times a power of ten. */
function scaled(value: number, digits: number): bigint {
  const [mantissa = '0', exponent = '0'] = value.toString().split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const shift = digits + Number(exponent) - fraction.length;
  if (shift < 0) throw new Error(`${value} has more than ${digits} decimals`);
  return BigInt(whole + fraction) * 10n ** BigInt(shift);
}

function microseconds(value: number): number {
  return Number(value.toFixed(6));
}

/** A repeatable sequence of numbers below one, of very different sizes. */
function randomFrom(seed: number): () => number {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return () => next() * 10 ** -Math.floor(next() * 8);
}

interface Note {
  usageCounterVector?: number[];
  totalAmountDue?: string;
}
