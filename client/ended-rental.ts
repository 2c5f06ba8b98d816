/** What is told of a rental that is over and answers nobody any more: it has ended, or its VM was left alive. */
import type { Client } from '@temporalio/client';
import { detachedMessage } from '../model/attach';
import type { GolemActivityId } from '../model/ids';
import { GolemRentalError } from './errors';

/** @param isSigned - what is asked of it is signed, as a VM with an owner wants it */
export async function endedRental(
  client: Client,
  rentalId: string,
  isSigned: boolean,
  cause?: unknown,
): Promise<GolemRentalError> {
  const activityId = await leftAlive(client, rentalId);
  if (activityId === undefined)
    return new GolemRentalError(rentalId, 'AgreementEnded', 'the rental is over', { cause });
  return detachedRental(rentalId, activityId, isSigned, cause);
}

export function detachedRental(
  rentalId: string,
  activityId: GolemActivityId,
  isSigned: boolean,
  cause?: unknown,
): GolemRentalError {
  const message = detachedMessage(activityId, isSigned);
  return new GolemRentalError(rentalId, 'RentalDetached', message, { cause });
}

/** Its result tells it also where no worker is there to be asked. */
async function leftAlive(client: Client, rentalId: string): Promise<GolemActivityId | undefined> {
  try {
    const { runId, status } = await client.workflow.getHandle(rentalId).describe();
    // Its id is in use again.
    if (status.name === 'RUNNING') return undefined;
    const result = (await client.workflow.getHandle(rentalId, runId).result()) as {
      detached?: unknown;
    } | null;
    return typeof result?.detached === 'string' ? result.detached : undefined;
  } catch {
    // It failed, was terminated, or is forgotten.
    return undefined;
  }
}
