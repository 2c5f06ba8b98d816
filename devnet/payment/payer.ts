/**
 * The requestor's payment driver: some time after something was accepted it pays, one transfer to each provider, and
 * settles the documents that are covered. Between payments it holds no timer.
 */
import { createHash } from 'node:crypto';
import { documentId, formatMillis, nextEventNanos } from '../clock';
import type { Database } from '../contract';
import type { Effects } from '../effects';
import { Streams } from '../server/long-poll';
import type { Timer, Timers } from '../timers';
import type { Accounts } from './accounts';
import { Amount, computed, ZERO } from './amounts';
import type { Documents, DebitNoteRow, InvoiceRow } from './documents';

interface DueRow {
  requestor: string;
  provider: string;
  platform: string;
  agreement_id: string;
  id: string;
  accepted: string;
  paid: string;
}

interface Transfer {
  requestor: string;
  provider: string;
  platform: string;
  amount: Amount;
  activityPayments: { activityId: string; amount: string }[];
  agreementPayments: { agreementId: string; amount: string }[];
  agreements: Set<string>;
}

export class Payer {
  /** Woken by payments; name: the requestor. */
  readonly streams = new Streams();
  /** Whether a requestor's daemon is up: only then does it pay. */
  isUp: (requestor: string) => boolean = () => true;
  private next: Timer | undefined;
  private readonly payAll: () => void;
  private readonly sql;

  constructor(
    database: Database,
    private readonly documents: Documents,
    private readonly accounts: Accounts,
    private readonly effects: Effects,
    private readonly timers: Timers,
    private readonly cycleSec: number,
  ) {
    this.sql = {
      dueActivities: database.prepare(
        `SELECT n.requestor, n.provider, n.platform, a.agreement_id, a.id, a.accepted, a.paid
         FROM billed_activity a JOIN debit_note n ON n.id = a.last_note WHERE a.accepted <> a.paid ORDER BY a.seq`,
      ),
      dueInvoices: database.prepare(
        `SELECT requestor, provider, platform, agreement_id, id, accepted, paid FROM invoice
         WHERE status = 'ACCEPTED' AND accepted <> paid ORDER BY seq`,
      ),
      unsettledInvoices: database.prepare("SELECT * FROM invoice WHERE status = 'ACCEPTED' ORDER BY seq"),
      unsettledNotes: database.prepare(
        "SELECT * FROM debit_note WHERE agreement_id = ? AND status IN ('RECEIVED', 'ACCEPTED') ORDER BY seq",
      ),
      payActivity: database.prepare('UPDATE billed_activity SET paid = accepted WHERE id = ?'),
      payInvoice: database.prepare('UPDATE invoice SET paid = accepted WHERE id = ?'),
      add: database.prepare('INSERT INTO payment (id, requestor, at, body) VALUES (?, ?, ?, ?)'),
      addPart: database.prepare('INSERT INTO payment_part (payment_id, agreement_id) VALUES (?, ?)'),
      list: database.prepare(
        `SELECT body FROM payment p WHERE requestor = ? AND at > ? AND (? IS NULL OR EXISTS (
           SELECT 1 FROM payment_part x JOIN agreement a ON a.id = x.agreement_id
           WHERE x.payment_id = p.id AND a.session = ?)) ORDER BY at LIMIT ?`,
      ),
      get: database.prepare('SELECT body FROM payment WHERE requestor = ? AND id = ?'),
      ofAgreement: database.prepare(
        `SELECT p.body FROM payment p JOIN payment_part x ON x.payment_id = p.id
         WHERE x.agreement_id = ? ORDER BY p.at`,
      ),
    };
    this.payAll = database.transaction(() => this.pay());
    documents.onPayable = () => this.schedule();
    // What was accepted before a restart.
    this.schedule();
  }

  payments(
    requestor: string,
    afterMicros: number,
    session: string | undefined,
    max: number,
  ): unknown[] | undefined {
    const rows = this.sql.list.all(requestor, afterMicros, session ?? null, session ?? null, max) as {
      body: string;
    }[];
    return rows.length === 0 ? undefined : rows.map((row) => JSON.parse(row.body) as unknown);
  }

