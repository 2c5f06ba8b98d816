/**
 * Waits for the workflows that make costs to close. It asks Temporal for a workflow's closing event by long poll,
 * so that nothing depends on what that workflow managed to say before it ended.
 */
import { isGrpcServiceError, type Client } from '@temporalio/client';
import type { JobRef, OwnersState, OwnersToWatch } from './contract';

/** gRPC status `NOT_FOUND`. */
const NOT_FOUND = 5;
/** `EventType` and `HistoryEventFilterType` of Temporal's API, as far as they matter here. */
const TIMED_OUT = 4;
const TERMINATED = 27;
const CONTINUED_AS_NEW = 28;
const CLOSE_EVENT = 2;

export async function watchOwners(
  client: Client,
  job: JobRef,
  owners: Exclude<OwnersToWatch, 'none'>,
  signal: AbortSignal,
): Promise<OwnersState> {
  return await client.withAbortSignal(signal, async () => {
    let abrupt = await closedAbruptly(client, job.jobId, job.jobUuid);
    const liveRentals: string[] = [];
    for (let n = 1; ; n++) {
      const workflowId = `${job.jobId}/rental/${n}`;
      const rental = await describe(client, workflowId);
      if (!rental) return { liveRentals, abrupt };
      if (rental.memo?.golemJob !== job.jobUuid) continue;
      if (owners === 'rentals' || rental.status.name !== 'RUNNING') {
        abrupt = (await closedAbruptly(client, workflowId, rental.runId)) || abrupt;
      } else liveRentals.push(workflowId);
    }
  });
}

async function describe(client: Client, workflowId: string) {
  try {
    return await client.workflow.getHandle(workflowId).describe();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Waits for a workflow to close. True when it could not run its own clean-up. */
async function closedAbruptly(client: Client, workflowId: string, firstRunId: string): Promise<boolean> {
  let runId = firstRunId;
  let nextPageToken: Uint8Array | undefined;
  for (;;) {
    try {
      const answer = await client.workflowService.getWorkflowExecutionHistory({
        namespace: client.options.namespace,
        execution: { workflowId, runId },
        waitNewEvent: true,
        historyEventFilterType: CLOSE_EVENT,
        skipArchival: true,
        nextPageToken,
      });
      const closing = answer.history?.events?.[0];
      if (!closing) {
        nextPageToken = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
        continue;
      }
      if (closing.eventType === CONTINUED_AS_NEW) {
        const next = closing.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
        if (!next) return true;
        runId = next;
        nextPageToken = undefined;
        continue;
      }
      return closing.eventType === TERMINATED || closing.eventType === TIMED_OUT;
    } catch (error) {
      // Its history is gone, and with it what it said.
      if (isNotFound(error)) return true;
      throw error;
    }
  }
}

function isNotFound(error: unknown): boolean {
  if (error instanceof Error && error.name === 'WorkflowNotFoundError') return true;
  return isGrpcServiceError(error) && Number(error.code) === NOT_FOUND;
}
