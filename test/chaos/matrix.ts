/** The crash matrix: what there is to break is found out, broken one after the other in several worlds, and judged. */
import type { ChaosWorldOptions } from './chaos-world';
import {
  activityPoints,
  ACTIVITY_MODES,
  CALL_MODES,
  notReached,
  RECONCILE,
  TASK_MODE,
  type Reach,
} from './crash-points';
import type { Row } from './armed';
import { reach, runRow, type RowResult } from './matrix-row';
import { ORPHANED, REFERENCE, SCENARIOS } from './scenarios';
import { WorldPool } from './world-pool';

export interface MatrixOptions extends ChaosWorldOptions {
  /** Rows at the same time, each in a world of its own. */
  parallel: number;
  /** Only rows whose label this is true of. */
  only?: (label: string) => boolean;
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
      : `${point.activity} · ${point.call ?? 'no call'}`;
  return `${point.scenario} · ${what} · ${mode}`;
}

/** A workflow has not always the same number of tasks; what lies beyond its last is no crash point. */
export const isCounted = ({ point, reached }: RowResult): boolean => reached || !('task' in point);

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
      `${rows.length - counted.length} workflow tasks beyond the last of their run; ` +
        `${uncertain} crash points with an uncertain attempt; ${again} scripts run again`,
      `${all} crash points, ${all - bad} kept, ${bad} broken`,
    ],
    broken: bad,
  };
}

function workflowOf(suffix: string): string {
  if (suffix === RECONCILE) return 'golemReconcile';
  return `golem${suffix === '' ? 'Job' : suffix === '/settlement' ? 'Settlement' : `Rental ${suffix.slice(8)}`}`;
}

export async function runMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const { parallel, only = () => true, onRow, log } = options;
  const pool = new WorldPool(options, parallel);
  try {
    const reached = await Promise.all(
      SCENARIOS.map((scenario) =>
        pool.use(
          (world) => reach(world, scenario),
          ({ broken }) => broken.length > 0,
        ),
      ),
    );
    const results: RowResult[] = [];
    const run = async (row: Row): Promise<RowResult | undefined> => {
      if (!only(labelOf(row))) return undefined;
      const result = await pool.use(
        (world) => runRow(world, row),
        ({ broken }) => broken.length > 0,
      );
      results.push(result);
      onRow?.(result);
      return result;
    };
    const ofActivities = activityRows(reached);
    const ofWorkflows = workflowsOf(reached);
    log?.(
      `${ofActivities.length} crash points in activities, ${ofWorkflows.map(({ count }) => count).join(' + ')} workflow tasks`,
    );
    await Promise.all([...ofActivities.map(run), ...ofWorkflows.map((workflow) => runTasks(workflow, run))]);
    return {
      rows: results,
      missing: notReached(reached.flatMap(({ activities }) => activities)),
      broken: reached.flatMap(({ scenario, broken }) =>
        broken.map((line) => `${scenario} without faults: ${line}`),
      ),
    };
  } finally {
    await pool.close();
  }
}

function activityRows(reached: readonly Reach[]): Row[] {
  return activityPoints(reached).flatMap((point): Row[] => {
    const modes = 'call' in point ? CALL_MODES : ACTIVITY_MODES;
    return modes.map((mode) => ({ point, mode }));
  });
}

/** A workflow whose tasks are crash points, and how many it had in the run without faults. */
interface TasksOf {
  scenario: string;
  workflow: string;
  count: number;
}

/** Those of the reference job, and the one that closes what is orphaned. */
function workflowsOf(reached: readonly Reach[]): TasksOf[] {
  return reached.flatMap(({ scenario, tasks }) =>
    [...tasks].flatMap(([workflow, count]): TasksOf[] => {
      const isTaken = workflow === RECONCILE ? scenario === ORPHANED : scenario === REFERENCE;
      return isTaken ? [{ scenario, workflow, count }] : [];
    }),
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
