/** What an activity costs: the start price and each counter times its coefficient, exact in decimals. */
import { Amount } from '../payment/amounts';

const GLM_DECIMALS = 18;

/**
 * From the very numbers that travel on the wire, each by its shortest decimal text: who calculates with the same JSON
 * gets the same amount. What is beyond 18 decimals is dropped, so that nobody is asked for more than the price;
 * ya-provider rounds it.
 * @param coefficients GLM per unit in the order of the usage vector, the start price last
 */
export function cost(coefficients: readonly number[], usage: readonly number[]): Amount {
  const start = new Amount(coefficients.at(-1) ?? 0);
  const perUnit = coefficients.slice(0, -1);
  const total = perUnit.reduce<Amount>(
    (sum, coefficient, i) => sum.plus(new Amount(coefficient).times(usage[i] ?? 0)),
    start,
  );
  return total.toDecimalPlaces(GLM_DECIMALS, Amount.ROUND_DOWN);
}
