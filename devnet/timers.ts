/** Timers that never keep the process alive, take any length, and all end at once when their owner closes. */

import { because } from './cause';

const LONGEST_MS = 2_000_000_000;

export class Timers {
  private readonly live = new Set<Timer>();
  private closed = false;

  /** @param cause of what its timers do; by default they go on for whoever set them. */
  constructor(private readonly cause?: string) {}

  /** Calls `action` once after `ms`; never once closed. */
  after(ms: number, action: () => void, cause = this.cause): Timer | undefined {
    if (this.closed) return undefined;
    const timer: Timer = new Timer(ms, () => {
      this.live.delete(timer);
      if (cause === undefined) action();
      else because(cause, action);
    });
    this.live.add(timer);
    return timer;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  cancel(timer: Timer | undefined): void {
    if (!timer) return;
    timer.stop();
    this.live.delete(timer);
  }

  close(): void {
    this.closed = true;
    for (const timer of this.live) timer.stop();
    this.live.clear();
  }
}

/**
 * Waits, however long; `Infinity` is for ever.
 * @returns false when the signal came first
 */
export function pause(ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  if (ms <= 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const end = (passed: boolean): void => {
      timer.stop();
      signal?.removeEventListener('abort', cut);
      resolve(passed);
    };
    const cut = (): void => end(false);
    const timer = new Timer(ms, () => end(true));
    signal?.addEventListener('abort', cut);
  });
}

export class Timer {
  private handle: NodeJS.Timeout;

  constructor(ms: number, action: () => void) {
    const dueMs = performance.now() + ms;
    const step = (left: number): NodeJS.Timeout =>
      setTimeout(
        () => {
          // Node calls up to a millisecond early.
          const more = dueMs - performance.now();
          if (more > 0) this.handle = step(more);
          else action();
        },
        Math.max(0, Math.min(Math.ceil(left), LONGEST_MS)),
      ).unref();
    this.handle = step(ms);
  }

  stop(): void {
    clearTimeout(this.handle);
  }
}
