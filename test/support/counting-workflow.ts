/** A workflow that does for news that come one by one something else than for the same news at once, as a job does. */
import { condition, defineQuery, defineSignal, setHandler, sleep } from '@temporalio/workflow';

export const bumpSignal = defineSignal('bump');
export const countQuery = defineQuery<number>('count');

/** @returns how often it woke: as often as it was bumped, or less often */
export async function golemCounting(until: number): Promise<number> {
  let count = 0;
  setHandler(bumpSignal, () => void (count += 1));
  setHandler(countQuery, () => count);
  let woken = 0;
  for (let seen = 0; seen < until; woken += 1) {
    await condition(() => count > seen);
    seen = count;
    await sleep(1);
  }
  return woken;
}

/** The same, of somebody else. */
export const counting = golemCounting;
