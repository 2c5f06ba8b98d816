/**
 * The public ledger: every movement of money on the network, in order, and what it was for. What is long over is
 * forgotten (see `Retention`); balances are the wallets' business.
 */
import { formatNanos, nowNanos } from '../clock';
import type { Database } from '../contract';

/**
 * `funding`: a requestor's first money, from the treasury; `payment`: a requestor, a deposit or a broker for it, pays a
 * provider; `transfer`: by the admin API; `deposit`: into a contract; `deposit-closed`: what was left of it comes back.
 */
export type LedgerKind = 'funding' | 'payment' | 'transfer' | 'deposit' | 'deposit-closed';

/** One accepted document's part of a payment; exactly one of the two document ids is there. */
export interface PaidDocument {
  agreementId: string;
  /** Of a debit note. */
  activityId?: string;
  debitNoteId?: string;
  invoiceId?: string;
  /** With which it was accepted; absent where a broker pays. */
  allocationId?: string;
  /** What this document added to what was accepted before it, GLM. */
  amount: string;
}

export interface LedgerEntry {
  /** From 1, without gaps, over restarts too. */
  seq: number;
  /** RFC 3339. */
  at: string;
  kind: LedgerKind;
  platform: string;
  /** Owner of the wallet that paid: a node id, a contract, a broker, or `treasury`. */
  from: string;
  to: string;
  /** GLM, an exact decimal. */
  amount: string;
  paymentId?: string;
  depositId?: string;
  /** For whom a deposit or a broker paid. */
  requestor?: string;
  /** What a payment was for. */
  for?: PaidDocument[];
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS ledger (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, platform TEXT NOT NULL, payer TEXT NOT NULL,
  payee TEXT NOT NULL, amount TEXT NOT NULL, details TEXT NOT NULL
);
`;

interface LedgerRow {
  seq: number;
  at: string;
  kind: LedgerKind;
  platform: string;
  payer: string;
  payee: string;
  amount: string;
  details: string;
}

export class Ledger {
  private readonly insert;
  private readonly select;

  constructor(database: Database) {
    database.exec(SCHEMA);
    this.insert = database.prepare(
      'INSERT INTO ledger (at, kind, platform, payer, payee, amount, details) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.select = database.prepare('SELECT * FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?');
  }

  /** Called by `Wallets.move` only: no entry without a movement, no movement without an entry. */
  add(entry: Omit<LedgerEntry, 'seq' | 'at'>): void {
    const { kind, platform, from, to, amount, ...details } = entry;
    this.insert.run(formatNanos(nowNanos()), kind, platform, from, to, amount, JSON.stringify(details));
  }

  /** Entries after `seq`, oldest first. */
  after(seq = 0, limit = 1_000_000): LedgerEntry[] {
    return (this.select.all(seq, limit) as LedgerRow[]).map(({ payer, payee, details, ...row }) => ({
      ...{ seq: row.seq, at: row.at, kind: row.kind, platform: row.platform },
      ...{ from: payer, to: payee, amount: row.amount },
      ...(JSON.parse(details) as Pick<LedgerEntry, 'paymentId' | 'depositId' | 'requestor' | 'for'>),
    }));
  }
}
