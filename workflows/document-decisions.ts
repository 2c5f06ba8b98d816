/**
 * Decides a settlement's debit notes and invoices, many at the same time, and books what was decided. What cannot be
 * decided is tried again later, and never given up.
 */
import { condition } from '@temporalio/workflow';
import type { Decision, DocumentRef } from '../activities/contract';
import type { NewEvent } from '../model/events';
import { isNoteOf } from '../model/note-pace';
import type { ProviderInfo } from '../model/result';
import { deciding } from './activity-options';
import type { Chores } from './chores';
import type { SettlementInput, SettlementUpdate } from './protocol';
import type { Reservation } from './reservation';
import { book, ignoredNotes, isDecided, soFar, type Ledger, paymentConfirmed } from './state/ledger';
import {
  addUndecided,
  awaited,
  decided,
  dropNotes,
  failedToDecide,
  isDeciding,
  takeDue,
  tryAgain,
  type Undecided,
  type UndecidedDocument,
} from './state/undecided';

/** So long a worker may be at an effect, a decision for one, without knowing that nobody waits for it any more. */
export const HEARTBEAT_MS = 10_000;
/** Patience with decisions before it is watched on beside them. Most are done by then, and need no second watch. */
const PATIENCE = '2 s';

export interface DecisionsOwner {
  input: SettlementInput;
  ledger: Ledger;
  undecided: Undecided;
  refusedProviders: SettlementUpdate['refusedProviders'];
  reservation: Reservation;
  chores: Chores;
  note(events: NewEvent[]): void;
  failed(error: unknown): void;
  failedAs(type: string, message: string): void;
  /** A decision has ended. `accepted`: a note was, and nothing else has changed. */
  ended(what: 'accepted' | 'other'): void;
}

export class DocumentDecisions {
  /** No decision is begun. */
  isHeld = false;
  private readonly lifetimeMs: number;

  constructor(private readonly owner: DecisionsOwner) {
    this.lifetimeMs = owner.input.requestLifetimeMs + HEARTBEAT_MS;
  }

  receive(documents: readonly DocumentRef[]): void {
    const { ledger, undecided } = this.owner;
    const ignored = ignoredNotes(ledger);
    for (const document of documents)
      if (!isDecided(ledger, document.id) && !isNoteOf(ignored, document)) addUndecided(undecided, document);
  }

  /** Begins with all that can be decided now. A provider whose document takes long keeps no other waiting. */
  begin(): void {
    const { undecided, reservation } = this.owner;
    if (this.isHeld || reservation.holds) return;
    for (const entry of takeDue(undecided, Date.now())) void this.decide(entry);
  }

  async untilMostAreDone(): Promise<void> {
    const { undecided } = this.owner;
    if (isDeciding(undecided)) await condition(() => !isDeciding(undecided), PATIENCE);
  }

  /** What is being decided is decided; nothing more is begun. */
  async rest(): Promise<void> {
    this.isHeld = true;
    await condition(() => !isDeciding(this.owner.undecided));
  }

  private async decide(entry: UndecidedDocument): Promise<void> {
    const { input, ledger, undecided, reservation, note, failed, ended } = this.owner;
    const { allocationId = '' } = reservation;
    const { document } = entry;
    let isAcceptedNote = false;
    try {
      const decision = await deciding.golemDecideDocument({
        ...{ job: input.job, document, allocationId, tolerance: input.tolerance },
        ...{ leastPaymentTimeoutSec: input.leastPaymentTimeoutSec, vmsAtOnce: input.vmsAtOnce },
        ledger: soFar(ledger, document.agreementId),
      });
      // Who pays decides it, and then its status says so.
      if (decision.decision === 'awaited') awaited(entry, Date.now());
      else if (reservation.makesRoom(decision, allocationId)) tryAgain(entry, Date.now());
      else {
        isAcceptedNote = document.kind === 'debitNote' && decision.decision === 'accepted';
        decided(undecided, entry);
        const at = new Date().toISOString();
        const paid = book(ledger, decision).map((each) => paymentConfirmed(each, at));
        note([...decision.events, ...paid]);
        if (decision.decision === 'refused') this.onRefusal(decision);
      }
    } catch (error) {
      failed(error);
      failedToDecide(entry, Date.now(), this.lifetimeMs);
    }
    // The next of its agreement, if one has waited.
    this.begin();
    ended(isAcceptedNote ? 'accepted' : 'other');
  }

  /** Whose bill is refused gets no more work from this job, and an end to the agreement. */
  private onRefusal(decision: Decision): void {
    const { undecided, chores, failedAs } = this.owner;
    const message = decision.reason ?? 'refused';
    failedAs(decision.failure ?? 'PaymentRefused', message);
    if (decision.failure !== 'BudgetExhausted') this.avoid(decision.provider, message);
    if (decision.document.kind === 'invoice') return;
    const reason: { message: string; [property: string]: string } = { message };
    const { agreementId } = decision;
    if (decision.requestorCode) {
      reason['golem.requestor.code'] = decision.requestorCode;
      dropNotes(undecided, agreementId);
    }
    chores.begin({ kind: 'close', agreementId, reason });
  }

  /** It gets no more work of this job, and where the worker remembers it, none of later ones. */
  private avoid(provider: ProviderInfo, reason: string): void {
    const { refusedProviders, chores } = this.owner;
    if (refusedProviders.some((refused) => refused.provider.id === provider.id)) return;
    refusedProviders.push({ provider, reason });
    chores.begin({ kind: 'avoid', provider, reason });
  }
}
