/**
 * Whom a settlement looks after: the job and its rentals, workflows that attached to an agreement, and agreements that
 * were left alive on purpose. Pure functions over plain data.
 */
import type { OwnersState, OwnersToWatch } from '../../activities/contract';
import { greatestRental, type AgreementId } from '../../model/ids';
import type { OwnerAttached, OwnerClosed } from '../protocol';

export interface Attached extends OwnerAttached {
  /** Counts attachments: the same workflow id may be used again. */
  n: number;
}

export interface Owners {
  /** Whose end is waited for now; `none` when all have come to theirs. */
  watch: OwnersToWatch;
  /** The job said that it has closed. */
  jobClosed: boolean;
  /** All that said so far that they have closed left no request that may still take effect. */
  clean: boolean;
  /** One of them ended without having run its clean-up. */
  abrupt: boolean;
  /** Greatest number of a rental that said it has closed. */
  lastRental: number;
  attached: Attached[];
  attachments: number;
  /** Agreements that were left alive, and that nobody attached to since. */
  detached: AgreementId[];
  /** Workflows that left them, so that a repeat of what they said changes nothing. */
  detachedBy: string[];
  /** Of signatures by which somebody attached, the newest: each is taken once. */
  nonces: string[];
}

/** At the same time. They go along from run to run. */
const MOST_ATTACHED = 100;
const NONCES_KEPT = 100;

export function newOwners(attached: readonly OwnerAttached[] = []): Owners {
  const owners: Owners = {
    ...{ watch: 'job', jobClosed: false, clean: true, abrupt: false, lastRental: 0 },
    ...{ attached: [], attachments: 0, detached: [], detachedBy: [], nonces: [] },
  };
  for (const each of attached) ownerAttached(owners, each);
  // A settlement that an attaching rental has started has no job.
  if (attached.length > 0) {
    owners.watch = 'attached';
    owners.jobClosed = true;
  }
  return owners;
}

export function ownerClosed(owners: Owners, jobId: string, closed: OwnerClosed): void {
  const { workflowId, clean } = closed;
  const detached = closed.detached ?? [];
  if (workflowId === jobId) owners.jobClosed = true;
  owners.clean &&= clean;
  owners.lastRental = Math.max(owners.lastRental, greatestRental(jobId, [workflowId]));
  const isFull = owners.detachedBy.length >= MOST_ATTACHED;
  if (detached.length === 0 || isFull || owners.detachedBy.includes(workflowId)) return;
  owners.detachedBy.push(workflowId);
  owners.detached = [...new Set([...owners.detached, ...detached])];
}

/** @returns false when that was known */
export function ownerAttached(owners: Owners, { workflowId, agreementId, nonce }: OwnerAttached): boolean {
  if (nonce !== undefined && nonce !== null && !owners.nonces.includes(nonce))
    owners.nonces = [...owners.nonces, nonce].slice(-NONCES_KEPT);
  const isDetached = owners.detached.includes(agreementId);
  const isKnown = owners.attached.some(
    (each) => each.workflowId === workflowId && each.agreementId === agreementId,
  );
  if ((isKnown && !isDetached) || owners.attached.length >= MOST_ATTACHED) return false;
  owners.attachments += 1;
  owners.attached = owners.attached.filter((each) => each.agreementId !== agreementId);
  owners.attached.push({ workflowId, agreementId, n: owners.attachments });
  owners.detached = owners.detached.filter((each) => each !== agreementId);
  owners.detachedBy = owners.detachedBy.filter((each) => each !== workflowId);
  if (owners.watch === 'none') owners.watch = 'attached';
  return true;
}

/** What a watch has found: those whom it waited for have closed; of those that attached, one or more. */
export function ownersSeen(
  owners: Owners,
  { liveRentals, abrupt, closed }: OwnersState,
  watched: readonly Attached[],
): void {
  owners.abrupt ||= abrupt;
  if (owners.watch === 'attached') {
    const isClosed = ({ workflowId }: Attached): boolean => !closed || closed.includes(workflowId);
    const gone = new Set(watched.filter(isClosed).map(({ n }) => n));
    owners.attached = owners.attached.filter(({ n }) => !gone.has(n));
  }
  const haveRentals = owners.watch === 'job' && liveRentals.length > 0;
  owners.watch = haveRentals ? 'rentals' : owners.attached.length > 0 ? 'attached' : 'none';
}

/** Agreements that a clean-up leaves alone. */
export function keptAlive({ attached, detached }: Owners): AgreementId[] {
  return [...new Set([...detached, ...attached.map(({ agreementId }) => agreementId)])];
}

/** They have ended: nothing is to be kept of them. */
export function detachedEnded(owners: Owners, agreementIds: readonly AgreementId[]): void {
  owners.detached = owners.detached.filter((each) => !agreementIds.includes(each));
}
