/** Scripts for a rental's VM that come from outside of its job: what is sent, and what it comes to. Plain data. */
import type { OnUncertain, TaskCommand } from './job';
import type { CommandResult } from './result';

/** Argument of the Update `executeScript`. */
export interface ExecuteScript {
  /** Shell lines, `{ run, args }` or `{ transfer: { from, to } }`. */
  commands: (string | TaskCommand)[];
  /** Longest time for the script, seconds. Default 3600. */
  timeoutSec?: number;
  /**
   * When it is not known whether it was started. `fail`, the default, tells so (`uncertain`) and leaves the VM as it is: nobody
   * but the caller knows what a repeat would do. `freshVm` tells so and has the VM made anew. `rerun` sends it again.
   */
  onUncertain?: OnUncertain;
  /**
   * Name of the VM that it runs in: 1 to 64 letters, digits, `.`, `_` or `-`. A VM of a new name is made beside the first one,
   * under the same agreement, where the job's `vmsAtOnce` and the provider have room for it; scripts of different VMs run side
   * by side. Default: the rental's first VM.
   */
  vm?: string;
  /** Its VM is ended first and made anew, under the same agreement: what was in it is gone. Default false. */
  fresh?: boolean;
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
  /** By name, where it could not have its VM: `VmNotCreated`, or `VmLost`. */
  failure?: { type: string; message: string };
}

/** What the watch of a script tells with each of its heartbeats. */
export interface ScriptSoFar {
  scriptId: string;
  /** Of the newest commands that have ended, in order: so many as fit. */
  results: CommandResult[];
}

/** Name of the activity whose heartbeats tell it. */
export const SCRIPT_WATCH = 'golemWatchScript';
