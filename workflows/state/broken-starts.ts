/** Counts rentals in a row that broke before their VM was ready: when to pause, and when to give up. */

/** So many, and the fault is in the job or the network, not in a provider. */
const MAX_BROKEN_STARTS = 10;
/** A setup that fails on so many providers in a row has a mistake. */
const MAX_BROKEN_SETUPS = 5;
/** Broken starts that delay nothing: the next provider is asked at once. */
const FREE_STARTS = 3;
const LONGEST_PAUSE_SEC = 30;

export class BrokenStarts {
  private starts = 0;
  private setups = 0;
  private notBeforeMs = 0;

  /** A VM came up. */
  reset(): void {
    this.starts = this.setups = 0;
  }

  add(setupFailed: boolean, nowMs: number): void {
    this.starts += 1;
    if (setupFailed) this.setups += 1;
    this.notBeforeMs = nowMs + Math.min(LONGEST_PAUSE_SEC, 2 ** (this.starts - 1)) * 1000;
  }

  /** How long to wait before the next provider is asked. */
  pauseMs(nowMs: number): number {
    return this.starts > FREE_STARTS ? Math.max(0, this.notBeforeMs - nowMs) : 0;
  }

  get tooMany(): boolean {
    return this.starts >= MAX_BROKEN_STARTS || this.setups >= MAX_BROKEN_SETUPS;
  }

  message(last = 'no reason given'): string {
    return `${this.starts} providers in a row gave no working VM; the last: ${last}`;
  }
}
