/** Amounts of GLM: exact decimals, printed as yagna prints them. */
import { Decimal } from 'decimal.js';

/** Decimals wide enough that no sum or product of amounts is ever rounded. */
export const Amount = Decimal.clone({ precision: 80, toExpNeg: -1000, toExpPos: 1000 });
export type Amount = InstanceType<typeof Amount>;

export const ZERO = new Amount(0);

/** GLM has 18 decimals; amounts that were computed carry them all. Zero is a plain `0`. */
export function computed(amount: Amount): string {
  return amount.isZero() ? '0' : amount.toFixed(18);
}

export function sum(amounts: readonly string[]): Amount {
  return amounts.reduce<Amount>((total, amount) => total.plus(amount), ZERO);
}

/** Whether it is a decimal, not negative, with no more decimals than GLM has, and not absurdly large. */
export function isAmount(text: string): boolean {
  return /^\d{1,30}(\.\d{1,18})?$/.test(text);
}
