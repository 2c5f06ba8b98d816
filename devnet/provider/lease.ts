/**
 * The provider's side of one agreement: its end by idleness, expiration or unaccepted and unpaid notes, the debit
 * notes of its activities, and the final invoice.
 */
import { namedBroker } from '../../model/payer';
import { PROP } from '../../model/properties';
import { byProvider } from '../cause';
import { nowNanos } from '../clock';
import type { VmHost } from '../contract';
import type { Agreement, Agreements } from '../market/agreements';
import { sum, type Amount } from '../payment/amounts';
import type { Billing } from '../payment/billing';
import type { Documents } from '../payment/documents';
import type { Conditions } from '../faults/conditions';
import { delayOf, type Fault } from '../faults/faults';
import type { ProviderStep } from '../faults/operations';
import { Timers, type Timer } from '../timers';
import * as reasons from './break-reasons';
import type { Provider } from './config';
import { cost } from './cost';
import {
  changesInvoice,
  changesNote,
  dishonestNote,
  factorOf,
  invoiceAmounts,
  type NoteContext,
  type NoteTerms,
} from './dishonest-bills';
import type { BrokerClaims, IssuedNote } from './broker-claims';
import { agreedTerms, type Agreed } from './negotiation';

/** However small a time scale makes the interval between debit notes. */
const SHORTEST_INTERVAL_MS = 10;

export interface LeaseNeighbours {
  agreements: Agreements;
  documents: Documents;
  billing: Billing;
  claims: BrokerClaims;
  conditions: Conditions;
  timers: Timers;
  vms: VmHost;
  log(line: string): void;
}

export class Lease {
  private readonly timers: Timers;
  private readonly agreed: Agreed;
  private readonly approvedMs: number;
  /** Notes and invoice go to the broker that the demand names, not to the requestor. */
  private readonly isBrokered: boolean;
  private readonly noteTimers = new Map<string, Timer | undefined>();
  private readonly deadlines = new Map<string, Timer | undefined>();
  private idle: Timer | undefined;
  private lastPayableMs: number;
  private ended = false;
  private isEnding = false;
  private isForgotten = false;
  /** What the requestor has to be told once it can be reached: a note of an activity, an end, the invoice. */
  private readonly unsent = new Map<string, () => void>();
  /** When the requestor last got a note; the approval counts as one. */
  private lastNoteMs: number;

  /** @param onClosed the final invoice is out. */
  constructor(
    readonly agreement: Agreement,
    private readonly provider: Provider,
    private readonly near: LeaseNeighbours,
    private readonly onClosed: () => void,
  ) {
    this.timers = new Timers(byProvider(provider.name));
    this.agreed = agreedTerms(provider, agreement.demand.properties, agreement.offer.properties);
    this.isBrokered =
      provider.paidBy !== 'requestor' && namedBroker(agreement.demand.properties) !== undefined;
    this.approvedMs = agreement.approvedMs ?? Date.now();
    this.lastPayableMs = this.approvedMs;
    this.lastNoteMs = this.approvedMs;
  }

  /** Begins with an agreement that was just approved. */
  begin(): void {
    const { expirationMs } = this.agreed;
    if (Date.now() > expirationMs) this.break(reasons.initializationError(expirationMs));
    else this.start();
  }

  /** Takes up the agreement, which may have gone on for a while before a restart. */
  start(): void {
    const { expirationMs } = this.agreed;
    this.timers.after(expirationMs - Date.now(), () => this.break(reasons.expired(expirationMs)));
    const { claims, documents } = this.near;
    for (const note of (this.isBrokered ? claims : documents).notesOf(this.agreement.id)) {
      this.lastNoteMs = note.created_ms;
      if (note.payment_due_ms !== null) this.lastPayableMs = note.created_ms;
      this.watchDeadlines(note);
    }
    const running = this.runningActivities();
    for (const activityId of running) {
      if (this.agreed.upfrontSec === undefined) this.scheduleNote(activityId);
      else this.endAfterPaidTime();
    }
    if (running.length === 0) this.watchIdleness();
  }

