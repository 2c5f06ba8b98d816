/**
 * Exact arithmetic with money and with the prices and counters it comes from. Amounts are decimal strings
 * outside of this file's callers; JS numbers enter only as the JSON numbers yagna sends, through their
 * shortest decimal form, and are never calculated with.
 */
import { Decimal } from 'decimal.js';
import type { Amount } from './ids';

/** Digits after the point that can be paid. */
export const GLM_DECIMALS = 18;

/** An amount as users write it: at most 18 digits after the point, as GLM has; 30 before it are more than there will ever be. */
export const AMOUNT = /^\d{1,30}(\.\d{1,18})?$/;

/** Wide enough that sums and products of prices, counters and amounts are never rounded. */
export const ExactDecimal = Decimal.clone({ precision: 120, toExpNeg: -9e15, toExpPos: 9e15 });
export type ExactDecimal = Decimal;

/** Reads an amount, or a JSON number as yagna sends it for prices and counters. */
export function exact(value: string | number | Decimal): ExactDecimal {
  return new ExactDecimal(typeof value === 'number' ? String(value) : value);
}

/** Longer texts are no amount of anything, and an exponent could make a short one endless. */
const DECIMAL = /^-?\d{1,60}(\.\d{1,60})?$/;

/** Like {@link exact}, but undefined for what is no finite decimal number. For what others send. */
export function readExact(value: unknown): ExactDecimal | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? exact(value) : undefined;
  return typeof value === 'string' && DECIMAL.test(value) ? exact(value) : undefined;
}

const MOST = exact('9'.repeat(60));
const DECIMALS = 60;

/**
 * A decimal number as others write it (`1E-3`, `0E-18`), without an exponent. One beyond the bounds of {@link readExact}
 * becomes the one at the bound: that is refused just as well, and nobody has to write out its digits.
 */
export function plainDecimal(text: string): Amount {
  if (DECIMAL.test(text)) return text;
  const value = exact(text);
  const size = ExactDecimal.min(value.abs(), MOST).toDecimalPlaces(DECIMALS, ExactDecimal.ROUND_UP);
  return toAmount(value.isNegative() && !size.isZero() ? size.negated() : size);
}

/** Plain decimal notation, every digit kept: `0.0000001`, never `1e-7`. */
export function toAmount(value: Decimal): Amount {
  return value.toFixed();
}

export function addAmounts(amounts: Iterable<Amount>): Amount {
  let sum = exact('0');
  for (const amount of amounts) sum = sum.plus(exact(amount));
  return toAmount(sum);
}
