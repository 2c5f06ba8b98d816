/** What Temporal still knows of a workflow; it deletes it some days after its end. */
import { isGrpcServiceError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';

/** gRPC status `NOT_FOUND`. */
const NOT_FOUND = 5;

/** @returns undefined when Temporal does not know it */
export async function describe(
  client: Client,
  workflowId: string,
  runId?: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(workflowId, runId).describe();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export function isNotFound(error: unknown): boolean {
  if (error instanceof Error && error.name === 'WorkflowNotFoundError') return true;
  return isGrpcServiceError(error) && Number(error.code) === NOT_FOUND;
}

/** Id of the first of the runs that a run continues. */
export function firstRunOf({ raw, runId }: WorkflowExecutionDescription): string {
  return raw.workflowExecutionInfo?.firstRunId || runId;
}
