import { fewAtATime } from '../model/few-at-a-time';

/** Enough that a silent provider does not hold the others, and no burden for a yagna. */
const AT_ONCE = 5;

/** Many requests, a few at a time. */
export async function eachAtOnce<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = AT_ONCE,
): Promise<void> {
  await fewAtATime(items, atOnce, work);
}
