/** The payments that were made, as the requestor reads them. */
import { createHash } from 'node:crypto';
import type { Database } from '../contract';
import { Streams } from '../server/long-poll';
import { Amount, ZERO } from './amounts';

/** What was paid by whom: a sum, since payments are forgotten some time after they were made. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS paid_total (
  requestor TEXT NOT NULL, platform TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (requestor, platform)
) WITHOUT ROWID;
`;

/** A payment as it is told of, but for what is signed. */
export interface Payment {
  paymentId: string;
  paymentPlatform: string;
  amount: string;
  [field: string]: unknown;
}

export class Payments {
  /** Woken by payments; name: the requestor. */
  readonly streams = new Streams();
  private readonly sql;

  constructor(database: Database) {
    database.exec(SCHEMA);
    this.sql = {
      total: database.prepare('SELECT amount FROM paid_total WHERE requestor = ? AND platform = ?'),
      setTotal: database.prepare('INSERT OR REPLACE INTO paid_total VALUES (?, ?, ?)'),
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
  }

  list(
    requestor: string,
    afterMicros: number,
    session: string | undefined,
    max: number,
  ): unknown[] | undefined {
    const rows = this.sql.list.all(requestor, afterMicros, session ?? null, session ?? null, max);
    return rows.length === 0 ? undefined : rows.map(confirmed);
  }

  get(requestor: string, id: string): unknown {
    const row = this.sql.get.get(requestor, id);
    return row === undefined ? undefined : confirmed(row);
  }

  ofAgreement(agreementId: string): unknown[] {
    return this.sql.ofAgreement.all(agreementId).map(confirmed);
  }

  /** All that a requestor ever paid on a platform, out of deposits too, GLM. */
  total(requestor: string, platform: string): Amount {
    const row = this.sql.total.get(requestor, platform) as { amount: string } | undefined;
    return row ? new Amount(row.amount) : ZERO;
  }

  /** Part of the transaction in which the money moves. */
  add(
    payment: { requestor: string; atMicros: number; body: Payment },
    agreementIds: readonly string[],
  ): void {
    const { requestor, atMicros, body } = payment;
    const { paymentId, paymentPlatform, amount } = body;
    const total = this.total(requestor, paymentPlatform).plus(amount);
    this.sql.setTotal.run(requestor, paymentPlatform, total.toFixed());
    this.sql.add.run(paymentId, requestor, atMicros, JSON.stringify(body));
    for (const agreementId of agreementIds) this.sql.addPart.run(paymentId, agreementId);
  }
}

/**
 * A payment with what the payer signed (its fields in alphabetical order, as bytes) and a signature of the right size.
 * The devnet has no keys: nobody can check it.
 */
function confirmed(row: unknown): unknown {
  const payment = JSON.parse((row as { body: string }).body) as Record<string, unknown>;
  const signed = JSON.stringify(
    Object.fromEntries(Object.entries(payment).sort(([one], [other]) => (one < other ? -1 : 1))),
  );
  const signature = [0, ...createHash('sha512').update(signed).digest()];
  return { ...payment, signature, signedBytes: [...Buffer.from(signed)] };
}
