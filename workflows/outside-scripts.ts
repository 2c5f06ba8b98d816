/**
 * Scripts that come to a rental by Update instead of from its job: takes them in, and keeps their outcomes for who
 * asks.
 */
import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import {
  executeScriptUpdate,
  scriptResultUpdate,
  type Assignment,
  type AssignmentOutcome,
  type ExecuteScript,
  type ScriptOutcome,
} from './protocol';
import { checkScript, scriptCommands } from './script-input';
import { checkScriptResult } from './signal-input';
import { forget, moreVms, type OutsideScript, type RentalRecord } from './state/rental-record';

/** Outcomes kept for `scriptResult`; an Update's answer must not grow with a rental's life. */
const KEPT = 20;
const LONGEST_WAIT_SEC = 30;
const DEFAULT_TIMEOUT_SEC = 3600;

export interface OutsideScriptsOptions {
  /** @throws ControlRefused - who asks may not */
  guard(operation: 'executeScript' | 'scriptResult', argument: unknown): Promise<unknown>;
  /** VMs that scripts may have at a time, by name. */
  vmsAtOnce: number;
  /** To a VM that was there: there are no others. Default false. */
  isAttached?: boolean;
  /** Puts a script behind those that wait already for the VM, the first one or that of a name. */
  enqueue(script: Assignment, vm?: string): void;
  /** The rental takes and runs nothing more. */
  isOver(): boolean;
  /** It goes on as a new run, which answers in its place. */
  isLeaving(): boolean;
  /** Why it is over. */
  ended(): ApplicationFailure;
}

export class OutsideScripts {
  /** @param record - the rental's, which goes along into its next run */
  constructor(
    private readonly record: Pick<RentalRecord, 'outside' | 'forgotten' | 'taken'>,
    private readonly options: OutsideScriptsOptions,
  ) {
    setHandler(executeScriptUpdate, (script) => this.execute(script), {
      validator: (script) => {
        checkScript(script);
        if (options.isOver()) throw this.options.ended();
        const noRoom =
          script.vm !== undefined &&
          options.vmsAtOnce < 2 &&
          `vm: ${moreVms(options.vmsAtOnce, options.isAttached)}`;
        if (noRoom) throw ApplicationFailure.nonRetryable(noRoom, 'InvalidJobSpec', [noRoom]);
      },
    });
    setHandler(scriptResultUpdate, (query) => this.result(query), {
      validator: checkScriptResult,
    });
  }

  /** The script has got a batch id. One of the job's is none of ours. */
  sent(id: string): void {
    const script = this.find(id);
    if (script) script.sent = true;
  }

  /** Keeps what a script came to. False for one of the job's. */
  finish(outcome: AssignmentOutcome): boolean {
    const { id: scriptId, state, results, reason } = outcome;
    return this.end({ scriptId, state, results, reason });
  }

  /** The same, of what its outcome says. */
  end(outcome: ScriptOutcome): boolean {
    const script = this.find(outcome.scriptId);
    if (!script) return false;
    script.outcome = outcome;
    const over = this.record.outside.filter(({ outcome: known }) => known);
    Object.assign(this.record, forget(this.record, over.slice(0, -KEPT)));
    return true;
  }

  private find(id: string): OutsideScript | undefined {
    return this.record.outside.find(({ scriptId }) => scriptId === id);
  }

  /** A script that still waits when the rental goes on as a new run is sent by that: it is in its queue. */
  private async execute(script: ExecuteScript): Promise<{ scriptId: string }> {
    await this.options.guard('executeScript', script);
    if (this.options.isOver()) throw this.options.ended();
    const scriptId = script.scriptId ?? this.newId();
    if (this.record.forgotten.includes(scriptId)) return { scriptId };
    const entry = this.find(scriptId) ?? this.take(scriptId, script);
    const isTaken = (): boolean => entry.sent || entry.outcome !== undefined;
    await condition(() => isTaken() || this.options.isLeaving() || this.options.isOver());
    if (!isTaken() && this.options.isOver()) throw this.options.ended();
    return { scriptId };
  }

  private newId(): string {
    for (;;) {
      this.record.taken += 1;
      const scriptId = `script-${this.record.taken}`;
      if (!this.find(scriptId) && !this.record.forgotten.includes(scriptId)) return scriptId;
    }
  }

  private take(scriptId: string, script: ExecuteScript): OutsideScript {
    const entry: OutsideScript = { scriptId, sent: false };
    this.record.outside.push(entry);
    const assignment: Assignment = {
      ...{ id: scriptId, task: scriptId, scriptId, commands: scriptCommands(script.commands) },
      timeoutSec: script.timeoutSec ?? DEFAULT_TIMEOUT_SEC,
      onUncertain: script.onUncertain ?? 'fail',
      fresh: script.fresh,
    };
    this.options.enqueue(assignment, script.vm);
    return entry;
  }

  private async result(query: { scriptId: string; waitSec?: number }): Promise<ScriptOutcome> {
    await this.options.guard('scriptResult', query);
    const { scriptId, waitSec } = query;
    const script = this.find(scriptId);
    if (!script) {
      const why = this.record.forgotten.includes(scriptId)
        ? `the rental keeps the outcomes of its newest ${KEPT} scripts, and "${scriptId}" is none of them any more`
        : `no script "${scriptId}" in this rental`;
      throw ApplicationFailure.nonRetryable(why, 'UnknownScript');
    }
    const wait = Math.max(0, Math.min(waitSec ?? LONGEST_WAIT_SEC, LONGEST_WAIT_SEC));
    const isAnswer = (): boolean => script.outcome !== undefined || this.options.isLeaving();
    // A timer takes Temporal a second, however short it is.
    if (wait > 0) await condition(() => isAnswer() || this.options.isOver(), wait * 1000);
    if (!script.outcome && this.options.isOver()) throw this.options.ended();
    return script.outcome ?? { scriptId, state: 'running', results: [] };
  }
}
