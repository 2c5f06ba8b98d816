/**
 * Debit notes, invoices and the activities that they bill: the records, and the events that tell of each change. Issued
 * they are by `billing.ts`, decided by `acceptance.ts`, settled by `settlement.ts`.
 */
import type { Database } from '../contract';
import { failure } from '../server/errors';
import type { DocumentEvents } from './document-events';

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
  private readonly sql;

  constructor(
    database: Database,
    readonly events: DocumentEvents,
  ) {
    this.sql = {
      activity: database.prepare('SELECT * FROM billed_activity WHERE id = ?'),
      activities: database.prepare('SELECT * FROM billed_activity WHERE agreement_id = ? ORDER BY seq'),
      note: database.prepare('SELECT * FROM debit_note WHERE id = ?'),
      notes: database.prepare(
        'SELECT * FROM debit_note WHERE requestor = ? AND created_ms > ? ORDER BY seq LIMIT ?',
      ),
      notesOf: database.prepare('SELECT * FROM debit_note WHERE agreement_id = ? ORDER BY seq'),
      lastNote: database.prepare('SELECT * FROM debit_note WHERE activity_id = ? ORDER BY seq DESC LIMIT 1'),
      noteStatus: database.prepare('UPDATE debit_note SET status = ? WHERE id = ?'),
      invoice: database.prepare('SELECT * FROM invoice WHERE id = ?'),
      invoices: database.prepare(
        'SELECT * FROM invoice WHERE requestor = ? AND created_ms > ? ORDER BY seq LIMIT ?',
      ),
      invoicesOf: database.prepare('SELECT * FROM invoice WHERE agreement_id = ? ORDER BY seq'),
      invoiceStatus: database.prepare('UPDATE invoice SET status = ? WHERE id = ?'),
    };
  }

  activity(id: string): BilledActivityRow | undefined {
    return this.sql.activity.get(id) as BilledActivityRow | undefined;
  }

  activities(agreementId: string): BilledActivityRow[] {
    return this.sql.activities.all(agreementId) as BilledActivityRow[];
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

  /** The newest note of an activity. */
  lastNote(activityId: string): DebitNoteRow | undefined {
    return this.sql.lastNote.get(activityId) as DebitNoteRow | undefined;
  }

  invoicesOf(agreementId: string): InvoiceRow[] {
    return this.sql.invoicesOf.all(agreementId) as InvoiceRow[];
  }

  setNoteStatus(note: DebitNoteRow, status: 'ACCEPTED' | 'SETTLED'): void {
    this.sql.noteStatus.run(status, note.id);
    this.events.record('DebitNote', note, status === 'ACCEPTED' ? 'Accepted' : 'Settled');
  }

  setInvoiceStatus(invoice: InvoiceRow, status: 'ACCEPTED' | 'REJECTED' | 'SETTLED', details = {}): void {
    this.sql.invoiceStatus.run(status, invoice.id);
    const type = status === 'ACCEPTED' ? 'Accepted' : status === 'REJECTED' ? 'Rejected' : 'Settled';
    this.events.record('Invoice', invoice, type, details);
  }
}
