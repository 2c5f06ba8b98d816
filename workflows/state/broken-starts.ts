/** Counts rentals in a row that broke before their VM was ready: when to pause, and when to give up. */
import { backoffMs } from '../../model/backoff';
import type { NamedFailure } from '../failure-type';

/** So many, and the fault is in the job or the network, not in a provider. */
const MAX_BROKEN_STARTS = 10;
/** A setup that fails on so many providers in a row has a mistake. */
const MAX_BROKEN_SETUPS = 5;
/** Broken starts that delay nothing: the next provider is asked at once. */
const FREE_STARTS = 3;
const PAUSES = { firstMs: 1000, longestMs: 30_000 };
/** These say nothing about VMs; the market is busy, or yagna away. They are a reason to wait, none to give up. */
const REFUSALS = ['AgreementRejected', 'YagnaUnavailable'];

export interface BrokenStart {
  /** Number of the rental that broke. */
  rental: number;
  /** Number of the newest rental by then. */
  newest: number;
  failure: NamedFailure;
  setupFailed: boolean;
}

/** Counts once what breaks side by side: a rental opened before the last one was counted had no other chance. */
class Row {
  count = 0;
  private newest = 0;

  add({ rental, newest }: BrokenStart): boolean {
    if (rental <= this.newest) return false;
    this.newest = newest;
    this.count += 1;
    return true;
  }
}

export class BrokenStarts {
  private starts = new Row();
  private setups = new Row();
  private refusals = new Row();
  private notBeforeMs = 0;
  private lastStart: NamedFailure | undefined;
  private lastRefusal: NamedFailure | undefined;

  /** A VM came up. */
  reset(): void {
    this.starts = new Row();
    this.setups = new Row();
    this.refusals = new Row();
    this.lastStart = this.lastRefusal = undefined;
  }

  add(broken: BrokenStart, nowMs: number, random = Math.random): void {
    const { failure, setupFailed } = broken;
    const refused = REFUSALS.includes(failure.type);
    if (refused) this.lastRefusal = failure;
    else this.lastStart = failure;
    if (setupFailed) this.setups.add(broken);
    const counted = (refused ? this.refusals : this.starts).add(broken);
    if (counted) this.notBeforeMs = nowMs + backoffMs(this.inARow - 1, PAUSES, random);
  }

  /** How long to wait before the next provider is asked. */
  pauseMs(nowMs: number): number {
    return this.inARow > FREE_STARTS ? Math.max(0, this.notBeforeMs - nowMs) : 0;
  }

  /** Why nobody else is to be asked, by the name of the last failure; undefined as long as another may do better. */
  get tooMany(): NamedFailure | undefined {
    const { lastStart, starts, setups } = this;
    if (!lastStart || (starts.count < MAX_BROKEN_STARTS && setups.count < MAX_BROKEN_SETUPS))
      return undefined;
    const message = `${starts.count} times in a row providers gave no working VM; the last: ${lastStart.message}`;
    return { type: lastStart.type, message };
  }

  /** The last refusal in a row, of an agreement or by yagna. */
  get refusal(): NamedFailure | undefined {
    return this.lastRefusal;
  }

  private get inARow(): number {
    return this.starts.count + this.refusals.count;
  }
}
