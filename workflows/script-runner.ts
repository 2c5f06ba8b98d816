/**
 * Runs scripts in a rental's VM: sends each once, watches it by its batch id, and says how it ended. When the answer
 * to sending is lost, what was asked for that case decides.
 */
import { isCancellation, sleep } from '@temporalio/workflow';
import { backoffMs, YAGNA_BACKOFF } from '../model/backoff';
import type { JobRef, ScriptCommand, VmAfterScript, WatchedScript } from '../activities/contract';
import type { NewEvent } from '../model/events';
import type { AgreementId, BatchId, GolemActivityId } from '../model/ids';
import { scriptWatch, sending } from './activity-options';
import { namedFailure } from './failure-type';
import type { Assignment, AssignmentOutcome } from './protocol';
import type { Fault } from './state/broken-faith';

export interface Vm {
  agreementId: AgreementId;
  activityId: GolemActivityId;
}

export interface EndedScript {
  outcome: AssignmentOutcome;
  /** Why the VM is of no use any more, if so. */
  vm?: VmAfterScript;
}

/** What it says about a provider that its VM is of no use after a script. */
export function faultOf(vm: VmAfterScript | undefined, message: string, task?: string): Fault | undefined {
  switch (vm) {
    case 'dead':
      return { kind: 'vmDied', message, task };
    case 'silent':
      return { kind: 'silent', message };
    case 'untrue':
      return { kind: 'resultsUntrue', message };
    case 'unreadable':
      return { kind: 'resultsUnreadable', message };
    default:
      return undefined;
  }
}

export interface ScriptRunnerOptions {
  job: JobRef;
  /** Number of the rental. */
  rental: number;
  outputLimitBytes: number;
  note(events: NewEvent[]): void;
  /** The rental is being closed: nothing is sent any more. */
  isClosing(): boolean;
  /** Called once an assignment's script has a batch id. */
  onSent(id: string, batchId: BatchId): void;
}

/** A script that may be rerun is sent so often when its answers get lost. */
const MAX_RERUNS = 3;
const WAITS = { ...YAGNA_BACKOFF, firstMs: 1000 };
/** With these it was certainly not sent, and may be once yagna is back or the worker has its key. */
const WAITED_FOR = ['YagnaUnavailable', 'YagnaUnauthorized'];
/** Failures of sending after which the script certainly does not run; after any other it may. */
const SURELY_NOT_SENT = [...WAITED_FOR, 'UnknownConnection'];

export class ScriptRunner {
  constructor(private readonly options: ScriptRunnerOptions) {}

  /** Sends a script; a request that certainly had no effect is sent again, any other failure is thrown. */
  async send(vm: Vm, commands: ScriptCommand[]): Promise<BatchId> {
    const { job, note, isClosing } = this.options;
    for (let failures = 0; ; failures++) {
      try {
        const sent = await sending.golemSendScript({ job, ...vm, commands });
        note([sent.event]);
        return sent.batchId;
      } catch (error) {
        const again = WAITED_FOR.includes(namedFailure(error).type) && !isClosing();
        if (isCancellation(error) || !again) throw error;
        await sleep(backoffMs(failures, WAITS, Math.random));
      }
    }
  }

  async watch(vm: Vm, batchId: BatchId, commandCount: number, timeoutSec: number): Promise<WatchedScript> {
    const { job, note, outputLimitBytes } = this.options;
    const watched = await scriptWatch().golemWatchScript({
      ...{ job, ...vm, batchId, commandCount, outputLimitBytes },
      deadlineMs: Date.now() + timeoutSec * 1000,
    });
    if (watched.event) note([watched.event]);
    return watched;
  }

  async run(vm: Vm, task: Assignment): Promise<EndedScript> {
    const { activityId } = vm;
    const startedAt = new Date().toISOString();
    const ended = (
      how: Pick<AssignmentOutcome, 'state' | 'results' | 'reason' | 'batchId'>,
      after?: VmAfterScript,
    ): EndedScript => ({
      outcome: {
        ...{ rental: this.options.rental, id: task.id, task: task.task, activityId, startedAt },
        ...how,
        fault: faultOf(after, how.reason ?? how.state, task.task),
        finishedAt: new Date().toISOString(),
      },
      vm: after,
    });
    for (let reruns = 0; ; reruns++) {
      let batchId: BatchId;
      try {
        batchId = await this.send(vm, task.commands);
      } catch (error) {
        if (isCancellation(error)) throw error;
        const { type, message: reason } = namedFailure(error);
        // yagna takes no such script, or it was not sent: the VM is as good as before.
        if (type === 'YagnaIncompatible' || type === 'FilesNotServed')
          return ended({ state: 'failed', results: [], reason });
        if (type === 'VmLost') return ended({ state: 'lost', results: [], reason }, 'dead');
        if (SURELY_NOT_SENT.includes(type)) return ended({ state: 'lost', results: [], reason });
        if (task.onUncertain === 'rerun' && reruns < MAX_RERUNS) continue;
        return ended({ state: 'uncertain', results: [], reason });
      }
      this.options.onSent(task.id, batchId);
      try {
        const { commands, timeoutSec } = task;
        const watched = await this.watch(vm, batchId, commands.length, timeoutSec);
        const { state, results, reason } = watched;
        return ended({ state, results, reason, batchId }, watched.vm);
      } catch (error) {
        if (isCancellation(error)) throw error;
        return ended({ state: 'lost', results: [], reason: namedFailure(error).message, batchId });
      }
    }
  }
}
