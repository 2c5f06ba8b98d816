/** The runs of a workflow that continues as new, and what each of them recorded. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { rentalId, settlementId } from '../../model/ids';
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

/** All runs of the job, of its settlement and of its rentals, as they are replayed. */
export async function runsOfJob(
  world: Pick<World, 'client'>,
  jobId: string,
): Promise<{ workflowId: string; history: { events: Events } }[]> {
  const all: { workflowId: string; history: { events: Events } }[] = [];
  const look = async (workflowId: string): Promise<boolean> => {
    try {
      const runs = await runsOf(world, workflowId);
      all.push(...runs.map(({ events }) => ({ workflowId, history: { events } })));
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  };
  await look(jobId);
  await look(settlementId(jobId));
  for (let n = 1; await look(rentalId(jobId, n)); n++);
  return all;
}

/** When an event happened, milliseconds since 1970. */
export function eventMs({ eventTime }: Pick<Events[number], 'eventTime'>): number {
  return Number(eventTime?.seconds) * 1000 + Number(eventTime?.nanos) / 1e6;
}

/** By the type of their workflow. */
export function runsByType<R extends Pick<Run, 'events'>>(runs: readonly R[]): Map<string, R[]> {
  const types = new Map<string, R[]>();
  for (const run of runs) {
    const type = run.events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name ?? '';
    types.set(type, [...(types.get(type) ?? []), run]);
  }
  return types;
}

/** How often each type of activity was scheduled. */
export function activitiesIn(runs: readonly Pick<Run, 'events'>[]): Record<string, number> {
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
