/** A wait that ends early, and in peace, with what it is part of. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/** @param ms `Infinity`: until the signal */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === Infinity) {
    if (!signal.aborted) await once(signal, 'abort');
  } else if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
}
