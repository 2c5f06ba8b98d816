/** Waiting for whichever comes first: a wake-up, the time, or the end of the activity. */
export interface Wait {
  wake(): void;
  /** Resolves at a wake-up since the last `next`, or after `ms`. Rejects with the signal's reason. */
  next(ms: number): Promise<void>;
}

export function waitFor(signal: AbortSignal): Wait {
  let woken = false;
  let resume: (() => void) | undefined;
  return {
    wake() {
      woken = true;
      resume?.();
    },
    async next(ms) {
      signal.throwIfAborted();
      if (!woken) {
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(done, ms);
          const onAbort = (): void => {
            clearTimeout(timer);
            reject(signal.reason as Error);
          };
          function done(): void {
            clearTimeout(timer);
            signal.removeEventListener('abort', onAbort);
            resolve();
          }
          resume = done;
          signal.addEventListener('abort', onAbort, { once: true });
        });
      }
      resume = undefined;
      woken = false;
    },
  };
}
