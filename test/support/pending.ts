/** What Temporal says of the activities that a workflow waits for. */
import type { World } from './world';

type Described = Awaited<ReturnType<ReturnType<World['client']['workflow']['getHandle']>['describe']>>;
type Pending = NonNullable<Described['raw']['pendingActivities']>[number];

/** Resolves when one is as meant: nothing tells of attempts and heartbeats by itself. @throws Error when the workflow is over */
export async function pendingActivity(
  { client }: Pick<World, 'client'>,
  workflowId: string,
  isMeant: (activity: Pending) => boolean,
): Promise<void> {
  for (;;) {
    const { raw, status } = await client.workflow.getHandle(workflowId).describe();
    if (raw.pendingActivities?.some(isMeant)) return;
    if (status.name !== 'RUNNING') throw new Error(`${workflowId} is ${status.name}`);
  }
}

/** Resolves when an activity of the workflow has been tried so often. @param name of its type. Default: any */
export async function tried(
  world: Pick<World, 'client'>,
  workflowId: string,
  attempts: number,
  name?: string,
): Promise<void> {
  await pendingActivity(
    world,
    workflowId,
    ({ activityType, attempt }) =>
      Number(attempt) >= attempts && (name === undefined || activityType?.name === name),
  );
}

/**
 * Resolves when Temporal knows the batch id of the script that a rental has sent. That the script runs says less: a worker
 * that dies before it has told takes the id along.
 */
export async function scriptIsKnown(world: Pick<World, 'client'>, rentalId: string): Promise<void> {
  await pendingActivity(
    world,
    rentalId,
    ({ activityType, heartbeatDetails }) =>
      activityType?.name === 'golemWatchScript' ||
      (activityType?.name === 'golemSendScript' && Boolean(heartbeatDetails?.payloads?.length)),
  );
}
