/** Debit notes and invoices: issued by providers, accepted or rejected by the requestor. Paying them is `payer.ts`. */
import { documentId, formatMillis, formatNanos, nowNanos } from '../clock';
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import type { Agreement } from '../market/agreements';
import { failure } from '../server/errors';
import type { Allocations } from './allocations';
import { Amount, computed, sum } from './amounts';
import type { DocumentEvents } from './document-events';
import type { PaidDocument } from './ledger';
import type { Payables } from './payables';

export type DocumentStatus = 'RECEIVED' | 'ACCEPTED' | 'REJECTED' | 'SETTLED' | 'CANCELLED' | 'FAILED';

export interface DebitNoteRow {
  id: string;
  requestor: string;
  provider: string;
  platform: string;
  agreement_id: string;
  activity_id: string;
  session: string | null;
  previous: string | null;
  created: string;
  created_ms: number;
  due: string;
  usage: string;
  payment_due: string | null;
  payment_due_ms: number | null;
  status: DocumentStatus;
}

export interface InvoiceRow {
  id: string;
  requestor: string;
  provider: string;
  platform: string;
  agreement_id: string;
  session: string | null;
  created: string;
  created_ms: number;
  activities: string;
  amount: string;
  payment_due: string;
  status: DocumentStatus;
  accepted: string;
  paid: string;
}

export interface BilledActivityRow {
  id: string;
  agreement_id: string;
  due: string;
  accepted: string;
  paid: string;
  last_note: string | null;
  finished: number;
}

/** What the provider hears of its debit notes. */
export interface NoteListener {
  onNoteAccepted(agreementId: string, noteId: string): void;
  onNoteSettled(agreementId: string, noteId: string): void;
}

export class Documents {
  listener: NoteListener | undefined;
  /** Called when something was accepted and is to be paid. */
  onPayable: (() => void) | undefined;
  private readonly sql;

  constructor(
    private readonly database: Database,
    readonly events: DocumentEvents,
    private readonly allocations: Allocations,
    private readonly payables: Payables,
    private readonly effects: Effects,
  ) {
    this.sql = {
      addActivity: database.prepare(
        `INSERT OR IGNORE INTO billed_activity (id, agreement_id, due, accepted, paid) VALUES (?, ?, '0', '0', '0')`,
      ),
      activity: database.prepare('SELECT * FROM billed_activity WHERE id = ?'),
      activities: database.prepare('SELECT * FROM billed_activity WHERE agreement_id = ? ORDER BY seq'),
      billed: database.prepare(
        'UPDATE billed_activity SET due = ?, last_note = ?, finished = ? WHERE id = ?',
      ),
      acceptActivity: database.prepare('UPDATE billed_activity SET accepted = ? WHERE id = ?'),
      addNote: database.prepare(
        `INSERT INTO debit_note (id, requestor, provider, platform, agreement_id, activity_id, session, previous,
         created, created_ms, due, usage, payment_due, payment_due_ms, status)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'RECEIVED')`,
      ),
      note: database.prepare('SELECT * FROM debit_note WHERE id = ?'),
      notes: database.prepare(
        'SELECT * FROM debit_note WHERE requestor = ? AND created_ms > ? ORDER BY seq LIMIT ?',
      ),
      notesOf: database.prepare('SELECT * FROM debit_note WHERE agreement_id = ? ORDER BY seq'),
      noteStatus: database.prepare('UPDATE debit_note SET status = ? WHERE id = ?'),
      addInvoice: database.prepare(
        `INSERT INTO invoice (id, requestor, provider, platform, agreement_id, session, created, created_ms, activities,
         amount, payment_due, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'RECEIVED')`,
      ),
      invoice: database.prepare('SELECT * FROM invoice WHERE id = ?'),
      invoices: database.prepare(
        'SELECT * FROM invoice WHERE requestor = ? AND created_ms > ? ORDER BY seq LIMIT ?',
      ),
      invoicesOf: database.prepare('SELECT * FROM invoice WHERE agreement_id = ? ORDER BY seq'),
      invoiceStatus: database.prepare('UPDATE invoice SET status = ? WHERE id = ?'),
      acceptInvoice: database.prepare('UPDATE invoice SET accepted = ? WHERE id = ?'),
      payActivity: database.prepare('UPDATE billed_activity SET paid = ? WHERE id = ?'),
      payInvoice: database.prepare('UPDATE invoice SET paid = accepted WHERE id = ?'),
      unsettledInvoices: database.prepare("SELECT * FROM invoice WHERE status = 'ACCEPTED' ORDER BY seq"),
      unsettledNotes: database.prepare(
        "SELECT * FROM debit_note WHERE activity_id = ? AND status IN ('RECEIVED', 'ACCEPTED') ORDER BY seq",
      ),
    };
  }

