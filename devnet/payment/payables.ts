/** What was accepted and is not paid yet. A row goes when it is paid: from then on the ledger tells of it. */
import type { Database } from '../contract';
import { type Amount, sum, ZERO } from './amounts';
import type { PaidDocument } from './ledger';

/** One accepted debit note or invoice, with what it added to what was accepted before it. */
export interface Payable extends PaidDocument {
  requestor: string;
  provider: string;
  platform: string;
  /** Key of the deposit that pays instead of the requestor's wallet. */
  deposit?: string;
}

/** All that one payer owes one payee on a platform: one payment. */
export interface Bundle {
  /** Of payer, payee, platform and deposit. */
  key: string;
  requestor: string;
  provider: string;
  platform: string;
  deposit?: string;
  amount: Amount;
  payables: Payable[];
  /** Rows to remove once it is paid. */
  rows: number[];
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS payable (
  seq INTEGER PRIMARY KEY, requestor TEXT NOT NULL, platform TEXT NOT NULL, agreement_id TEXT NOT NULL, deposit TEXT,
  amount TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS payable_by_agreement ON payable (agreement_id);
CREATE INDEX IF NOT EXISTS payable_by_requestor ON payable (requestor, platform);
`;

export class Payables {
  private readonly sql;

  constructor(database: Database) {
    database.exec(SCHEMA);
    this.sql = {
      insert: database.prepare(
        'INSERT INTO payable (requestor, platform, agreement_id, deposit, amount, body) VALUES (?, ?, ?, ?, ?, ?)',
      ),
      all: database.prepare('SELECT seq, body FROM payable ORDER BY seq'),
      remove: database.prepare('DELETE FROM payable WHERE seq = ?'),
      ofAgreement: database.prepare('SELECT 1 FROM payable WHERE agreement_id = ? LIMIT 1'),
      ofDeposit: database.prepare('SELECT 1 FROM payable WHERE deposit = ? LIMIT 1'),
      ofWallet: database.prepare(
        'SELECT amount FROM payable WHERE requestor = ? AND platform = ? AND deposit IS NULL',
      ),
    };
  }

  add(payable: Payable): void {
    const { requestor, platform, agreementId, deposit, amount } = payable;
    this.sql.insert.run(requestor, platform, agreementId, deposit ?? null, amount, JSON.stringify(payable));
  }

  remove(bundle: Bundle): void {
    for (const seq of bundle.rows) this.sql.remove.run(seq);
  }

  owesForAgreement(agreementId: string): boolean {
    return this.sql.ofAgreement.get(agreementId) !== undefined;
  }

  owesFromDeposit(deposit: string): boolean {
    return this.sql.ofDeposit.get(deposit) !== undefined;
  }

  /** What a requestor has still to pay out of its wallet. */
  owed(requestor: string, platform: string): Amount {
    const rows = this.sql.ofWallet.all(requestor, platform) as { amount: string }[];
    return sum(rows.map((row) => row.amount));
  }

  /** Everything that is due, bundled; the longest due first. */
  bundles(): Bundle[] {
    const bundles = new Map<string, Bundle>();
    for (const { seq, body } of this.sql.all.all() as { seq: number; body: string }[]) {
      const payable = JSON.parse(body) as Payable;
      const { requestor, provider, platform, deposit } = payable;
      const key = [requestor, provider, platform, deposit].join(' ');
      const bundle = bundles.get(key) ?? {
        ...{ key, requestor, provider, platform, deposit, amount: ZERO, payables: [], rows: [] },
      };
      bundle.amount = bundle.amount.plus(payable.amount);
      bundle.payables.push(payable);
      bundle.rows.push(seq);
      bundles.set(key, bundle);
    }
    return [...bundles.values()];
  }
}
