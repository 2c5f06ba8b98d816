/**
 * Waits for the workflows that make costs to close. It asks Temporal for a workflow's closing event by long poll,
 * so that nothing depends on what that workflow managed to say before it ended.
 */
import { setMaxListeners } from 'node:events';
import type { Client } from '@temporalio/client';
import { rentalId } from '../model/ids';
import type { OwnersState, OwnersToWatch, WatchSettlementInput } from './contract';
import { describe, isNotFound } from './known-workflow';

/** `EventType` and `HistoryEventFilterType` of Temporal's API, as far as they matter here. */
const TIMED_OUT = 4;
const TERMINATED = 27;
const CONTINUED_AS_NEW = 28;
const CLOSE_EVENT = 2;
/**
 * Temporal deletes a workflow some days after its end, so a rental that it does not know is not the last. Most that are
 * gone are known to have closed; so many more in a row, and there are no others.
 */
const MISSING_IN_A_ROW = 8;

/** @param onWaiting called when a workflow is found that still runs and is waited for: it may take long from now on */
export async function watchOwners(
  client: Client,
  { job, closedRentals, attached = [] }: Pick<WatchSettlementInput, 'job' | 'closedRentals' | 'attached'>,
  owners: Exclude<OwnersToWatch, 'none'>,
  signal: AbortSignal,
  onWaiting: () => void = () => undefined,
): Promise<OwnersState> {
  // Each call listens to it until the end of the watch, and Node warns of more than ten.
  setMaxListeners(0, signal);
  return await client.withAbortSignal(signal, async () => {
    if (owners === 'attached') return await attachedClosed(client, attached, onWaiting);
    let abrupt = await closedAbruptly(client, job.jobId, job.jobUuid, onWaiting);
    const liveRentals: string[] = [];
    let last = closedRentals;
    for (let n = 1; n <= last + MISSING_IN_A_ROW; n++) {
      const workflowId = rentalId(job.jobId, n);
      const rental = await describe(client, workflowId);
      if (rental) last = Math.max(last, n);
      if (rental?.memo?.golemJob !== job.jobUuid) continue;
      if (owners === 'rentals' || rental.status.name !== 'RUNNING') {
        abrupt = (await closedAbruptly(client, workflowId, rental.runId, onWaiting)) || abrupt;
      } else liveRentals.push(workflowId);
    }
    return { liveRentals, abrupt };
  });
}

/** Waits for those that attached to close; each began outside of the job. */
async function attachedClosed(
  client: Client,
  attached: readonly { workflowId: string }[],
  onWaiting: () => void,
): Promise<OwnersState> {
  let abrupt = false;
  for (const { workflowId } of attached) {
    const found = await describe(client, workflowId);
    abrupt = !found || (await closedAbruptly(client, workflowId, found.runId, onWaiting)) || abrupt;
  }
  return { liveRentals: [], abrupt };
}

/** Waits for a workflow to close. True when it could not run its own clean-up. */
async function closedAbruptly(
  client: Client,
  workflowId: string,
  firstRunId: string,
  onWaiting: () => void,
): Promise<boolean> {
  let runId = firstRunId;
  let nextPageToken: Uint8Array | undefined;
  // The question for its closing event waits for one, whatever it is told.
  const found = await describe(client, workflowId, runId);
  if (found?.status.name === 'RUNNING') onWaiting();
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