  addActivity(agreementId: string, activityId: string): void {
    this.sql.addActivity.run(activityId, agreementId);
  }

  activities(agreementId: string): BilledActivityRow[] {
    return this.sql.activities.all(agreementId) as BilledActivityRow[];
  }

  issueNote(...note: Parameters<Documents['writeNote']>): DebitNoteRow {
    return atomically(this.database, () => this.writeNote(...note));
  }

  private writeNote(
    agreement: Agreement,
    activityId: string,
    amount: Amount,
    usage: readonly number[],
    paymentDueNanos: bigint | undefined,
    isLast: boolean,
  ): DebitNoteRow {
    const now = nowNanos();
    const id = documentId();
    const activity = this.sql.activity.get(activityId) as BilledActivityRow | undefined;
    this.sql.addNote.run(
      id,
      agreement.requestor,
      agreement.provider,
      platformOf(agreement),
      agreement.id,
      activityId,
      agreement.session ?? null,
      activity?.last_note ?? null,
      formatMillis(now),
      Number(now / 1_000_000n),
      computed(amount),
      JSON.stringify(usage),
      paymentDueNanos === undefined ? null : formatNanos(paymentDueNanos),
      paymentDueNanos === undefined ? null : Number(paymentDueNanos / 1_000_000n),
    );
    this.sql.billed.run(computed(amount), id, isLast ? 1 : 0, activityId);
    const note = this.sql.note.get(id) as DebitNoteRow;
    this.effects.record('debit-note-issued', {
      debitNoteId: id,
      agreementId: agreement.id,
      activityId,
      amount: note.due,
    });
    this.events.record('DebitNote', note, 'Received');
    return note;
  }

  /** What a provider counts as due without a note of it. */
  bill(activityId: string, amount: Amount, isLast: boolean): void {
    const activity = this.sql.activity.get(activityId) as BilledActivityRow | undefined;
    this.sql.billed.run(computed(amount), activity?.last_note ?? null, isLast ? 1 : 0, activityId);
  }

  issueInvoice(...invoice: Parameters<Documents['writeInvoice']>): InvoiceRow {
    return atomically(this.database, () => this.writeInvoice(...invoice));
  }

  /** @param change what a dishonest provider makes of the amount */
  private writeInvoice(
    agreement: Agreement,
    paymentDueNanos: bigint,
    change: (amount: Amount) => Amount = (amount) => amount,
  ): InvoiceRow {
    const now = nowNanos();
    const id = documentId();
    const activities = this.activities(agreement.id);
    this.sql.addInvoice.run(
      id,
      agreement.requestor,
      agreement.provider,
      platformOf(agreement),
      agreement.id,
      agreement.session ?? null,
      formatMillis(now),
      Number(now / 1_000_000n),
      JSON.stringify(activities.map((activity) => activity.id)),
      computed(change(sum(activities.map((activity) => activity.due)))),
      formatNanos(paymentDueNanos),
    );
    const invoice = this.sql.invoice.get(id) as InvoiceRow;
    this.effects.record('invoice-issued', {
      invoiceId: id,
      agreementId: agreement.id,
      amount: invoice.amount,
    });
    this.events.record('Invoice', invoice, 'Received');
    return invoice;
  }

