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

/** Outcomes kept for `scriptResult`; an Update's answer must not grow with a rental's life. */
const KEPT = 20;
/** Ids that are known to be used when their outcomes are not kept any more. */
const KNOWN = 1000;
const LONGEST_WAIT_SEC = 30;
const DEFAULT_TIMEOUT_SEC = 3600;

export interface OutsideScriptsOptions {
  /** Puts a script behind those that wait already. */
  enqueue(script: Assignment): void;
  /** The rental takes and runs nothing more. */
  isOver(): boolean;
  /** Why, for people. */
  reason(): string;
}

interface OutsideScript {
  /** It has a batch id, which is in the rental's state. */
  sent: boolean;
  outcome?: ScriptOutcome;
}

export class OutsideScripts {
  private readonly scripts = new Map<string, OutsideScript>();
  /** Ids whose outcomes are not kept any more, oldest first. */
  private readonly forgotten = new Set<string>();
  private taken = 0;

  constructor(private readonly options: OutsideScriptsOptions) {
    setHandler(executeScriptUpdate, (script) => this.execute(script), {
      validator: (script) => {
        checkScript(script);
        if (options.isOver()) throw this.rentalEnded();
      },
    });
    setHandler(scriptResultUpdate, ({ scriptId, waitSec }) => this.result(scriptId, waitSec), {
      validator: checkScriptResult,
    });
  }

  /** The script has got a batch id. One of the job's is none of ours. */
  sent(id: string): void {
    const script = this.scripts.get(id);
    if (script) script.sent = true;
  }

  /** Keeps what a script came to. False for one of the job's. */
  finish(outcome: AssignmentOutcome): boolean {
    const script = this.scripts.get(outcome.id);
    if (!script) return false;
    const { id: scriptId, state, results, reason } = outcome;
    script.outcome = { scriptId, state, results, reason };
    const over = [...this.scripts].filter(([, { outcome: known }]) => known);
    for (const [oldest] of over.slice(0, -KEPT)) this.forget(oldest);
    return true;
  }

  private forget(scriptId: string): void {
    this.scripts.delete(scriptId);
    this.forgotten.add(scriptId);
    for (const oldest of [...this.forgotten].slice(0, -KNOWN)) this.forgotten.delete(oldest);
  }

  private async execute(script: ExecuteScript): Promise<{ scriptId: string }> {
    const scriptId = script.scriptId ?? this.newId();
    if (this.forgotten.has(scriptId)) return { scriptId };
    const entry = this.scripts.get(scriptId) ?? this.take(scriptId, script);
    await condition(() => entry.sent || entry.outcome !== undefined || this.options.isOver());
    if (!entry.sent && entry.outcome === undefined) throw this.rentalEnded();
    return { scriptId };
  }

  private newId(): string {
    for (;;) {
      this.taken += 1;
      const scriptId = `script-${this.taken}`;
      if (!this.scripts.has(scriptId) && !this.forgotten.has(scriptId)) return scriptId;
    }
  }

  private take(scriptId: string, script: ExecuteScript): OutsideScript {
    const entry: OutsideScript = { sent: false };
    this.scripts.set(scriptId, entry);
    this.options.enqueue({
      ...{ id: scriptId, task: scriptId, scriptId, commands: scriptCommands(script.commands) },
      timeoutSec: script.timeoutSec ?? DEFAULT_TIMEOUT_SEC,
      onUncertain: script.onUncertain ?? 'fail',
    });
    return entry;
  }

  private async result(scriptId: string, waitSec?: number | null): Promise<ScriptOutcome> {
    const script = this.scripts.get(scriptId);
    if (!script) {
      const why = this.forgotten.has(scriptId)
        ? `the rental keeps the outcomes of its newest ${KEPT} scripts, and "${scriptId}" is none of them any more`
        : `no script "${scriptId}" in this rental`;
      throw ApplicationFailure.nonRetryable(why, 'UnknownScript');
    }
    const wait = Math.max(0, Math.min(waitSec ?? LONGEST_WAIT_SEC, LONGEST_WAIT_SEC));
    await condition(() => script.outcome !== undefined || this.options.isOver(), wait * 1000);
    if (!script.outcome && this.options.isOver()) throw this.rentalEnded();
    return script.outcome ?? { scriptId, state: 'running', results: [] };
  }

  private rentalEnded(): ApplicationFailure {
    return ApplicationFailure.nonRetryable(
      `the rental has ended: ${this.options.reason()}`,
      'AgreementEnded',
    );
  }
}
