/** Scripts for a rental's VM that come from outside of its job: what is sent, and what it comes to. Plain data. */
import type { OnUncertain, TaskCommand } from './job';
import type { CommandResult } from './result';

/** Argument of the Update `executeScript`. */
export interface ExecuteScript {
  /** Shell lines, `{ run, args }` or `{ transfer: { from, to } }`. */
  commands: (string | TaskCommand)[];
  /** Longest time for the script, seconds. Default 3600. */
  timeoutSec?: number;
  /** Default `fail`: nobody but the caller knows what a repeat would do. */
  onUncertain?: OnUncertain;
  /**
   * The script's id: 1 to 64 letters, digits, `.`, `_` or `-`. An Update that is sent again with it is the same script,
   * which is not run twice, whatever died in between. Default: one that is new in the rental.
   */
  scriptId?: string;
}

/**
 * `lost`: the VM went while it ran. `returned`: it never began. `timedOut`: it ran longer than its time.
 * `uncertain`: the answer to sending it was lost, so that it may run or not.
 */
export type ScriptEnd = 'done' | 'failed' | 'lost' | 'timedOut' | 'uncertain' | 'returned';

/** Answer of the Update `scriptResult`. */
export interface ScriptOutcome {
  scriptId: string;
  /** `running` when `waitSec` has passed before the script has ended. */
  state: 'running' | ScriptEnd;
  /** One for each command that has ended, in order; none while it runs. */
  results: CommandResult[];
  /** Why it did not end well. */
  reason?: string;
}

/** What the watch of a script tells with each of its heartbeats. */
export interface ScriptSoFar {
  scriptId: string;
  /** Of the newest commands that have ended, in order: so many as fit. */
  results: CommandResult[];
}

/** Name of the activity whose heartbeats tell it. */
export const SCRIPT_WATCH = 'golemWatchScript';
