/** Waits between attempts. */
export interface Backoff {
  /** The first, at most. */
  firstMs: number;
  /** However many attempts have failed. */
  longestMs: number;
}

/** While yagna is away: quick at first, never more than half a minute. */
export const YAGNA_BACKOFF: Backoff = { firstMs: 500, longestMs: 30_000 };

/**
 * Doubling with each failure, and the upper half of it random, so that not all who wait come back at once.
 *
 * @param failures - in a row before this one
 * @param random - from 0 to below 1, such as `Math.random`, which in a workflow is the same in each replay
 */
export function backoffMs(failures: number, { firstMs, longestMs }: Backoff, random: () => number): number {
  const full = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30));
  return Math.round(full / 2 + (random() * full) / 2);
}