  activityCreated(activityId: string): void {
    this.near.billing.addActivity(this.agreement.id, activityId);
    this.timers.cancel(this.idle);
    if (this.agreed.upfrontSec === undefined) return this.scheduleNote(activityId);
    this.issueNote(activityId, false);
    this.endAfterPaidTime();
  }

  activityDestroyed(activityId: string): void {
    this.timers.cancel(this.noteTimers.get(activityId));
    this.noteTimers.delete(activityId);
    this.issueNote(activityId, true);
    if (this.ended) return;
    // What was paid in advance was paid for this one.
    if (!this.agreed.multiActivity || this.agreed.upfrontSec !== undefined) this.break(reasons.SUCCESS);
    else if (this.runningActivities().length === 0) this.watchIdleness();
  }

  /** The provider goes out of business, in good order. */
  shutDown(): void {
    this.break(reasons.SHUTDOWN);
  }

  noteAccepted(noteId: string): void {
    this.dropDeadline(`accept ${noteId}`);
  }

  noteSettled(noteId: string): void {
    this.dropDeadline(`accept ${noteId}`);
    this.dropDeadline(`pay ${noteId}`);
  }

  /** Its payer says no: who is not paid does not go on. */
  noteRefused(reason: string): void {
    this.break(reasons.debitNoteRejected(reason));
  }

  /** The agreement has ended, by either side: the VMs go, the invoice comes. */
  async finish(reason: string): Promise<void> {
    this.ended = true;
    this.timers.close();
    await this.near.vms.destroyForAgreement(this.agreement.id, reason);
    for (const activityId of this.runningActivities()) this.issueNote(activityId, true);
    this.tellPayer('invoice', () => {
      const { agreements, documents, claims, timers } = this.near;
      const { id } = this.agreement;
      const isBilled = (): boolean =>
        this.isBrokered ? claims.hasInvoice(id) : documents.invoicesOf(id).length > 0;
      const fault = isBilled() ? undefined : this.invoiceFault();
      const close = (): void => {
        if (this.isForgotten) return;
        if (!isBilled()) this.issueInvoice(fault);
        agreements.markClosed(id);
        this.onClosed();
      };
      const delayMs = this.provider.invoiceDelaySec * 1000 + delayOf(fault);
      if (delayMs > 0) timers.after(delayMs, close);
      else close();
    });
  }

  private invoiceFault(): Fault | undefined {
    const activities = this.near.documents.activities(this.agreement.id).length;
    return this.fault('invoice', (fault) => changesInvoice(fault, this.total, activities));
  }

  /** Of all its activities. */
  private get total(): Amount {
    return sum(this.near.documents.activities(this.agreement.id).map(({ due }) => due));
  }

  private issueInvoice(fault: Fault | undefined): void {
    const { billing, claims, documents } = this.near;
    const dueSec = this.agreed.paymentTimeoutSec ?? this.provider.paymentDueSec;
    for (const amount of invoiceAmounts(fault, this.total))
      (this.isBrokered ? claims : billing).issueInvoice(this.agreement, nanosIn(dueSec), amount);
    if (fault?.do !== 'noteAfter') return;
    const [activity] = documents.activities(this.agreement.id);
    if (activity) this.sendNote(activity.id, true);
  }

  /** The requestor may be reached again. */
  restored(): void {
    if (!this.reachesRequestor) return;
    const waiting = [...this.unsent.values()];
    this.unsent.clear();
    for (const send of waiting) send();
  }

  private get reachesRequestor(): boolean {
    const { provider, requestor } = this.agreement;
    return this.near.conditions.reachesRequestor(provider, requestor);
  }

  /** Tells the requestor something, now or once it can be reached; a newer message of the same name replaces an older. */
  private tell(name: string, send: () => void): void {
    if (this.isForgotten) return;
    if (this.reachesRequestor) send();
    else this.unsent.set(name, send);
  }

  /** Tells whoever pays, who need not be the requestor. */
  private tellPayer(name: string, send: () => void): void {
    if (!this.isBrokered) this.tell(name, send);
    else if (!this.isForgotten) send();
  }

