/** Waits for what a workflow's history says, by Temporal's own long poll. */
import type { World } from './world';

type History = Awaited<
  ReturnType<World['client']['workflowService']['getWorkflowExecutionHistory']>
>['history'];
type HistoryEvent = NonNullable<NonNullable<History>['events']>[number];

/** Resolves when an activity of that type has failed for good in the workflow; with the failure's type. */
export async function activityFailed(world: World, workflowId: string, name: string): Promise<string> {
  return await activityEnd(world, workflowId, name, (event) => {
    const failed = event.activityTaskFailedEventAttributes;
    if (!failed) return undefined;
    return { scheduled: failed.scheduledEventId, value: failed.failure?.applicationFailureInfo?.type ?? '' };
  });
}

/** Resolves when the n-th activity of that type has completed and the workflow has taken note of it. */
export async function activityCompleted(
  world: World,
  workflowId: string,
  name: string,
  nth = 1,
): Promise<void> {
  const read: EndOfActivity<undefined> = (event) => {
    const completed = event.activityTaskCompletedEventAttributes;
    return completed ? { scheduled: completed.scheduledEventId, value: undefined } : undefined;
  };
  await activityEnd(world, workflowId, name, read, nth);
}

type EndOfActivity<T> = (event: HistoryEvent) => { scheduled: unknown; value: T } | undefined;

async function activityEnd<T>(
  world: World,
  workflowId: string,
  name: string,
  read: EndOfActivity<T>,
  nth = 1,
): Promise<T> {
  const scheduled = new Set<string>();
  let ends = 0;
  let nextPageToken: Uint8Array | undefined;
  for (;;) {
    const answer = await world.client.workflowService.getWorkflowExecutionHistory({
      namespace: world.client.options.namespace,
      execution: { workflowId },
      waitNewEvent: true,
      nextPageToken,
    });
    for (const event of answer.history?.events ?? []) {
      const type = event.activityTaskScheduledEventAttributes?.activityType?.name;
      if (type === name) scheduled.add(String(event.eventId));
      const end = read(event);
      if (!end || !scheduled.has(String(end.scheduled))) continue;
      ends += 1;
      if (ends === nth) return end.value;
    }
    nextPageToken = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
    if (!nextPageToken) throw new Error(`${workflowId} has ended, and no ${name} of it so`);
  }
}

/** The histories of all runs of a workflow, the first one first. */
export async function historiesOf(world: World, workflowId: string): Promise<HistoryEvent[][]> {
  const { workflow } = world.client;
  const { raw } = await workflow.getHandle(workflowId).describe();
  const runs: HistoryEvent[][] = [];
  let runId = raw.workflowExecutionInfo?.firstRunId;
  while (runId) {
    const { events } = await workflow.getHandle(workflowId, runId).fetchHistory();
    runs.push(events ?? []);
    const closing = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
    runId = closing?.newExecutionRunId ?? undefined;
  }
  return runs;
}

/** Resolves when the workflow has gone on as a new run. */
export async function continuedAsNew(world: World, workflowId: string, runId: string): Promise<void> {
  let nextPageToken: Uint8Array | undefined;
  for (;;) {
    const answer = await world.client.workflowService.getWorkflowExecutionHistory({
      namespace: world.client.options.namespace,
      execution: { workflowId, runId },
      waitNewEvent: true,
      nextPageToken,
    });
    const events = answer.history?.events ?? [];
    if (events.some((event) => event.workflowExecutionContinuedAsNewEventAttributes)) return;
    nextPageToken = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
    if (!nextPageToken) throw new Error(`${workflowId} has ended`);
  }
}

/** Names of the activities that were scheduled in a run. */
export function activitiesIn(events: readonly HistoryEvent[]): string[] {
  return events.flatMap((event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
}
