/** The runs of a workflow that continues as new, and what each of them recorded. */
import type { World } from './world';

type Events = NonNullable<
  Awaited<ReturnType<ReturnType<World['client']['workflow']['getHandle']>['fetchHistory']>>['events']
>;

export interface Run {
  runId: string;
  events: Events;
}

/** All runs, from the first. */
export async function runsOf(world: Pick<World, 'client'>, workflowId: string): Promise<Run[]> {
  const newest = await world.client.workflow.getHandle(workflowId).describe();
  const runs: Run[] = [];
  let runId = newest.raw.workflowExecutionInfo?.firstRunId || newest.runId;
  while (runId !== '') {
    const { events } = await world.client.workflow.getHandle(workflowId, runId).fetchHistory();
    runs.push({ runId, events: events ?? [] });
    runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? '';
  }
  return runs;
}

/** By the type of their workflow. */
export function runsByType(runs: readonly Run[]): Map<string, Run[]> {
  const types = new Map<string, Run[]>();
  for (const run of runs) {
    const type = run.events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name ?? '';
    types.set(type, [...(types.get(type) ?? []), run]);
  }
  return types;
}

/** How often each type of activity was scheduled. */
export function activitiesIn(runs: readonly Run[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { events } of runs)
    for (const event of events) {
      const name = event.activityTaskScheduledEventAttributes?.activityType?.name;
      if (name) counts[name] = (counts[name] ?? 0) + 1;
    }
  return counts;
}

/** Resolves when a workflow has gone on as a new run, by Temporal's long poll for the closing event of the first. */
export async function continued(
  world: Pick<World, 'client'>,
  workflowId: string,
  firstRunId: string,
): Promise<void> {
  await world.client.workflow
    .getHandle(workflowId, firstRunId, { followRuns: false })
    .result()
    .catch(() => undefined);
}
