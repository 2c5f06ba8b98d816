/** Waits for the first of several long waits to end. */
import { setMaxListeners } from 'node:events';

/**
 * @param wait - its signal ends those that are not over when the first is
 * @returns what those have come to that are over by then
 * @throws what the first to end throws
 */
export async function anyEnded<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  wait: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  // Each of them listens to it, and Node warns of more than ten.
  setMaxListeners(0, both);
  const over: R[] = [];
  const ends = items.map(async (item) => {
    over.push(await wait(item, both));
  });
  for (const end of ends) end.catch(() => undefined);
  try {
    await Promise.race(ends);
    return [...over];
  } finally {
    stop.abort();
  }
}
