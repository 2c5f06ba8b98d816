/**
 * What is wrong with a spec whichever worker it goes to, so that it can be told before a job is started. What a worker's own
 * settings decide (how long agreements may last on its market, which strategies it has) is left to the worker.
 */
import type { DurationClasses } from './duration-classes';
import { parseJobSpec } from './spec';
import type { Path } from './spec-problems';

const ANY_MARKET: DurationClasses = {
  ...{ defaultExpirationSec: Number.MAX_SAFE_INTEGER, minExpirationSec: 0, reservedSec: 0 },
  ...{ debitNotesOverSec: Infinity, paymentsOverSec: Infinity, minAcceptanceTimeoutSec: 0 },
  ...{ debitNotesAcceptanceTimeoutSec: Infinity, midAgreementPaymentTimeoutSec: Infinity },
  midAgreementDebitNoteIntervalSec: 0,
};

/** Every problem as one line each, as `parseJobSpec` tells it, and where it is. */
export function specProblems(input: unknown): { problem: string; at: Path }[] {
  const read = parseJobSpec(input, { durationClasses: ANY_MARKET });
  return read.ok ? [] : read.problems.map((problem, i) => ({ problem, at: read.at[i] ?? [] }));
}