  payment(requestor: string, id: string): unknown {
    const row = this.sql.get.get(requestor, id) as { body: string } | undefined;
    return row && (JSON.parse(row.body) as unknown);
  }

  ofAgreement(agreementId: string): unknown[] {
    return (this.sql.ofAgreement.all(agreementId) as { body: string }[]).map(
      (row) => JSON.parse(row.body) as unknown,
    );
  }

  /** A daemon is back, with debts perhaps. */
  wake(): void {
    this.schedule();
  }

  private schedule(): void {
    if (this.next) return;
    const pay = (): void => {
      this.next = undefined;
      this.payAll();
    };
    this.next = this.timers.after(this.cycleSec * 1000, pay, 'payment cycle');
  }

  private pay(): void {
    const transfers = new Map<string, Transfer>();
    const into = (row: DueRow, amount: Amount): Transfer => {
      const key = `${row.requestor} ${row.provider} ${row.platform}`;
      let transfer = transfers.get(key);
      if (!transfer) {
        const { requestor, provider, platform } = row;
        const empty = {
          amount: ZERO,
          activityPayments: [],
          agreementPayments: [],
          agreements: new Set<string>(),
        };
        transfers.set(key, (transfer = { requestor, provider, platform, ...empty }));
      }
      transfer.amount = transfer.amount.plus(amount);
      transfer.agreements.add(row.agreement_id);
      return transfer;
    };
    for (const row of this.due(this.sql.dueActivities)) {
      const amount = new Amount(row.accepted).minus(row.paid);
      into(row, amount).activityPayments.push({ activityId: row.id, amount: computed(amount) });
      this.sql.payActivity.run(row.id);
    }
    for (const row of this.due(this.sql.dueInvoices)) {
      const amount = new Amount(row.accepted).minus(row.paid);
      into(row, amount).agreementPayments.push({ agreementId: row.agreement_id, amount: computed(amount) });
      this.sql.payInvoice.run(row.id);
    }
    for (const transfer of transfers.values()) this.record(transfer);
    const paidAgreements = new Set([...transfers.values()].flatMap((transfer) => [...transfer.agreements]));
    for (const agreementId of paidAgreements) this.settleNotes(agreementId);
    for (const invoice of this.sql.unsettledInvoices.all() as InvoiceRow[]) {
      if (this.isUp(invoice.requestor)) this.documents.settleInvoice(invoice);
    }
    for (const requestor of new Set([...transfers.values()].map((transfer) => transfer.requestor))) {
      this.streams.wake(requestor);
    }
  }

  private due(select: { all(): unknown[] }): DueRow[] {
    return (select.all() as DueRow[]).filter(({ requestor }) => this.isUp(requestor));
  }

  /** Whatever the paid amount of its activity covers is settled, accepted or not. */
  private settleNotes(agreementId: string): void {
    const paid = new Map(this.documents.activities(agreementId).map(({ id, paid }) => [id, paid]));
    for (const note of this.sql.unsettledNotes.all(agreementId) as DebitNoteRow[]) {
      if (new Amount(note.due).lte(paid.get(note.activity_id) ?? 0)) this.documents.settleNote(note);
    }
  }

  private record(transfer: Transfer): void {
    const at = nextEventNanos();
    const { requestor, provider, platform, amount, activityPayments, agreementPayments } = transfer;
    const paymentId = documentId();
    const details = createHash('sha256').update(paymentId).digest('base64');
    const payment = {
      paymentId,
      payerId: requestor,
      payeeId: provider,
      payerAddr: requestor,
      payeeAddr: provider,
      paymentPlatform: platform,
      amount: computed(amount),
      timestamp: formatMillis(at),
      agreementPayments,
      activityPayments,
      details,
    };
    this.sql.add.run(paymentId, requestor, Number(at / 1000n), JSON.stringify(payment));
    for (const agreementId of transfer.agreements) this.sql.addPart.run(paymentId, agreementId);
    this.accounts.pay(requestor, platform, amount);
    this.effects.record('paid', { paymentId, providerId: provider, amount: payment.amount });
  }
}