  /** A debit note or invoice, whoever it is for. */
  find(id: string): DebitNoteRow | InvoiceRow | undefined {
    return (this.sql.note.get(id) ?? this.sql.invoice.get(id)) as DebitNoteRow | InvoiceRow | undefined;
  }

  note(requestor: string, id: string): DebitNoteRow {
    const note = this.sql.note.get(id) as DebitNoteRow | undefined;
    if (note?.requestor === requestor) return note;
    throw failure(404, null);
  }

  invoice(requestor: string, id: string): InvoiceRow {
    const invoice = this.sql.invoice.get(id) as InvoiceRow | undefined;
    if (invoice?.requestor === requestor) return invoice;
    throw failure(404, null);
  }

  notes(requestor: string, afterMs: number, max: number): DebitNoteRow[] {
    return this.sql.notes.all(requestor, afterMs, max) as DebitNoteRow[];
  }

  invoices(requestor: string, afterMs: number, max: number): InvoiceRow[] {
    return this.sql.invoices.all(requestor, afterMs, max) as InvoiceRow[];
  }

  notesOf(agreementId: string): DebitNoteRow[] {
    return this.sql.notesOf.all(agreementId) as DebitNoteRow[];
  }

  invoicesOf(agreementId: string): InvoiceRow[] {
    return this.sql.invoicesOf.all(agreementId) as InvoiceRow[];
  }

  acceptNote(requestor: string, id: string, amount: string, allocationId: string): void {
    const note = this.note(requestor, id);
    if (!new Amount(amount).eq(note.due)) throw failure(400, 'Invalid amount accepted');
    if (note.status === 'ACCEPTED' || note.status === 'SETTLED') return;
    const activity = this.sql.activity.get(note.activity_id) as BilledActivityRow;
    // Once its agreement's invoice is decided, a note changes nothing any more; yagna says yes all the same.
    if (this.invoicesOf(activity.agreement_id).some((invoice) => invoice.status !== 'RECEIVED')) return;
    // Notes are cumulative: only what this one adds to what was accepted before is taken from the allocation.
    const added = Amount.max(0, new Amount(note.due).minus(activity.accepted));
    atomically(this.database, () => {
      this.spend(note, allocationId, added, {
        ...{ agreementId: note.agreement_id, activityId: note.activity_id, debitNoteId: id },
      });
      if (added.gt(0)) this.sql.acceptActivity.run(note.due, note.activity_id);
      this.setNoteStatus(note, 'ACCEPTED');
      this.effects.record('debit-note-accepted', {
        debitNoteId: id,
        agreementId: note.agreement_id,
        amount: note.due,
      });
    });
    this.listener?.onNoteAccepted(note.agreement_id, id);
    this.onPayable?.();
  }

  acceptInvoice(requestor: string, id: string, amount: string, allocationId: string): void {
    const invoice = this.invoice(requestor, id);
    if (!new Amount(amount).eq(invoice.amount)) throw failure(400, 'Invalid amount accepted');
    if (invoice.status === 'ACCEPTED' || invoice.status === 'SETTLED') return;
    if (invoice.status === 'CANCELLED') throw failure(400, 'Invoice cancelled');
    const agreementId = invoice.agreement_id;
    const before = [...this.activities(agreementId), ...this.invoicesOf(agreementId)];
    const acceptedBefore = sum(before.map((document) => document.accepted));
    const added = new Amount(invoice.amount).minus(acceptedBefore);
    if (added.lt(0)) {
      throw failure(
        400,
        'Invoice is smaller than agreement.total_amount_accepted. ' +
          `invoice_id=${id}, invoice_amount=${invoice.amount}, total_amount_accepted=${computed(acceptedBefore)}`,
      );
    }
    const isZero = new Amount(invoice.amount).isZero();
    atomically(this.database, () => {
      this.spend(invoice, allocationId, added, { agreementId, invoiceId: id });
      this.sql.acceptInvoice.run(computed(added), id);
      this.setInvoiceStatus(invoice, 'ACCEPTED');
      this.effects.record('invoice-accepted', { invoiceId: id, agreementId, amount: invoice.amount });
      if (isZero) this.settleInvoice(invoice);
    });
    if (!isZero) this.onPayable?.();
  }

