/**
 * What the verdict of a seed adds to that of every run: how the job may end, whether each failure is named and each
 * failed task has a reason, what a provider may cost at most, and what histories and logs may not hold.
 */
import { FAILURES } from '../../model/failures';
import type { JobResult, TaskResult } from '../../model/result';
import type { Evidence } from './evidence';
import type { Ending } from './job-control';
import { mayLackInvoice, type Plan } from './plan';
import { judgePrices } from './price-verdict';
import type { RecordedRun } from './replay-verdict';
import type { Strokes } from './strokes';
import { judge, type Verdict } from './verdict';

export interface SeedEvidence {
  plan: Plan;
  evidence: Evidence;
  strokes: Strokes;
  ending: Ending | undefined;
  settlement: Ending | undefined;
  histories: RecordedRun[];
  appKey: string;
  /** What the workers wrote. */
  output: string[];
  /** Workers that ended of themselves. */
  deaths: string[];
}

/** Failures that no fault of a plan excuses. */
const NEVER = [
  'InvalidJobSpec',
  'JobIdInUse',
  'UnknownConnection',
  'YagnaUnauthorized',
  'YagnaIncompatible',
  'Error',
  'Timeout',
];

/** `WorkflowTaskFailedCause` of Temporal's API: the workflow code threw, or went another way than its history. */
const BUGS = [14, 24];

export function judgeSeed(seed: SeedEvidence): Verdict {
  const { broken, counts } = judge(seed.evidence);
  return {
    broken: [
      ...broken,
      ...judgeEnding(seed),
      ...judgeSettlement(seed),
      ...judgeInvoices(seed),
      ...judgeFailedTasks(seed),
      ...judgePrices(seed.evidence.effects, seed.plan),
      ...judgeHistories(seed),
      ...(seed.output.some((line) => line.includes(seed.appKey)) ? ['the app key is in the log'] : []),
      ...seed.deaths.map((words) => `the worker ended of itself: ${words}`),
    ],
    counts,
  };
}

function judgeEnding({ ending, strokes }: SeedEvidence): string[] {
  if (!ending) return ['the job is not there'];
  const { status, failure } = ending;
  const expected = ['COMPLETED', 'FAILED'];
  if (strokes.did('cancelJob')) expected.push('CANCELLED');
  if (strokes.did('terminateJob', 'terminateJobAndRentals', 'terminateAll')) expected.push('TERMINATED');
  if (!expected.includes(status)) return [`the job is ${status}: ${failure?.message ?? ''}`];
  if (status === 'FAILED') return judgeFailure('the job failed with', failure);
  return [];
}

function judgeFailure(what: string, failure: { type: string; message: string } | undefined): string[] {
  const type = failure?.type ?? 'no name';
  if (!(type in FAILURES) || NEVER.includes(type)) return [`${what} ${type}: ${failure?.message ?? ''}`];
  return [];
}

/** What is owed is paid, unless there is no bill, or it was refused. */
function judgeSettlement({ settlement, plan, evidence, strokes }: SeedEvidence): string[] {
  if (!settlement) {
    const began = evidence.effects.some(({ kind }) => kind === 'allocation-created');
    return began ? ['there is no settlement, and money was reserved'] : [];
  }
  // What it had left, if anything, was for others to settle.
  if (settlement.status === 'TERMINATED' && strokes.did('terminateSettlement', 'terminateAll')) return [];
  if (settlement.status === 'FAILED') return judgeFailure('the settlement failed with', settlement.failure);
  if (settlement.status !== 'COMPLETED') return [`the settlement is ${settlement.status}`];
  const [job] = evidence.jobs;
  const unsettled = (job?.settlement?.agreements ?? []).filter(({ state }) => state !== 'settled');
  const rejected = new Set(
    evidence.effects.flatMap((effect) => (effect.kind === 'invoice-rejected' ? effect.agreementId : [])),
  );
  return unsettled
    .filter(({ agreementId }) => !rejected.has(agreementId))
    .filter(() => !mayLackInvoice(plan) && !isTight(plan))
    .map(({ agreementId, state }) => `agreement ${agreementId} is ${state} for no reason`);
}

/** Every bill that came is decided, unless the budget is used up; that of a short wait may come too late. */
function judgeInvoices({ evidence, plan }: SeedEvidence): string[] {
  if (isTight(plan) || mayLackInvoice(plan)) return [];
  const decided = new Set(
    evidence.effects.flatMap((effect) =>
      effect.kind === 'invoice-accepted' || effect.kind === 'invoice-rejected' ? effect.invoiceId : [],
    ),
  );
  return evidence.effects.flatMap((effect) =>
    effect.kind === 'invoice-issued' && !decided.has(effect.invoiceId)
      ? [`invoice ${effect.invoiceId} of agreement ${effect.agreementId} was never decided`]
      : [],
  );
}

/** A budget that a job can use up. */
function isTight({ job }: Plan): boolean {
  return Number(job.budgetMax ?? job.budget) < 0.1;
}

/** A task fails by its attempts, or by what a mate in its VM did, or because the job as a whole failed. */
function judgeFailedTasks({ plan, evidence }: SeedEvidence): string[] {
  const result = evidence.jobs[0]?.result;
  if (!result) return [];
  return result.tasks.flatMap((task) => {
    const planned = plan.job.tasks.find(({ name }) => name === task.name);
    if (!planned) return [`the result has a task ${task.name} that was never given`];
    if (task.state === 'done' && planned.kind === 'fails')
      return [`task ${task.name} is done, and it cannot be`];
    if (task.state === 'done') return [];
    if (task.state === 'failed')
      return failedWithReason(task, planned.maxAttempts, planned.onUncertain, result);
    return result.failure ? [] : [`task ${task.name} was ${task.state}, and the job did not fail`];
  });
}

function failedWithReason(
  task: TaskResult,
  maxAttempts: number,
  onUncertain: string,
  { failure }: JobResult,
): string[] {
  const broken = judgeFailure(`task ${task.name} failed with`, task.failure);
  const bad = task.attempts.filter(({ state }) => state !== 'done').length;
  const uncertain = onUncertain === 'fail' && task.attempts.at(-1)?.state === 'uncertain';
  const byMate = task.failure?.message.startsWith('not run: task') ?? false;
  if (bad < maxAttempts && !uncertain && !byMate && !failure) {
    broken.push(
      `task ${task.name} failed after ${bad} of ${maxAttempts} attempts: ${task.failure?.message ?? ''}`,
    );
  }
  return broken;
}

function judgeHistories({ histories, appKey }: SeedEvidence): string[] {
  return histories.flatMap(({ workflowId, history }) => {
    const broken: string[] = [];
    if (holds(history, appKey)) broken.push(`the app key is in the history of ${workflowId}`);
    for (const event of history.events ?? []) {
      const failed = event.workflowTaskFailedEventAttributes;
      const message = failed?.failure?.message ?? '';
      if (failed && BUGS.includes(Number(failed.cause)))
        broken.push(`a workflow task of ${workflowId} failed: ${message}`);
    }
    return broken;
  });
}

/** Whether a text stands anywhere in it. */
function holds(value: unknown, text: string): boolean {
  if (typeof value === 'string') return value.includes(text);
  if (value instanceof Uint8Array) return Buffer.from(value).includes(text);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((part) => holds(part, text));
}
