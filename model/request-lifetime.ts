/**
 * How long a request to yagna lives. The settlement waits for so long before it looks a second time for what a lost
 * attempt may have left.
 */

/** Longest wait for the answer to a call that is no long poll, where the worker sets no other. */
export const REQUEST_TIMEOUT_MS = 15_000;

/**
 * Longest time after its start in which a call can still have its effect: our timeout, and a third of it for what is
 * on its way or in yagna's hands when we hang up.
 */
export function requestLifetimeMs(timeoutMs: number): number {
  return Math.ceil((timeoutMs * 4) / 3);
}
