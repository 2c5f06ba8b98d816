/** Waits for the workflows that make costs to close, whatever they managed to say before. */
import type { Client } from '@temporalio/client';
import { rentalId } from '../model/ids';
import { anyEnded } from './any-ended';
import type { OwnersState, OwnersToWatch, WatchSettlementInput } from './contract';
import { closingOf, isAbrupt } from './closing-event';
import { describe, firstRunOf } from './known-workflow';

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
  const closedAbruptly = async (workflowId: string, runId: string): Promise<boolean> =>
    isAbrupt(await closingOf(client, { workflowId, runId }, signal, onWaiting));
  if (owners === 'attached') return await anyAttachedClosed(client, attached, signal, onWaiting);
  let abrupt = await closedAbruptly(job.jobId, job.jobUuid);
  const liveRentals: string[] = [];
  let last = closedRentals;
  for (let n = 1; n <= last + MISSING_IN_A_ROW; n++) {
    const workflowId = rentalId(job.jobId, n);
    const rental = await describe(client, workflowId);
    if (rental) last = Math.max(last, n);
    if (rental?.memo?.golemJob !== job.jobUuid) continue;
    if (owners === 'rentals' || rental.status.name !== 'RUNNING') {
      abrupt = (await closedAbruptly(workflowId, firstRunOf(rental))) || abrupt;
    } else liveRentals.push(workflowId);
  }
  return { liveRentals, abrupt };
}

/** Waits for any of those that attached to close; each began outside of the job. */
async function anyAttachedClosed(
  client: Client,
  attached: readonly { workflowId: string }[],
  signal: AbortSignal,
  onWaiting: () => void,
): Promise<OwnersState> {
  if (attached.length === 0) return { liveRentals: [], abrupt: false, closed: [] };
  const ends = await anyEnded(attached, signal, async ({ workflowId }, both) => {
    const found = await describe(client, workflowId);
    const abrupt =
      !found || isAbrupt(await closingOf(client, { workflowId, runId: firstRunOf(found) }, both, onWaiting));
    return { workflowId, abrupt };
  });
  return {
    liveRentals: [],
    abrupt: ends.some(({ abrupt }) => abrupt),
    closed: ends.map(({ workflowId }) => workflowId),
  };
}
