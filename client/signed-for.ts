/** Which use of a workflow id a signature is for, as Temporal knows it. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { SignedFor } from './control-signer';

/**
 * The workflow that has the id now.
 * @throws WorkflowNotFoundError
 */
export async function signedFor(client: Client, workflowId: string): Promise<SignedFor> {
  const description = await client.workflow.getHandle(workflowId).describe();
  return { workflowId, firstRunId: firstRunIdOf(description) };
}

export function firstRunIdOf({ raw, runId }: WorkflowExecutionDescription): string {
  return raw.workflowExecutionInfo?.firstRunId || runId;
}
