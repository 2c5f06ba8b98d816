/** What a requestor decides about debit notes and invoices, and what of its allocation that takes. */
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import { failure } from '../server/errors';
import type { Allocations } from './allocations';
import { Amount, computed, sum } from './amounts';
import type { BilledActivityRow, DebitNoteRow, Documents, InvoiceRow } from './documents';
import type { PaidDocument } from './ledger';
import type { Payables } from './payables';
import type { Settlement } from './settlement';

export interface AcceptanceParts {
  database: Database;
  documents: Documents;
  allocations: Allocations;
  payables: Payables;
  settlement: Settlement;
  effects: Effects;
}

export class Acceptance {
  /** Called when something was accepted and is to be paid. */
  onPayable: (() => void) | undefined;
  /** Whether somebody else than the requestor's node decides and pays a document. */
  hasOtherPayer: (documentId: string) => boolean = () => false;
  private readonly sql;

  constructor(private readonly parts: AcceptanceParts) {
    const { database } = parts;
    this.sql = {
      acceptActivity: database.prepare('UPDATE billed_activity SET accepted = ? WHERE id = ?'),
      acceptInvoice: database.prepare('UPDATE invoice SET accepted = ? WHERE id = ?'),
    };
  }

  acceptNote(requestor: string, id: string, amount: string, allocationId: string): void {
    const { database, documents, effects } = this.parts;
    const note = documents.note(requestor, id);
    if (!new Amount(amount).eq(note.due)) throw failure(400, 'Invalid amount accepted');
    if (note.status === 'ACCEPTED' || note.status === 'SETTLED') return;
    this.refuseIfPaidByOther(id);
    const activity = documents.activity(note.activity_id) as BilledActivityRow;
    // Once its agreement's invoice is decided, a note changes nothing any more; yagna says yes all the same.
    if (documents.invoicesOf(activity.agreement_id).some((invoice) => invoice.status !== 'RECEIVED')) return;
    // Notes are cumulative: only what this one adds to what was accepted before is taken from the allocation.
    const added = Amount.max(0, new Amount(note.due).minus(activity.accepted));
    atomically(database, () => {
      this.spend(note, allocationId, added, {
        ...{ agreementId: note.agreement_id, activityId: note.activity_id, debitNoteId: id },
      });
      if (added.gt(0)) this.sql.acceptActivity.run(note.due, note.activity_id);
      documents.setNoteStatus(note, 'ACCEPTED');
      effects.record('debit-note-accepted', {
        debitNoteId: id,
        agreementId: note.agreement_id,
        activityId: note.activity_id,
        amount: note.due,
      });
    });
    documents.listener?.onNoteAccepted(note.agreement_id, id);
    this.onPayable?.();
  }

  acceptInvoice(requestor: string, id: string, amount: string, allocationId: string): void {
    const { database, documents, effects, settlement } = this.parts;
    const invoice = documents.invoice(requestor, id);
    if (!new Amount(amount).eq(invoice.amount)) throw failure(400, 'Invalid amount accepted');
    if (invoice.status === 'ACCEPTED' || invoice.status === 'SETTLED') return;
    if (invoice.status === 'CANCELLED') throw failure(400, 'Invoice cancelled');
    this.refuseIfPaidByOther(id);
    const agreementId = invoice.agreement_id;
    const before = [...documents.activities(agreementId), ...documents.invoicesOf(agreementId)];
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
    atomically(database, () => {
      this.spend(invoice, allocationId, added, { agreementId, invoiceId: id });
      this.sql.acceptInvoice.run(computed(added), id);
      documents.setInvoiceStatus(invoice, 'ACCEPTED');
      effects.record('invoice-accepted', { invoiceId: id, agreementId, amount: invoice.amount });
      if (isZero) settlement.settle(invoice);
    });
    if (!isZero) this.onPayable?.();
  }

  private refuseIfPaidByOther(documentId: string): void {
    if (this.hasOtherPayer(documentId))
      throw failure(400, 'Decided by the broker that its Agreement names as payer');
  }

  /** Takes what a document adds from an allocation, and leaves it to be paid. */
  private spend(
    { requestor, provider, platform }: DebitNoteRow | InvoiceRow,
    allocationId: string,
    added: Amount,
    document: Omit<PaidDocument, 'allocationId' | 'amount'>,
  ): void {
    const { allocations, payables } = this.parts;
    const { agreementId, activityId = '' } = document;
    const allocation = allocations.spend(requestor, allocationId, added, agreementId, activityId);
    if (added.lte(0)) return;
    const deposit = allocation.platform === platform ? allocation.depositKey : undefined;
    payables.add({
      ...{ requestor, provider, platform, deposit, allocationId },
      ...{ ...document, amount: computed(added) },
    });
  }

  rejectInvoice(requestor: string, id: string, rejection: object): void {
    const { database, documents, effects } = this.parts;
    const invoice = documents.invoice(requestor, id);
    if (invoice.status === 'REJECTED') return;
    if (invoice.status !== 'RECEIVED') throw failure(400, `Invoice ${invoice.status.toLowerCase()}`);
    atomically(database, () => {
      documents.setInvoiceStatus(invoice, 'REJECTED', { rejection });
      effects.record('invoice-rejected', { invoiceId: id, agreementId: invoice.agreement_id, rejection });
    });
  }
}
