/**
 * Payments that whoever knows a wallet's key makes out of it, as a broker does. Each has an id of its payer's: a repeat
 * moves nothing, so that a payer who does not know whether one was made just makes it again.
 */
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import { Amount } from './amounts';
import type { LedgerEntry, PaidDocument } from './ledger';
import type { Wallets } from './wallets';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS key_payment (id TEXT PRIMARY KEY, terms TEXT NOT NULL) WITHOUT ROWID;
`;

export interface KeyPayment {
  paymentId: string;
  kind: 'payment' | 'deposit-closed';
  /** The wallet of the key. */
  from: string;
  to: string;
  platform: string;
  /** GLM. */
  amount: string;
  depositId: string;
  /** For whom. */
  requestor: string;
  for?: PaidDocument[];
}

/** The id was used for another payment. */
export class PaymentIdTaken extends Error {}

export class KeyPayments {
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly wallets: Wallets,
    private readonly effects: Effects,
  ) {
    database.exec(SCHEMA);
    this.sql = {
      get: database.prepare('SELECT terms FROM key_payment WHERE id = ?'),
      add: database.prepare('INSERT INTO key_payment VALUES (?, ?)'),
    };
  }

  /** @throws InsufficientBalance, PaymentIdTaken; nothing has moved then */
  pay(payment: KeyPayment): void {
    const { paymentId, kind, from, to, platform, depositId, requestor } = payment;
    const amount = new Amount(payment.amount).toFixed();
    const terms = JSON.stringify([kind, from, to, platform, amount, depositId]);
    const made = this.sql.get.get(paymentId) as { terms: string } | undefined;
    if (made?.terms === terms) return;
    if (made) throw new PaymentIdTaken(`payment ${paymentId} was made on other terms`);
    const entry: Omit<LedgerEntry, 'seq' | 'at'> = {
      ...{ kind, platform, from, to, amount, paymentId, depositId, requestor },
      ...(payment.for && { for: payment.for }),
    };
    atomically(this.database, () => {
      this.sql.add.run(paymentId, terms);
      this.wallets.move(entry);
      if (kind === 'payment')
        this.effects.record('paid-by-broker', {
          ...{ paymentId, payer: from, requestorId: requestor, providerId: to, platform, amount },
        });
    });
  }
}
