/** Whether the promises about scripts were kept: results are right, and nothing ran twice but where that may be. */
import type { Effect } from '../../devnet';
import type { JobResult, TaskAttempt, TaskResult } from '../../model/result';
import type { Evidence, JobEvidence, ScriptEvidence, TaskEvidence } from './evidence';

type Started = Extract<Effect, { kind: 'script-started' }>;

export interface ScriptVerdict {
  broken: string[];
  /** Scripts of tasks that were started. */
  scripts: number;
  /**
   * Scripts that were started besides those whose outcome counts: what an uncertain or lost attempt had begun, and what
   * was done and had to be done again because its VM had to be made anew.
   */
  scriptsRunAgain: number;
  /** Attempts at a task whose request to run it had no answer. */
  uncertain: number;
}

/** The runner sends a task that may be rerun so often, in one attempt. */
const MOST_RERUNS = 3;

export function judgeScripts({ effects, jobs }: Evidence): ScriptVerdict {
  const started = effects.filter((effect): effect is Started => effect.kind === 'script-started');
  const broken: string[] = [...startedTwice(started), ...setUpTwice(started)];
  const ofSetup = setupScripts(effects);
  const ofTasks = started.filter(({ batchId }) => !ofSetup.has(batchId));
  for (const job of jobs) broken.push(...judgeTasks(job));
  const outside = jobs.flatMap(({ scripts = [] }) => scripts);
  for (const script of outside) broken.push(...judgeOutside(script));
  const attempts = jobs.flatMap(({ result }) => attemptsOf(result));
  const known = new Set(
    attempts.flatMap(({ batchId, earlierBatches = [] }) => [
      ...earlierBatches,
      ...(batchId ? [batchId] : []),
    ]),
  );
  for (const { batchId, state, task } of attempts) {
    if (!batchId || (state !== 'done' && state !== 'failed')) continue;
    if (!ofTasks.some((script) => script.batchId === batchId)) {
      broken.push(`task ${task} is said to be ${state}, its script ${batchId} never started`);
    }
  }
  // A job that returned nothing does not say which scripts it knew of; one that was cut short, not which ones still ran.
  if (jobs.every(({ result }) => result && !result.failure)) {
    const strangers = ofTasks.filter(({ batchId }) => !known.has(batchId));
    broken.push(...judgeStrangers(strangers, jobs));
    const sent = outside.filter((script) => !script.isInherited && isCertain(script)).length;
    if (strangers.length < sent)
      broken.push(`${sent} scripts from outside ended, and only ${strangers.length} were started`);
  }
  const counted = attempts.filter(
    ({ batchId, state }) => batchId && (state === 'done' || state === 'failed'),
  );
  const again = jobs.flatMap(({ result }) => result?.tasks ?? []).map((task) => timesDone(task) - 1);
  const returned = jobs.some(({ result }) => result);
  const ended = counted.length + outside.filter(isCertain).length;
  return {
    broken,
    scripts: ofTasks.length,
    scriptsRunAgain: returned
      ? ofTasks.length - ended + again.reduce((sum, times) => sum + Math.max(0, times), 0)
      : 0,
    uncertain:
      attempts.filter(({ state }) => state === 'uncertain').length +
      outside.filter(({ outcome }) => outcome.state === 'uncertain').length,
  };
}

const isSetup = ({ commands }: Started): boolean => commands[0] === 'deploy';

/** Batch ids: a setup goes on in another script where a transfer of it has failed and is tried again. */
function setupScripts(effects: readonly Effect[]): Set<string> {
  const ids = new Set<string>();
  /** Golem activities whose setup has failed so far. */
  const failed = new Set<string>();
  for (const effect of effects) {
    if (effect.kind === 'script-started' && (isSetup(effect) || failed.has(effect.activityId)))
      ids.add(effect.batchId);
    if (effect.kind !== 'script-finished' || !ids.has(effect.batchId)) continue;
    if (effect.result === 'Error') failed.add(effect.activityId);
    else failed.delete(effect.activityId);
  }
  return ids;
}

type AttemptOfTask = TaskAttempt & { task: string };

function attemptsOf(result: JobResult | undefined): AttemptOfTask[] {
  return (result?.tasks ?? []).flatMap(({ name, attempts }) =>
    attempts.map((attempt) => ({ ...attempt, task: name })),
  );
}

const timesDone = ({ attempts }: TaskResult): number =>
  attempts.filter(({ state }) => state === 'done').length;

function startedTwice(started: readonly Started[]): string[] {
  const seen = new Set<string>();
  return started.flatMap(({ batchId }) => {
    if (!seen.has(batchId)) {
      seen.add(batchId);
      return [];
    }
    return [`script ${batchId} was started twice`];
  });
}

