import { ApplicationFailure } from '@temporalio/workflow';
import { mapOnGolem } from './map';

/** How many steps of Collatz lead from a number to 1. */
const COLLATZ = `awk -v n="$1" 'BEGIN { while (n != 1) { n = n % 2 ? 3 * n + 1 : n / 2; steps++ } print steps + 0 }'`;

/** Steps of all numbers up to `count`, the number with most of them, and how many. */
export async function longestCollatz(
  count: number,
): Promise<{ number: number; steps: number; mapped: number }> {
  const numbers = Array.from({ length: count }, (_, n) => String(n + 1));
  const mapped = await mapOnGolem(COLLATZ, numbers, { image: 'golem/alpine:latest', budget: '1' });
  let longest = { number: 1, steps: 0 };
  for (const each of mapped) {
    if ('failure' in each)
      throw ApplicationFailure.nonRetryable(`${each.input}: ${each.failure}`, 'MapFailed');
    const steps = Number(each.output);
    if (steps > longest.steps) longest = { number: Number(each.input), steps };
  }
  return { ...longest, mapped: mapped.length };
}
