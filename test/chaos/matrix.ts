/** The crash matrix: what there is to break is found out, broken one after the other in several worlds, and judged. */
import { callPoints, CALL_MODES, notReached, TASK_MODE, type CrashPoint, type Reach } from './crash-points';
import { ChaosWorld } from './chaos-world';
import { reach, runRow, type Row, type RowResult } from './matrix-row';
import { SCENARIOS } from './scenarios';

export interface MatrixOptions {
  temporalAddress: string;
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

/** Tried beyond the number of a workflow's tasks in the reference run: it is not always the same. */
const MORE_TASKS = 2;

export function labelOf({ point, mode }: Row): string {
  const what =
    'task' in point
      ? `${workflowOf(point.workflow)} · task ${point.task}`
      : `${point.activity} · ${point.call}`;
  return `${point.scenario} · ${what} · ${mode}`;
}

export function workflowOf(suffix: string): string {
  return `golem${suffix === '' ? 'Job' : suffix === '/settlement' ? 'Settlement' : `Rental ${suffix.slice(8)}`}`;
}

export async function runMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const { temporalAddress, parallel, only = () => true, onRow, log } = options;
  const start = (): Promise<ChaosWorld> => ChaosWorld.start(temporalAddress);

  const reached: (Reach & { broken: string[] })[] = [];
  await inWorlds(start, parallel, [...SCENARIOS], async (world, scenario) => {
    const found = await reach(world, scenario);
    reached.push(found);
    log?.(
      `${scenario.name}: ${found.calls.length} calls, ${[...found.tasks.values()].reduce((a, b) => a + b, 0)} workflow tasks`,
    );
    return found.broken.length === 0;
  });
  reached.sort((a, b) => indexOf(a.scenario) - indexOf(b.scenario));
  const rows = [...callRows(reached), ...taskRows(reached)].filter((row) => only(labelOf(row)));
  log?.(`${rows.length} crash points`);

  const results: RowResult[] = [];
  await inWorlds(start, parallel, rows, async (world, row) => {
    const result = await runRow(world, row);
    results.push(result);
    onRow?.(result);
    return result.broken.length === 0;
  });
  return {
    rows: results,
    missing: notReached(reached),
    broken: reached.flatMap(({ scenario, broken }) =>
      broken.map((line) => `${scenario} without faults: ${line}`),
    ),
  };
}

const indexOf = (scenario: string): number => SCENARIOS.findIndex(({ name }) => name === scenario);

function callRows(reached: readonly Reach[]): Row[] {
  return callPoints(reached).flatMap((point) => CALL_MODES.map((mode) => ({ point, mode })));
}

/** The workflow tasks of the reference job. */
function taskRows(reached: readonly Reach[]): Row[] {
  const [reference] = reached;
  if (!reference) return [];
  return [...reference.tasks].flatMap(([workflow, count]) =>
    Array.from({ length: count + MORE_TASKS }, (_, index): Row => {
      const point: CrashPoint = { scenario: reference.scenario, workflow, task: index + 1 };
      return { point, mode: TASK_MODE };
    }),
  );
}

/** Works the items off in several worlds at once; one in which something was broken makes way for another. */
async function inWorlds<T>(
  start: () => Promise<ChaosWorld>,
  parallel: number,
  items: T[],
  act: (world: ChaosWorld, item: T) => Promise<boolean>,
): Promise<void> {
  const queue = [...items];
  const work = async (): Promise<void> => {
    let world: ChaosWorld | undefined;
    try {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
        world ??= await start();
        if (await act(world, item)) continue;
        await world.close();
        world = undefined;
      }
    } finally {
      await world?.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, work));
}