  private fault(step: ProviderStep, can: (fault: Fault) => boolean): Fault | undefined {
    const { provider, requestor } = this.agreement;
    return this.near.conditions.step(step, provider, requestor, can);
  }

  /** The provider crashed, and knows nothing of it any more: no note, no end, no invoice will come. */
  forget(): void {
    this.isForgotten = true;
    this.suspend();
    this.unsent.clear();
  }

  /** The daemon stops; the agreement lives on. */
  suspend(): void {
    this.timers.close();
  }

  private runningActivities(): string[] {
    return this.near.documents
      .activities(this.agreement.id)
      .filter((activity) => activity.finished === 0)
      .map((activity) => activity.id);
  }

  /** From its first note on, which is sent when the activity begins. */
  private endAfterPaidTime(): void {
    const { upfrontSec = 0 } = this.agreed;
    const endsMs = this.lastNoteMs + upfrontSec * 1000;
    this.timers.after(endsMs - Date.now(), () => this.break(reasons.paidTimeOver(upfrontSec)));
  }

  private watchIdleness(): void {
    this.timers.cancel(this.idle);
    const limitSec = this.provider.idleLimitSec;
    this.idle = this.timers.after(limitSec * 1000, () => this.break(reasons.noActivity(limitSec)));
  }

  /** Notes come at whole intervals since the approval, as ya-provider times them. */
  private scheduleNote(activityId: string): void {
    // The hair is for what division loses: the interval that has just passed is not the next one.
    const passed = Math.floor((Date.now() - this.approvedMs) / this.intervalMs + 1e-6);
    this.noteAt(this.approvedMs + (passed + 1) * this.intervalMs, activityId);
  }

  private noteAt(atMs: number, activityId: string): void {
    this.timers.cancel(this.noteTimers.get(activityId));
    const timer = this.timers.after(atMs - Date.now(), () => {
      // The clock counts whole milliseconds, an interval need not; a note is never early.
      if (Date.now() < atMs) return this.noteAt(atMs, activityId);
      this.scheduleNote(activityId);
      this.issueNote(activityId, false);
    });
    this.noteTimers.set(activityId, timer);
  }

  private get intervalMs(): number {
    return Math.max(this.agreed.debitNoteIntervalSec * 1000, SHORTEST_INTERVAL_MS);
  }

  private issueNote(activityId: string, isLast: boolean): void {
    if (isLast && this.agreed.upfrontSec !== undefined) return this.near.billing.finish(activityId);
    if (!this.isBrokered && !this.reachesRequestor && !isLast) this.giveUpOnUnreachable();
    this.tellPayer(`note ${activityId}`, () => this.sendNote(activityId, isLast));
  }

  private sendNote(activityId: string, isLast: boolean): void {
    const { billing, claims, vms } = this.near;
    const usage = this.billedUsage(vms.usage(activityId));
    const honest: NoteTerms = {
      ...{ agreement: this.agreement, usage, amount: cost(this.coefficients, usage) },
      paymentDue: this.paymentDue(isLast),
    };
    const context = this.noteContext(activityId, isLast);
    const fault = this.fault('debitNote', (each) => changesNote(each, honest, context));
    if (fault?.do === 'withhold') return billing.bill(activityId, honest.amount, isLast);
    const terms = dishonestNote(fault, honest, context);
    const issue = (): IssuedNote =>
      (this.isBrokered ? claims : billing).issueNote(
        terms.agreement,
        activityId,
        terms.amount,
        terms.usage,
        terms.paymentDue,
        isLast,
      );
    const note = issue();
    this.lastNoteMs = note.created_ms;
    if (!this.ended) this.watchDeadlines(note);
    if (fault?.do === 'twice') issue();
    if (fault?.do === 'tooOften')
      this.noteAt(Date.now() + Math.max(this.intervalMs / factorOf(fault), SHORTEST_INTERVAL_MS), activityId);
  }

