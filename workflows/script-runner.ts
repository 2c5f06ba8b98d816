/**
 * Runs scripts in a rental's VM: sends each once, watches it by its batch id, and says how it ended. When the answer
 * to sending is lost, what was asked for that case decides.
 */
import { ActivityFailure, TimeoutFailure, condition, isCancellation } from '@temporalio/workflow';
import { backoffMs, YAGNA_BACKOFF } from '../model/backoff';
import type {
  JobRef,
  ScriptCommand,
  SendingScript,
  SentScript,
  VmAfterScript,
  WatchedScript,
} from '../activities/contract';
import type { NewEvent } from '../model/events';
import type { AgreementId, BatchId, GolemActivityId } from '../model/ids';
import { scriptWatch, sending } from './activity-options';
import { isRepeatable } from './state/script-parts';
import { namedFailure } from './failure-type';
import type { Assignment, AssignmentOutcome } from './protocol';
import type { Fault } from './state/broken-faith';
import type { RunningScript } from './state/rental-record';

export interface Vm {
  agreementId: AgreementId;
  activityId: GolemActivityId;
}

export interface EndedScript {
  outcome: AssignmentOutcome;
  /** Why the VM is of no use any more, if so. */
  vm?: VmAfterScript;
  /** Of its end. */
  event?: NewEvent;
}

type HowEnded = Pick<AssignmentOutcome, 'state' | 'results' | 'reason' | 'batchId'>;

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
  /** The rental goes on as a new run, or somebody else does with its VM: what cannot be sent now is not. */
  isCalledOff(): boolean;
  /** Called once an assignment's script has a batch id. */
  onSent(script: RunningScript): void;
}

/** A script that was sent, with what it came to where it was over at once. */
type Sent = Pick<SentScript, 'batchId' | 'quick'>;

/** Of a script that was sent by a worker that died before it could say so. */
function batchIdOf(error: unknown): BatchId | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const told = cause instanceof TimeoutFailure ? cause.lastHeartbeatDetails : undefined;
  const batchId = (told as Partial<SendingScript> | null | undefined)?.batchId;
  return typeof batchId === 'string' ? batchId : undefined;
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

  /**
   * Sends a script; a request that certainly had no effect is sent again, any other failure is thrown.
   * @param isCalledOff - asked before each new try
   * @param task - what the script is of, for its event
   * @returns undefined when it was called off, and certainly not sent; with the end of one that was over at once
   */
  async send(vm: Vm, commands: ScriptCommand[]): Promise<Sent>;
  async send(
    vm: Vm,
    commands: ScriptCommand[],
    isCalledOff: () => boolean,
    timeoutSec: number,
    task: string,
  ): Promise<Sent | undefined>;
  async send(
    vm: Vm,
    commands: ScriptCommand[],
    isCalledOff = () => false,
    timeoutSec?: number,
    task?: string,
  ): Promise<Sent | undefined> {
    const { job, outputLimitBytes, note, isClosing } = this.options;
    const tell = (sent: NewEvent): void => note([{ ...sent, details: { ...sent.details, task } }]);
    for (let failures = 0; ; failures++) {
      try {
        const input = { job, ...vm, commands, timeoutSec, outputLimitBytes };
        const { batchId, event, quick } = await sending.golemSendScript(input);
        tell(event);
        return { batchId, quick };
      } catch (error) {
        const batchId = batchIdOf(error);
        if (batchId !== undefined) {
          tell({ name: 'ScriptSent', at: new Date().toISOString(), details: { ...vm, batchId } });
          return { batchId };
        }
        const again = WAITED_FOR.includes(namedFailure(error).type) && !isClosing();
        if (isCancellation(error) || !again) throw error;
        if (await condition(isCalledOff, backoffMs(failures, WAITS, Math.random))) return undefined;
      }
    }
  }

  async watch(
    vm: Vm,
    script: Pick<RunningScript, 'batchId' | 'commandCount' | 'deadlineMs' | 'scriptId' | 'inParts'>,
  ): Promise<WatchedScript> {
    const { job, outputLimitBytes } = this.options;
    const { batchId, commandCount, deadlineMs, scriptId, inParts } = script;
    return await scriptWatch().golemWatchScript({
      ...{ job, ...vm, batchId, commandCount, outputLimitBytes, deadlineMs, scriptId },
      offset: inParts?.parts?.offset,
    });
  }

  /**
   * Sends an assignment's script.
   *
   * @returns what it came to when it could not be sent, or was over at once; `notSent` when it was called off before
   */
  async begin(vm: Vm, task: Assignment): Promise<'sent' | 'notSent' | EndedScript> {
    const { timeoutSec, commands, scriptId, since, parts } = task;
    const startedAt = since?.startedAt ?? new Date().toISOString();
    const script = { id: task.id, task: task.task, startedAt };
    const onUncertain = parts && isRepeatable(parts) ? 'rerun' : task.onUncertain;
    const ended = (how: HowEnded, after?: VmAfterScript) => this.ended(vm, script, how, after);
    for (let reruns = 0; ; reruns++) {
      try {
        const sent = await this.send(vm, commands, () => this.options.isCalledOff(), timeoutSec, task.task);
        if (!sent) return 'notSent';
        const { batchId, quick } = sent;
        const deadlineMs = since?.deadlineMs ?? Date.now() + timeoutSec * 1000;
        const commandCount = commands.length;
        const inParts = parts && { ...task, parts, since: { startedAt, deadlineMs } };
        this.options.onSent({ ...script, scriptId, timeoutSec, batchId, commandCount, deadlineMs, inParts });
        if (!quick) return 'sent';
        return this.watched(vm, script, batchId, quick);
      } catch (error) {
        if (isCancellation(error)) throw error;
        const { type, message: reason } = namedFailure(error);
        // yagna takes no such script, or it was not sent: the VM is as good as before.
        if (type === 'YagnaIncompatible' || type === 'FilesNotServed')
          return ended({ state: 'failed', results: [], reason });
        if (type === 'VmLost') return ended({ state: 'lost', results: [], reason }, 'dead');
        if (SURELY_NOT_SENT.includes(type)) return ended({ state: 'lost', results: [], reason });
        if (onUncertain === 'rerun' && reruns < MAX_RERUNS) continue;
        return ended({ state: 'uncertain', results: [], reason });
      }
    }
  }

  /** Waits for the end of a script that was sent, however long ago and by whichever run. */
  async follow(vm: Vm, script: RunningScript): Promise<EndedScript> {
    const { batchId } = script;
    try {
      return this.watched(vm, script, batchId, await this.watch(vm, script));
    } catch (error) {
      if (isCancellation(error)) throw error;
      const { message: reason } = namedFailure(error);
      return this.ended(vm, script, { state: 'lost', results: [], reason, batchId });
    }
  }

  private watched(
    vm: Vm,
    script: Pick<RunningScript, 'id' | 'task' | 'startedAt'>,
    batchId: BatchId,
    { event, vm: after, state, results, reason }: WatchedScript,
  ): EndedScript {
    return { ...this.ended(vm, script, { state, results, reason, batchId }, after), event };
  }

  private ended(
    { activityId }: Vm,
    { id, task, startedAt }: Pick<RunningScript, 'id' | 'task' | 'startedAt'>,
    how: HowEnded,
    after?: VmAfterScript,
  ): EndedScript {
    const fault = faultOf(after, how.reason ?? how.state, task);
    const finishedAt = new Date().toISOString();
    const { rental } = this.options;
    return {
      outcome: { ...{ rental, id, task, activityId, startedAt }, ...how, fault, finishedAt },
      vm: after,
    };
  }
}
