/**
 * What a settlement takes along when it continues as new: all it knows, as plain JSON, and bounded, since a run is
 * given no more than 2 MB. Pure functions over plain data.
 */
import { carryEvents, EVENTS_CARRIED_JSON, type EventLog } from '../../model/events';
import type { AgreementId, AllocationId, Amount, Timestamp } from '../../model/ids';
import type { DetachedAgreement, LastFailure, ProviderInfo, SettlementPhase } from '../../model/result';
import { jsonSize, PAYLOAD_JSON } from '../../model/result-size';
import type { ReservationAnswer, ReservationRequest, SettlementUpdate } from '../protocol';
import type { Ledger } from './ledger';
import type { Owners } from './owners';
import { compactUndecided, type Undecided } from './undecided';

/** Begun, and not waited for. */
export type Chore =
  | { kind: 'close'; agreementId: AgreementId; reason: { message: string; [property: string]: string } }
  | { kind: 'avoid'; provider: ProviderInfo; reason: string };

/** How far it has come in its phase. */
export interface SettlementPlace {
  phase: SettlementPhase;
  /** yagna's time before the first document. */
  since: Timestamp;
  /** Ending what is left: whether the look before found nothing, seconds to wait before the next, and until when. */
  ending?: { calm: boolean; waitSec: number; untilMs: number };
  /** What is detached, when all else is ended. */
  detached?: DetachedAgreement[];
  /** Waiting for invoices, and payments: until when, and whether it looked for lost ones at the end of that. */
  paying?: { untilMs: number; lookedOnceMore: boolean };
}

/** See `workflows/reservation.ts`. */
export interface CarriedReservation {
  allocationId?: AllocationId;
  retried: boolean;
  answers: ReservationAnswer[];
  /** Ids of requests, the newest ones. */
  known: string[];
  requests: ReservationRequest[];
  total: Amount;
  endsAtSec: number;
  /** No allocation can last longer. Absent: as long as it likes. */
  lastEndSec?: number;
  endsAtSecs: number[];
  lapsed: AllocationId[];
  spentBefore: Amount;
  seemsGone: boolean;
  isReleased: boolean;
  isRefused: boolean;
  /** Absent: never. */
  tidyAtMs?: number;
  retryAtMs: number;
  failures: number;
}

export interface CarriedSettlement {
  place: SettlementPlace;
  owners: Owners;
  ledger: Ledger;
  undecided: Undecided;
  cursor: { debitNotes: Timestamp; invoices: Timestamp };
  reservation: CarriedReservation;
  refusedProviders: SettlementUpdate['refusedProviders'];
  chores: Chore[];
  /** Of the newest update that the job was sent. */
  seq: number;
  lastFailure?: LastFailure;
  log: EventLog;
}

/** With as many documents that are not decided, and then of its events, as there is room for. */
export function fitSettlement(carried: CarriedSettlement): CarriedSettlement {
  const room = PAYLOAD_JSON - jsonSize({ ...carried, undecided: [], log: [] });
  const undecided = compactUndecided(carried.undecided, room);
  const left = Math.max(0, room - jsonSize(undecided));
  return { ...carried, undecided, log: carryEvents(carried.log, Math.min(EVENTS_CARRIED_JSON, left)) };
}
