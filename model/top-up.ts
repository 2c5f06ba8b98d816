/** What a user gives to the Update `topUp` of a job. Plain checks: it is read in a workflow, where there is no zod. */
import { AMOUNT, exact } from './amount';
import type { Amount } from './ids';

const MUST_BE =
  'must be { "amount": "0.5" }: GLM to add, a decimal string greater than 0, at most 18 decimals';

/** @returns the amount, or one line that says what is wrong */
export function readTopUp(request: unknown): { amount: Amount } | { problem: string } {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) return { problem: MUST_BE };
  const { amount, ...others } = request as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    return { problem: `unknown key ${JSON.stringify(unknown.slice(0, 60))}; ${MUST_BE}` };
  if (typeof amount === 'number')
    return { problem: `amount is a JSON number, which loses digits of money; it ${MUST_BE}` };
  if (typeof amount !== 'string' || !AMOUNT.test(amount) || exact(amount).isZero())
    return { problem: MUST_BE };
  return { amount };
}
