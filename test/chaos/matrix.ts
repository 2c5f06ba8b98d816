/** The crash matrix: what there is to break is found out, broken one after the other in several worlds, and judged. */
import type { ChaosWorldOptions } from './chaos-world';
import {
  activityPoints,
  ACTIVITY_MODES,
  ATTACHED,
  CALL_MODES,
  INSPECT,
  notReached,
  RECONCILE,
  TASK_MODE,
  type Reach,
} from './crash-points';
import type { Row } from './armed';
import { mayLackPoint, reach, runRow, scenarioOf, type RowResult } from './matrix-row';
import { SCENARIOS } from './scenarios';
import { WorldPool } from './world-pool';

export interface MatrixOptions extends ChaosWorldOptions {
  /** Rows at the same time, each in a world of its own. */
  parallel: number;
  /** Only rows whose label this is true of. */
  only?: (label: string) => boolean;
  /** Only these jobs, and only what they are there for. Default: all. */
  jobs?: readonly string[];
  onRow?: (result: RowResult) => void;
  log?: (line: string) => void;
}

export interface MatrixResult {
  rows: RowResult[];
  /** Registered activities that no reference run came to. */
  missing: string[];
  /** What reference runs without faults broke. */
  broken: string[];
}

export function labelOf({ point, mode }: Row): string {
  const what =
    'task' in point
      ? `${workflowOf(point.workflow)} · task ${point.task}`
      : `${point.activity} · ${point.call ?? `time ${point.time}`}`;
  return `${point.scenario} · ${what} · ${mode}`;
}

/** A run has not always the same number of workflow tasks and activities; what lies beyond its last is no crash point. */
export const isCounted = ({ point, reached }: RowResult): boolean => reached || !mayLackPoint(point);

/** A line of the table, and one for each promise that was broken. */
export function describeRow(row: RowResult): string {
  const { broken, counts, seconds, attempts, jobId } = row;
  const verdict = !isCounted(row) ? 'beyond' : broken.length > 0 ? 'BROKEN' : 'kept';
  const again = `${counts?.scriptsRunAgain ?? '-'} run again`;
  const what = [counts?.uncertain ? 'uncertain' : '', attempts].filter(Boolean).join(': ');
  const line = [
    verdict.padEnd(6),
    labelOf(row).padEnd(112),
    again.padEnd(11),
    `${seconds.toFixed(1)} s`.padStart(7),
    what,
  ];
  return [line.join('  ').trimEnd(), ...broken.map((why) => `        ${why} (${jobId})`)].join('\n');
}

/** What the table came to. */
export interface Summary {
  lines: string[];
  broken: number;
}

export function summarize({ rows, missing, broken }: MatrixResult): Summary {
  const counted = rows.filter(isCounted);
  const all = counted.length + missing.length;
  const bad = counted.filter((row) => row.broken.length > 0).length + missing.length + broken.length;
  const again = counted.reduce((sum, { counts }) => sum + (counts?.scriptsRunAgain ?? 0), 0);
  const uncertain = counted.filter(({ counts }) => (counts?.uncertain ?? 0) > 0).length;
  return {
    lines: [
      ...broken.map((line) => `BROKEN  ${line}`),
      ...missing.map((activity) => `BROKEN  ${activity} · not reached by any of the reference jobs`),
      `${rows.length - counted.length} points beyond the last of their run; ` +
        `${uncertain} crash points with an uncertain attempt; ${again} scripts run again`,
      `${all} crash points, ${all - bad} kept, ${bad} broken`,
    ],
    broken: bad,
  };
}

function workflowOf(suffix: string): string {
  if (suffix === RECONCILE) return 'golemReconcile';
  if (suffix === ATTACHED) return 'golemRental that attaches';
  if (suffix === INSPECT) return 'golemInspect';
  return `golem${suffix === '' ? 'Job' : suffix === '/settlement' ? 'Settlement' : `Rental ${suffix.slice(8)}`}`;
}

export async function runMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const { parallel, only = () => true, jobs, onRow, log } = options;
  const scenarios = SCENARIOS.filter(({ name }) => jobs?.includes(name) ?? true);
  const pool = new WorldPool(options, parallel);
  try {
    const reached = await Promise.all(
      scenarios.map((scenario) =>
        pool.use((world) => reach(world, scenario), {
          isSpoilt: ({ broken }) => broken.length > 0,
          isHurried: scenario.isHurried,
        }),
      ),
    );
    const results: RowResult[] = [];
    const run = async (row: Row): Promise<RowResult | undefined> => {
      if (!only(labelOf(row))) return undefined;
      const result = await pool.use((world) => runRow(world, row), {
        isSpoilt: ({ broken }) => broken.length > 0,
        isHurried: scenarioOf(row.point).isHurried,
      });
      results.push(result);
      onRow?.(result);
      return result;
    };
    const ofActivities = activityRows(reached, jobs !== undefined);
    const ofWorkflows = workflowsOf(reached);
    log?.(
      `${ofActivities.length} crash points in activities, ${ofWorkflows.map(({ count }) => count).join(' + ')} workflow tasks`,
    );
    await Promise.all([...ofActivities.map(run), ...ofWorkflows.map((workflow) => runTasks(workflow, run))]);
    return {
      rows: results,
      missing: jobs ? [] : notReached(reached.flatMap(({ activities }) => activities)),
      broken: reached.flatMap(({ scenario, broken }) =>
        broken.map((line) => `${scenario} without faults: ${line}`),
      ),
    };
  } finally {
    await pool.close();
  }
}

/** @param isPart - of the activities, some may be others' to break */
function activityRows(reached: readonly Reach[], isPart: boolean): Row[] {
  const taken = reached.flatMap(({ isFor }) => isFor);
  return activityPoints(reached).flatMap((point): Row[] => {
    if (isPart && 'activity' in point && !taken.includes(point.activity)) return [];
    const modes = 'call' in point && point.call !== undefined ? CALL_MODES : ACTIVITY_MODES;
    return modes.map((mode) => ({ point, mode }));
  });
}

/** A workflow whose tasks are crash points, and how many it had in the run without faults. */
interface TasksOf {
  scenario: string;
  workflow: string;
  count: number;
}

function workflowsOf(reached: readonly Reach[]): TasksOf[] {
  return reached.flatMap(({ scenario, workflows, tasks }) =>
    workflows.map((workflow) => ({ scenario, workflow, count: tasks.get(workflow) ?? 0 })),
  );
}

/**
 * The workflow tasks of one workflow: as many as it had in the run without faults, and on from there as long as a run
 * comes to one more.
 */
async function runTasks(
  { scenario, workflow, count }: TasksOf,
  run: (row: Row) => Promise<RowResult | undefined>,
): Promise<void> {
  const rowOf = (task: number): Row => ({ point: { scenario, workflow, task }, mode: TASK_MODE });
  await Promise.all(Array.from({ length: count }, (_, index) => run(rowOf(index + 1))));
  for (let task = count + 1; ; task++) {
    const result = await run(rowOf(task));
    if (!result?.reached) return;
  }
}