  /** What was used until now; of time that is paid in advance, all of it on all threads. */
  private billedUsage(used: ReturnType<VmHost['usage']>): number[] {
    const { upfrontSec } = this.agreed;
    if (upfrontSec === undefined) return [Number(used.cpuSec), Number(used.durationSec)];
    return [this.provider.hardware.cpuThreads * upfrontSec, upfrontSec];
  }

  private noteContext(activityId: string, isLast: boolean): NoteContext {
    const { documents, agreements } = this.near;
    return {
      isLast,
      before: () => documents.lastNote(activityId)?.due,
      price: (usage) => cost(this.coefficients, usage),
      dueUnasked: () => nanosIn(this.provider.paymentDueSec),
      otherAgreement: () => agreements.besides(this.agreement),
    };
  }

  /** Looked at whenever a note cannot be sent: has none been for longer than one may wait to be accepted? */
  private giveUpOnUnreachable(): void {
    const { acceptTimeoutSec } = this.agreed;
    if (acceptTimeoutSec === undefined || Date.now() <= this.lastNoteMs + acceptTimeoutSec * 1000) return;
    this.break(reasons.requestorUnreachable(acceptTimeoutSec));
  }

  private get coefficients(): number[] {
    return this.agreement.offer.properties[PROP.pricingCoeffs] as number[];
  }

  /** A note is payable when payments were agreed and the last payable one is old enough; the last one always. */
  private paymentDue(isLast: boolean): bigint | undefined {
    const { paymentTimeoutSec, upfrontSec } = this.agreed;
    if (upfrontSec !== undefined) return nanosIn(paymentTimeoutSec ?? this.provider.paymentDueSec);
    if (paymentTimeoutSec === undefined) return undefined;
    const now = Date.now();
    if (!isLast) {
      if (this.lastPayableMs + paymentTimeoutSec * 1000 > now) return undefined;
      this.lastPayableMs = now;
    }
    return nanosIn(paymentTimeoutSec);
  }

  private watchDeadlines(note: IssuedNote): void {
    const { acceptTimeoutSec, paymentTimeoutSec } = this.agreed;
    if (acceptTimeoutSec !== undefined && note.status === 'RECEIVED') {
      this.deadline(`accept ${note.id}`, note.created_ms + acceptTimeoutSec * 1000, () =>
        this.break(reasons.debitNotesDeadline(acceptTimeoutSec)),
      );
    }
    const paySec = paymentTimeoutSec ?? this.provider.paymentDueSec;
    const isPayable = paymentTimeoutSec !== undefined || this.agreed.upfrontSec !== undefined;
    if (isPayable && note.payment_due_ms !== null && note.status !== 'SETTLED') {
      this.deadline(`pay ${note.id}`, note.payment_due_ms, () =>
        this.break(reasons.debitNoteNotPaid(paySec)),
      );
    }
  }

  private deadline(name: string, atMs: number, action: () => void): void {
    this.deadlines.set(name, this.timers.after(atMs - Date.now(), action));
  }

  private dropDeadline(name: string): void {
    this.timers.cancel(this.deadlines.get(name));
    this.deadlines.delete(name);
  }

  /** The provider ends the agreement; what follows is the same as when the requestor does. */
  private break({ code, message }: reasons.BreakReason): void {
    // Whatever follows from its end, such as that of its VM, is no other reason for it.
    if (this.ended || this.isEnding) return;
    this.isEnding = true;
    const { id } = this.agreement;
    this.near.log(`provider ${this.provider.name} ends agreement ${id}: ${message}`);
    if (!this.reachesRequestor) void this.near.vms.destroyForAgreement(id, message);
    const end = (): void => {
      if (this.ended || this.near.agreements.find(id)?.state !== 'Approved') return;
      this.near.agreements.terminate(this.agreement, 'Provider', { message, 'golem.provider.code': code });
    };
    // Where somebody else pays, the invoice need not wait for a requestor that may never come back.
    if (this.isBrokered && this.near.conditions.isDown(this.agreement.requestor)) end();
    else this.tell('end', end);
  }
}

/** The instant in so many seconds. */
function nanosIn(sec: number): bigint {
  return nowNanos() + BigInt(Math.round(sec * 1e9));
}