function setUpTwice(started: readonly Started[]): string[] {
  const seen = new Set<string>();
  return started.filter(isSetup).flatMap(({ activityId }) => {
    if (!seen.has(activityId)) {
      seen.add(activityId);
      return [];
    }
    return [`the VM ${activityId} was set up twice`];
  });
}

const isCertain = ({ outcome: { state } }: ScriptEvidence): boolean => state === 'done' || state === 'failed';

/** A script from outside that is uncertain may be sent again; whoever sends it says so by one more. */
function judgeOutside({ what, outcome, stdout }: ScriptEvidence): string[] {
  const { state, results, reason = '' } = outcome;
  if (state === 'uncertain') return [];
  if (state !== 'done') return [`the script ${what} is ${state} (${reason})`];
  const printed = results.at(-1)?.stdout ?? '';
  if (!stdout || stdout.test(printed)) return [];
  return [`the script ${what} printed ${JSON.stringify(printed)} instead of ${stdout}`];
}

/**
 * Scripts that no attempt knows by its id: each must be one from outside, or that of an attempt that is uncertain or that
 * its VM was lost under, in the same VM.
 */
function judgeStrangers(strangers: readonly Started[], jobs: readonly JobEvidence[]): string[] {
  const allowed = new Map<string, number>();
  for (const job of jobs) {
    const rerun = new Set(job.tasks.flatMap((task) => (task.onUncertain === 'rerun' ? task.name : [])));
    for (const { state, batchId, activityId = '', task } of attemptsOf(job.result)) {
      const unanswered = !batchId && (state === 'uncertain' || state === 'lost') ? 1 : 0;
      const more = unanswered + (rerun.has(task) ? MOST_RERUNS : 0);
      allowed.set(activityId, (allowed.get(activityId) ?? 0) + more);
    }
  }
  let fromOutside = jobs
    .flatMap(({ scripts = [] }) => scripts)
    .filter((script) => !script.isInherited).length;
  return strangers.flatMap(({ batchId, activityId }) => {
    const left = allowed.get(activityId) ?? 0;
    allowed.set(activityId, left - 1);
    if (left <= 0) fromOutside -= 1;
    return left > 0 || fromOutside >= 0
      ? []
      : [`script ${batchId} was run in ${activityId}, and no attempt accounts for it`];
  });
}

function judgeTasks(job: JobEvidence): string[] {
  const { result, tasks, mustBeDone = true } = job;
  if (!result) return mustBeDone ? ['the job returned no result'] : [];
  const broken: string[] = [];
  const names = result.tasks.map(({ name }) => name);
  if (names.join() !== tasks.map(({ name }) => name).join()) {
    broken.push(`the result is about the tasks ${names.join(', ')}`);
  }
  for (const expected of tasks) {
    const found = result.tasks.find(({ name }) => name === expected.name);
    if (found) broken.push(...judgeTask(found, expected, job));
  }
  return broken;
}

/** Its end, which is what tells one from another. */
const shown = (output: string | null | undefined): string => JSON.stringify(output?.slice(-100));

function judgeTask(found: TaskResult, expected: TaskEvidence, job: JobEvidence): string[] {
  const { name, onUncertain = 'freshVm', stdout, ends = 'done' } = expected;
  const broken: string[] = [];
  if (job.mustBeDone !== false && found.state !== ends) {
    const why = found.failure ? ` (${found.failure.type}: ${found.failure.message})` : '';
    broken.push(`task ${name} is ${found.state}${why}`);
  }
  const printed = found.results.at(-1)?.stdout;
  if (found.state === 'done' && stdout !== undefined && printed !== stdout) {
    broken.push(`task ${name} printed ${shown(printed)} instead of ${shown(stdout)}`);
  }
  if (found.state === 'done' && found.attempts.at(-1)?.state !== 'done') {
    broken.push(`task ${name} is done, its last attempt is not`);
  }
  for (const [index, attempt] of found.attempts.entries()) {
    const next = found.attempts[index + 1];
    if (!next) continue;
    if (attempt.state === 'done' && !mayDoAgain(expected, job)) {
      broken.push(`task ${name} was done, and run again`);
    }
    if (attempt.state !== 'uncertain') continue;
    if (onUncertain === 'fail') broken.push(`task ${name} was uncertain, and run again`);
    if (onUncertain === 'freshVm' && next.activityId === attempt.activityId) {
      broken.push(`task ${name} was uncertain, and run again in the same VM`);
    }
  }
  return broken;
}

/** What was done in a VM that others share is lost with it, when one of them ends otherwise than well. */
function mayDoAgain({ vm }: TaskEvidence, { tasks, result }: JobEvidence): boolean {
  if (vm === undefined) return false;
  const mates = tasks.flatMap((task) => (task.vm === vm ? task.name : []));
  return attemptsOf(result).some(({ task, state }) => mates.includes(task) && state !== 'done');
}
