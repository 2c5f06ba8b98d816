/** Workflows that are ended from outside. */
import type { Client } from '@temporalio/client';

/** All at the same moment, so that none has time to see to what another one leaves. */
export async function terminateAll(client: Client, workflowIds: readonly string[]): Promise<void> {
  await Promise.all(workflowIds.map((id) => client.workflow.getHandle(id).terminate()));
}

/** Temporal lists a workflow a moment after it has begun. */
export async function untilListed(client: Client, workflowId: string): Promise<void> {
  while ((await client.workflow.count(`WorkflowId = '${workflowId}'`)).count === 0);
}
