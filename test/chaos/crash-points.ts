/**
 * Where things can die: every call to yagna that a Temporal activity of ours makes and that changes something there, for
 * activities that only read their first call, each run of those that call nobody, and every workflow task. Found out by
 * running jobs without faults; the activities are those that a worker registers, so that a new one is missed if no job
 * reaches it.
 */
import { Connections, createGolemActivities } from '../../activities';
import { CALLS, callName } from '../../devnet/faults/operations';
import { attachId } from '../../model/attach';
import type { Call } from '../support/fault-proxy';

/** A call of an activity, an activity that makes none, or a workflow task. */
export type CrashPoint =
  | { scenario: string; activity: string; call: string }
  /** `time`: the how-manieth attempt of the run it is, from 1. */
  | { scenario: string; activity: string; call?: undefined; time: number }
  /** `workflow`: what its id has after the job's, empty for the job itself; one of {@link PREFIXES}. */
  | { scenario: string; workflow: string; task: number };

/** What the ids of all reconciles begin with: they are of no job. */
export const RECONCILE = 'golem-reconcile-';
/** The same of rentals that have taken a VM over. */
export const ATTACHED = attachId('');
/** The same of looks at the market and at yagna. */
export const INSPECT = 'golem-inspect-';
const PREFIXES = [RECONCILE, ATTACHED, INSPECT];

/** The `workflow` of a {@link CrashPoint}; undefined for one of another job. */
export function pointOfWorkflow(workflowId: string, jobId: string): string | undefined {
  for (const prefix of PREFIXES) if (workflowId.startsWith(prefix)) return prefix;
  return workflowId.startsWith(jobId) ? workflowId.slice(jobId.length) : undefined;
}

/** What happens at a call. */
export const CALL_MODES = [
  'killed before the request is sent',
  'connection lost before the effect',
  'connection lost after the effect',
  'delayed until the retry has looked',
  'delayed until the retry is answered',
  'killed after the effect and before completion',
] as const;
export type CallMode = (typeof CALL_MODES)[number];

/** What happens to an activity that calls nobody. */
export const ACTIVITY_MODES = [
  'killed as it begins',
  'killed after the effect and before completion',
] as const;
export type ActivityMode = (typeof ACTIVITY_MODES)[number];

/** What happens in a workflow task. */
export const TASK_MODE = 'killed while it runs';

export interface SeenCall {
  activity: string;
  call: string;
  isEffectful: boolean;
}

/** Of one run without faults. */
export interface Reach {
  scenario: string;
  /** Activities whose points are to be taken in it. */
  isFor: readonly string[];
  /** Workflows whose tasks are to be taken in it. */
  workflows: readonly string[];
  /** In the order in which they came. */
  calls: SeenCall[];
  /** Types of the activities that were begun, in that order. */
  activities: string[];
  /** Number of workflow tasks by workflow, see {@link CrashPoint}. */
  tasks: Map<string, number>;
}

/** Names of all activities that a worker registers. */
export function registeredActivities(): string[] {
  const connections = new Connections({});
  return Object.keys(
    createGolemActivities({ connections, specSettings: {}, strategies: {}, registryUrl: '' }),
  );
}

const ROUTES = Object.keys(CALLS).map((route) => ({
  route,
  pattern: new RegExp(`^${route.replace(/:\w+/g, '[^/]+')}$`),
}));

/** The name that yagna's clients give to a call; scripts that set a VM up are told from those of tasks. */
export function nameOf({ method, path, body }: Call): string {
  const name = callName(method, ROUTES.find(({ pattern }) => pattern.test(path))?.route);
  if (name === 'exec') return body.includes('deploy') ? 'exec of the setup' : 'exec of a task';
  return name ?? `${method} ${path}`;
}

/** Whether a call is its sender's own: all jobs of a worker share its polls for events, whoever began them. */
export function isOwn({ path, query }: Call): boolean {
  return !path.endsWith('Events') || query.has('appSessionId');
}

/** A GET that takes away what it reads. */
const CONSUMING = ['collectOffers'];

export function isEffectful(call: Call): boolean {
  return call.method !== 'GET' || CONSUMING.includes(nameOf(call));
}

/** Each crash point once, in the scenario that is there for it, or else in the first that comes to it. */
export function activityPoints(reached: readonly Reach[]): CrashPoint[] {
  return registeredActivities().flatMap((activity): CrashPoint[] => {
    const points: CrashPoint[] = [];
    const runs = [...reached].sort(
      (a, b) => Number(b.isFor.includes(activity)) - Number(a.isFor.includes(activity)),
    );
    const calls = runs.flatMap(({ scenario, calls }) =>
      calls.filter((seen) => seen.activity === activity).map((seen) => ({ ...seen, scenario })),
    );
    for (const { scenario, call, isEffectful } of calls) {
      if (isEffectful && !points.some((point) => 'call' in point && point.call === call))
        points.push({ scenario, activity, call });
    }
    if (points.length > 0) return points;
    const [first] = calls;
    if (first) return [{ scenario: first.scenario, activity, call: first.call }];
    const run = runs.find(({ activities }) => activities.includes(activity));
    const times = run?.activities.filter((each) => each === activity) ?? [];
    return run ? times.map((_, i) => ({ scenario: run.scenario, activity, time: i + 1 })) : [];
  });
}

/** Activities that a worker registers and that are not among those begun: each is a gap in the matrix. */
export function notReached(begun: Iterable<string>): string[] {
  const seen = new Set(begun);
  return registeredActivities().filter((activity) => !seen.has(activity));
}
