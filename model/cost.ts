/** What a job costs as time goes on: a workflow's answer is as old as the last thing that happened in it. */
import { exact, ExactDecimal, GLM_DECIMALS, toAmount } from './amount';
import type { CostProgress } from './result';

const HOUR_MS = 3_600_000;

/** The cost at a later moment, at the same pace; what it is now where the clock is behind. */
export function costAt(cost: CostProgress, nowMs: number): CostProgress {
  const elapsedMs = Math.max(0, nowMs - Date.parse(cost.at));
  const more = exact(cost.perHour).times(elapsedMs).dividedBy(HOUR_MS);
  const accrued = exact(cost.accrued).plus(more).toDecimalPlaces(GLM_DECIMALS, ExactDecimal.ROUND_UP);
  const { budgetLastsSec: lasts } = cost;
  return {
    at: new Date(Date.parse(cost.at) + elapsedMs).toISOString(),
    accrued: toAmount(accrued),
    perHour: cost.perHour,
    ...(lasts === undefined ? {} : { budgetLastsSec: Math.max(0, Math.floor(lasts - elapsedMs / 1000)) }),
  };
}
