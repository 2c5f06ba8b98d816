/** Waits that Ctrl-C or a time limit ends, while what is waited for goes on. */
import { setMaxListeners } from 'node:events';
import { CliError, EXIT_INTERRUPTED } from './failure';

/** Longest time that a timer of Node's takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** The time for a wait is over. */
export class WaitOver extends Error {}

/**
 * @param message told when SIGINT or SIGTERM ends the waiting
 * @param limitSec default: none
 * @throws CliError with exit code 130; WaitOver
 */
export async function interruptible<T>(
  message: string,
  wait: (signal: AbortSignal) => Promise<T>,
  limitSec = Infinity,
): Promise<T> {
  const stop = new AbortController();
  // What is waited for may be asked for again and again.
  setMaxListeners(0, stop.signal);
  const stopped = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error));
  });
  const onSignal = (): void => stop.abort(new CliError(message, EXIT_INTERRUPTED));
  const limitMs = limitSec * 1000;
  const timer = limitMs <= LONGEST_MS ? setTimeout(() => stop.abort(new WaitOver()), limitMs) : undefined;
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    // A question that is under way may take a while to notice.
    const waiting = wait(stop.signal);
    waiting.catch(() => undefined);
    return await Promise.race([waiting, stopped]);
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
