/** What providers bill: the debit notes of their activities, and the invoice of an agreement. */
import { documentId, formatMillis, formatNanos, nowNanos } from '../clock';
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import type { Agreement } from '../market/agreements';
import { type Amount, computed } from './amounts';
import type { DebitNoteRow, Documents, InvoiceRow } from './documents';

export class Billing {
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly documents: Documents,
    private readonly effects: Effects,
  ) {
    this.sql = {
      addActivity: database.prepare(
        `INSERT OR IGNORE INTO billed_activity (id, agreement_id, due, accepted, paid) VALUES (?, ?, '0', '0', '0')`,
      ),
      billed: database.prepare(
        'UPDATE billed_activity SET due = ?, last_note = ?, finished = ? WHERE id = ?',
      ),
      finish: database.prepare('UPDATE billed_activity SET finished = 1 WHERE id = ?'),
      addNote: database.prepare(
        `INSERT INTO debit_note (id, requestor, provider, platform, agreement_id, activity_id, session, previous,
         created, created_ms, due, usage, payment_due, payment_due_ms, status)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'RECEIVED')`,
      ),
      addInvoice: database.prepare(
        `INSERT INTO invoice (id, requestor, provider, platform, agreement_id, session, created, created_ms, activities,
         amount, payment_due, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'RECEIVED')`,
      ),
    };
  }

  addActivity(agreementId: string, activityId: string): void {
    this.sql.addActivity.run(activityId, agreementId);
  }

  issueNote(...note: Parameters<Billing['writeNote']>): DebitNoteRow {
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
    const activity = this.documents.activity(activityId);
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
    const note = this.documents.note(agreement.requestor, id);
    this.effects.record('debit-note-issued', {
      debitNoteId: id,
      agreementId: agreement.id,
      activityId,
      amount: note.due,
    });
    this.documents.events.record('DebitNote', note, 'Received');
    return note;
  }

  /** What a provider counts as due without a note of it. */
  bill(activityId: string, amount: Amount, isLast: boolean): void {
    const activity = this.documents.activity(activityId);
    this.sql.billed.run(computed(amount), activity?.last_note ?? null, isLast ? 1 : 0, activityId);
  }

  /** Nothing more comes for an activity: it costs what was billed for it before. */
  finish(activityId: string): void {
    this.sql.finish.run(activityId);
  }

  issueInvoice(...invoice: Parameters<Billing['writeInvoice']>): InvoiceRow {
    return atomically(this.database, () => this.writeInvoice(...invoice));
  }

  private writeInvoice(agreement: Agreement, paymentDueNanos: bigint, amount: Amount): InvoiceRow {
    const now = nowNanos();
    const id = documentId();
    const activities = this.documents.activities(agreement.id);
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
      computed(amount),
      formatNanos(paymentDueNanos),
    );
    const invoice = this.documents.invoice(agreement.requestor, id);
    this.effects.record('invoice-issued', {
      invoiceId: id,
      agreementId: agreement.id,
      amount: invoice.amount,
    });
    this.documents.events.record('Invoice', invoice, 'Received');
    return invoice;
  }
}

/** The platform that the requestor chose when it negotiated. */
function platformOf(agreement: Agreement): string {
  return String(agreement.demand.properties['golem.com.payment.chosen-platform'] ?? '');
}
