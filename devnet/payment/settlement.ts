/** What a payment settles: debit notes and invoices for which nothing is owed any more. */
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import { Amount, computed } from './amounts';
import type { BilledActivityRow, DebitNoteRow, Documents, InvoiceRow } from './documents';
import type { PaidDocument } from './ledger';
import type { Payables } from './payables';

export class Settlement {
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly documents: Documents,
    private readonly payables: Payables,
    private readonly effects: Effects,
  ) {
    this.sql = {
      payActivity: database.prepare('UPDATE billed_activity SET paid = ? WHERE id = ?'),
      payInvoice: database.prepare('UPDATE invoice SET paid = accepted WHERE id = ?'),
      unsettledInvoices: database.prepare("SELECT * FROM invoice WHERE status = 'ACCEPTED' ORDER BY seq"),
      unsettledNotes: database.prepare(
        "SELECT * FROM debit_note WHERE activity_id = ? AND status IN ('RECEIVED', 'ACCEPTED') ORDER BY seq",
      ),
    };
  }

  /** An accepted document is paid. Whatever notes the paid amount of an activity covers are settled, accepted or not. */
  paid({ activityId, invoiceId, amount }: PaidDocument): void {
    if (invoiceId !== undefined) this.sql.payInvoice.run(invoiceId);
    if (activityId === undefined) return;
    const activity = this.documents.activity(activityId) as BilledActivityRow;
    const paid = new Amount(activity.paid).plus(amount);
    this.sql.payActivity.run(computed(paid), activityId);
    for (const note of this.sql.unsettledNotes.all(activityId) as DebitNoteRow[]) {
      if (paid.lt(note.due)) continue;
      this.documents.setNoteStatus(note, 'SETTLED');
      this.effects.record('debit-note-settled', {
        ...{ debitNoteId: note.id, agreementId: note.agreement_id, activityId, amount: note.due },
      });
      this.documents.listener?.onNoteSettled(note.agreement_id, note.id);
    }
  }

  /** Settles the accepted invoices for which nothing is owed any more. */
  settleInvoices(isUp: (requestor: string) => boolean): void {
    for (const invoice of this.sql.unsettledInvoices.all() as InvoiceRow[]) {
      const { requestor, agreement_id } = invoice;
      if (isUp(requestor) && !this.payables.owesForAgreement(agreement_id)) this.settle(invoice);
    }
  }

  /** Nothing is owed for it, be it paid or about nothing. */
  settle(invoice: InvoiceRow): void {
    atomically(this.database, () => {
      this.documents.setInvoiceStatus(invoice, 'SETTLED');
      const { id, agreement_id, amount } = invoice;
      this.effects.record('invoice-settled', { invoiceId: id, agreementId: agreement_id, amount });
    });
  }
}
