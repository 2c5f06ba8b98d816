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
  type ScriptOutcome,
} from './protocol';
import { checkScript, scriptCommands } from './script-input';
import { checkScriptResult } from './signal-input';

/** Outcomes kept for `scriptResult`; an Update's answer must not grow with a rental's life. */
const KEPT = 20;
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
    for (const [oldest] of over.slice(0, -KEPT)) this.scripts.delete(oldest);
    return true;
  }

  private async execute(script: Parameters<typeof checkScript>[0]): Promise<{ scriptId: string }> {
    this.taken += 1;
    const scriptId = `script-${this.taken}`;
    const entry: OutsideScript = { sent: false };
    this.scripts.set(scriptId, entry);
    this.options.enqueue({
      ...{ id: scriptId, task: scriptId, commands: scriptCommands(script.commands) },
      timeoutSec: script.timeoutSec ?? DEFAULT_TIMEOUT_SEC,
      onUncertain: script.onUncertain ?? 'fail',
    });
    await condition(() => entry.sent || entry.outcome !== undefined || this.options.isOver());
    if (!entry.sent && entry.outcome === undefined) throw this.rentalEnded();
    return { scriptId };
  }

  private async result(scriptId: string, waitSec?: number | null): Promise<ScriptOutcome> {
    const script = this.scripts.get(scriptId);
    if (!script) {
      throw ApplicationFailure.nonRetryable(`no script "${scriptId}" in this rental`, 'UnknownScript');
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