  /** Takes what a document adds from an allocation, and leaves it to be paid. */
  private spend(
    { requestor, provider, platform }: DebitNoteRow | InvoiceRow,
    allocationId: string,
    added: Amount,
    document: Omit<PaidDocument, 'allocationId' | 'amount'>,
  ): void {
    const { agreementId, activityId = '' } = document;
    const allocation = this.allocations.spend(requestor, allocationId, added, agreementId, activityId);
    if (added.lte(0)) return;
    const deposit = allocation.platform === platform ? allocation.depositKey : undefined;
    this.payables.add({
      ...{ requestor, provider, platform, deposit, allocationId },
      ...{ ...document, amount: computed(added) },
    });
  }

  rejectInvoice(requestor: string, id: string, rejection: object): void {
    const invoice = this.invoice(requestor, id);
    if (invoice.status === 'REJECTED') return;
    if (invoice.status !== 'RECEIVED') throw failure(400, `Invoice ${invoice.status.toLowerCase()}`);
    atomically(this.database, () => {
      this.setInvoiceStatus(invoice, 'REJECTED', { rejection });
      this.effects.record('invoice-rejected', { invoiceId: id, agreementId: invoice.agreement_id });
    });
  }

  /** An accepted document is paid. Whatever notes the paid amount of an activity covers are settled, accepted or not. */
  paid({ activityId, invoiceId, amount }: PaidDocument): void {
    if (invoiceId !== undefined) this.sql.payInvoice.run(invoiceId);
    if (activityId === undefined) return;
    const activity = this.sql.activity.get(activityId) as BilledActivityRow;
    const paid = new Amount(activity.paid).plus(amount);
    this.sql.payActivity.run(computed(paid), activityId);
    for (const note of this.sql.unsettledNotes.all(activityId) as DebitNoteRow[]) {
      if (paid.lt(note.due)) continue;
      this.setNoteStatus(note, 'SETTLED');
      this.listener?.onNoteSettled(note.agreement_id, note.id);
    }
  }

  /** Settles the accepted invoices for which nothing is owed any more. */
  settleInvoices(isUp: (requestor: string) => boolean): void {
    for (const invoice of this.sql.unsettledInvoices.all() as InvoiceRow[]) {
      const { requestor, agreement_id } = invoice;
      if (isUp(requestor) && !this.payables.owesForAgreement(agreement_id)) this.settleInvoice(invoice);
    }
  }

  private settleInvoice(invoice: InvoiceRow): void {
    atomically(this.database, () => {
      this.setInvoiceStatus(invoice, 'SETTLED');
      this.effects.record('invoice-settled', { invoiceId: invoice.id, agreementId: invoice.agreement_id });
    });
  }

  private setNoteStatus(note: DebitNoteRow, status: 'ACCEPTED' | 'SETTLED'): void {
    this.sql.noteStatus.run(status, note.id);
    this.events.record('DebitNote', note, status === 'ACCEPTED' ? 'Accepted' : 'Settled');
  }

  private setInvoiceStatus(
    invoice: InvoiceRow,
    status: 'ACCEPTED' | 'REJECTED' | 'SETTLED',
    details = {},
  ): void {
    this.sql.invoiceStatus.run(status, invoice.id);
    const type = status === 'ACCEPTED' ? 'Accepted' : status === 'REJECTED' ? 'Rejected' : 'Settled';
    this.events.record('Invoice', invoice, type, details);
  }
}

/** The platform that the requestor chose when it negotiated. */
export function platformOf(agreement: Agreement): string {
  return String(agreement.demand.properties['golem.com.payment.chosen-platform'] ?? '');
}
