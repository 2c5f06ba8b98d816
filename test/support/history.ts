/** Waits for what a workflow's history says, by Temporal's own long poll. */
import type { World } from './world';

/** Resolves when an activity of that type has failed for good in the workflow; with the failure's type. */
export async function activityFailed(world: World, workflowId: string, name: string): Promise<string> {
  const scheduled = new Set<string>();
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
      const failed = event.activityTaskFailedEventAttributes;
      if (failed && scheduled.has(String(failed.scheduledEventId))) {
        return failed.failure?.applicationFailureInfo?.type ?? '';
      }
    }
    nextPageToken = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
    if (!nextPageToken) throw new Error(`${workflowId} has ended, and no ${name} of it has failed`);
  }
}
