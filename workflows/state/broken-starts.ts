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
interface Row {
  count: number;
  /** Number of the newest rental by the last one that was counted. */
  newest: number;
}

/** Plain data. */
export interface BrokenStartsState {
  starts: Row;
  setups: Row;
  refusals: Row;
  notBeforeMs: number;
  lastStart?: NamedFailure;
  lastRefusal?: NamedFailure;
}

const NONE: Row = { count: 0, newest: 0 };
const NONE_BROKEN: BrokenStartsState = { starts: NONE, setups: NONE, refusals: NONE, notBeforeMs: 0 };

function add(row: Row, { rental, newest }: BrokenStart): Row {
  return rental <= row.newest ? row : { count: row.count + 1, newest };
}

export class BrokenStarts {
  constructor(private state: BrokenStartsState = NONE_BROKEN) {}

  /** What the next run of the job is given. */
  carry(): BrokenStartsState {
    return this.state;
  }

  /** A VM came up. */
  reset(): void {
    this.state = { ...NONE_BROKEN, notBeforeMs: this.state.notBeforeMs };
  }

  add(broken: BrokenStart, nowMs: number, random = Math.random): void {
    const { failure, setupFailed } = broken;
    const before = this.state;
    const refused = REFUSALS.includes(failure.type);
    this.state = {
      ...before,
      ...(refused ? { lastRefusal: failure } : { lastStart: failure }),
      starts: refused ? before.starts : add(before.starts, broken),
      refusals: refused ? add(before.refusals, broken) : before.refusals,
      setups: setupFailed ? add(before.setups, broken) : before.setups,
    };
    const counted = this.state.starts !== before.starts || this.state.refusals !== before.refusals;
    if (counted) this.state.notBeforeMs = nowMs + backoffMs(this.inARow - 1, PAUSES, random);
  }

  /** How long to wait before the next provider is asked. */
  pauseMs(nowMs: number): number {
    return this.inARow > FREE_STARTS ? Math.max(0, this.state.notBeforeMs - nowMs) : 0;
  }

  /** Why nobody else is to be asked, by the name of the last failure; undefined as long as another may do better. */
  get tooMany(): NamedFailure | undefined {
    const { lastStart, starts, setups } = this.state;
    if (!lastStart || (starts.count < MAX_BROKEN_STARTS && setups.count < MAX_BROKEN_SETUPS))
      return undefined;
    const message = `${starts.count} times in a row providers gave no working VM; the last: ${lastStart.message}`;
    return { type: lastStart.type, message };
  }

  /** The last refusal in a row, of an agreement or by yagna. */
  get refusal(): NamedFailure | undefined {
    return this.state.lastRefusal;
  }

  private get inARow(): number {
    return this.state.starts.count + this.state.refusals.count;
  }
}
