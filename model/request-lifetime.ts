/** How long a request to yagna can matter; workflows wait for it, the transport enforces it. */

/** Longest wait for the answer to a call that is no long poll, milliseconds. */
export const REQUEST_TIMEOUT_MS = 15_000;

/**
 * Longest time after its start in which a call that is no long poll can still have its effect, milliseconds: our
 * timeout, and time for what is on its way or in yagna's hands when we hang up.
 */
export const REQUEST_LIFETIME_MS = REQUEST_TIMEOUT_MS + 5_000;
