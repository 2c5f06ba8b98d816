/** Detaches rentals: what `GolemClient.detach` does, for who has no GolemClient. */
import type { Detached } from '../model/attach';
import type { AttachTarget } from './attach';
import { GolemClient } from './golem-client';

/**
 * Leaves a rental's VM alive, and ends the rental and the job that it is of. Its settlement pays until the agreement ends. It is
 * sent until it is answered, through outages of workers and of Temporal.
 *
 * @param id of a rental, or of the job whose newest rental is meant
 * @returns what will happen if nobody comes back
 * @throws ApplicationFailure by its type - `NotDetachable`: no VM is up; `AgreementEnded`: it ended meanwhile;
 * `ControlRefused`: it has an owner. GolemRentalError `RentalNotReady` - the job has no rental; `RentalDetached`,
 * `AgreementEnded` - it is over; UnknownRentalError
 */
export async function detach({ client, signer }: AttachTarget, id: string): Promise<Detached> {
  return await new GolemClient({ client, signer }).detach(id);
}
