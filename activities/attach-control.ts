/**
 * Who may take over a VM that was rented for an owner: he alone, by his signature. Otherwise a stranger could take his place
 * there, reserve money for it, or end it by ending his own rental.
 */
import type { Client } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { attachId } from '../model/attach';
import { ATTACH, LONGEST_LIFE_SEC, REFUSALS, type ControlKey, type Refusal } from '../model/control';
import { settlementId } from '../model/ids';
import type { Properties } from '../model/properties';
import type { AttachRefusal, ResolveAttachInput } from './contract';
import { controlHash, controlHashOfMark } from './marks';
import { query } from './rental-records';
import { verifyControl } from './verify-control';
import { failure } from './yagna';

export interface OwnersDoor {
  client: Client;
  /** Of the demand that the VM was rented by. */
  properties: Properties;
  /** Job id of the settlement that runs and pays for the VM, if one does. */
  paidBy: () => Promise<string | undefined>;
}

/**
 * @returns the nonce of the owner's signature; undefined where there is no owner
 * @throws ControlRefused - its details are the refusal, and an {@link AttachRefusal}
 */
export async function requireOwner(
  given: ResolveAttachInput,
  { client, properties, paidBy }: OwnersDoor,
): Promise<string | undefined> {
  const hash = controlHashOfMark(properties);
  if (hash === undefined) return undefined;
  const jobId = await paidBy();
  const settlement = jobId === undefined ? undefined : settlementId(jobId);
  const signed = await ownersSignature(given, hash);
  if (typeof signed === 'string') throw refused(signed, { settlement });
  const { key, nonce, refusal, why } = signed;
  if (refusal) throw refused(refusal, { settlement, key }, why);
  if (settlement !== undefined && nonce !== undefined) {
    const used = await query<string[]>(client, settlement, 'attachNonces');
    // Who cannot be asked may know of it.
    if (!used) throw failure('Timeout', `${settlement} does not answer`);
    if (used.includes(nonce)) throw refused('Replayed', { settlement, key });
  }
  return nonce;
}

async function ownersSignature(
  given: ResolveAttachInput,
  hash: string,
): Promise<Refusal | { key?: ControlKey; nonce?: string; refusal?: Refusal; why?: string }> {
  const { attach, connection, control, authorization, askedAtMs } = given;
  const owner = control?.owner;
  // A key that it names is not yet one that has signed it.
  if (owner === undefined || controlHash(owner) !== hash) {
    const other = owner === undefined ? 'it names none' : `${owner} is not his key`;
    return { refusal: 'OwnerIgnored', why: `the activity has an owner, and ${other}` };
  }
  if (typeof authorization !== 'string') return 'NoSignature';
  const rental = attachId(attach.activityId);
  const args = { attach, connection, control };
  const signed = await verifyControl({ rental, operation: ATTACH, args, authorization });
  if (signed.refusal !== undefined) return signed;
  const { key, claim } = signed;
  if (key !== owner) return { key, refusal: 'WrongKey' };
  // Yagna may be away for longer than a signature lives.
  const leftSec = claim.exp - askedAtMs / 1000;
  if (leftSec <= 0) return { key, refusal: 'Expired' };
  if (leftSec > LONGEST_LIFE_SEC) return { key, refusal: 'TooLong' };
  return { key, nonce: claim.nonce };
}

function refused(
  refusal: Refusal,
  details: AttachRefusal,
  why: string = REFUSALS[refusal],
): ApplicationFailure {
  return failure('ControlRefused', `${ATTACH}: ${why}`, [refusal, details]);
}
