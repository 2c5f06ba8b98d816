/** A broker's books: its key, the deposits it holds, and what it decided; in a file that survives its restart. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { Amount, sum } from '../payment/amounts';
import type { Claim, Released, ReleaseTerms } from './release-rules';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS broker_key (key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deposit (
  id TEXT PRIMARY KEY, requestor TEXT NOT NULL, funder TEXT NOT NULL, platform TEXT NOT NULL, amount TEXT NOT NULL,
  per_hour TEXT NOT NULL, total TEXT NOT NULL, ledger_seq INTEGER NOT NULL UNIQUE, refund_id TEXT, closed INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS claim (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, issuer TEXT NOT NULL, agreement_id TEXT NOT NULL,
  activity_id TEXT, amount TEXT NOT NULL, usage TEXT NOT NULL, deposit_id TEXT, status TEXT NOT NULL,
  added TEXT NOT NULL DEFAULT '0', reason TEXT, until_ms INTEGER, payment_id TEXT, at_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS claim_by_deposit ON claim (deposit_id);
CREATE INDEX IF NOT EXISTS claim_by_agreement ON claim (agreement_id);
`;

/** Money that a requestor has prepaid, with its rules. */
export interface BrokerDeposit extends ReleaseTerms {
  /** Whose wallet it came from; what is left goes back there. */
  funder: string;
  /** GLM. */
  amount: string;
  /** The transfer that brought it, in the public ledger. */
  ledgerSeq: number;
  /** Of the payment that gives the rest back. */
  refundId?: string;
}

/**
 * `released`: the money is to go out, and may have gone already. `settled`: it is out. `held`: it may be asked for again.
 */
export type ClaimStatus = 'released' | 'settled' | 'held' | 'refused';

export interface DecidedClaim {
  id: string;
  kind: Claim['kind'];
  issuer: string;
  agreementId: string;
  activityId?: string;
  amount: string;
  usage: number[];
  depositId?: string;
  status: ClaimStatus;
  /** What it added to what had gone out before, GLM. */
  added: string;
  reason?: string;
  /** Of a held one: when it may be asked for again. */
  untilMs?: number;
  paymentId?: string;
  /** When it was decided; of a settled one, when it was out. */
  atMs: number;
}

interface DepositRow {
  id: string;
  requestor: string;
  funder: string;
  platform: string;
  amount: string;
  per_hour: string;
  total: string;
  ledger_seq: number;
  refund_id: string | null;
  closed: number;
}

interface ClaimRow {
  id: string;
  kind: Claim['kind'];
  issuer: string;
  agreement_id: string;
  activity_id: string | null;
  amount: string;
  usage: string;
  deposit_id: string | null;
  status: ClaimStatus;
  added: string;
  reason: string | null;
  until_ms: number | null;
  payment_id: string | null;
  at_ms: number;
}

export class BrokerBooks {
  private readonly database: Libsql.Database;
  private readonly sql;
  /** The secret by which its wallet is its own. */
  readonly key: string;

  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true });
    this.database = new Libsql(join(dataDir, 'broker.sqlite'), { timeout: 0 });
    // One broker at a time: a second one would decide by the same money.
    this.database.pragma('locking_mode = EXCLUSIVE');
    this.database.pragma('journal_mode = WAL');
    this.database.exec(SCHEMA);
    const { database } = this;
    this.sql = {
      addDeposit: database.prepare(
        `INSERT INTO deposit (id, requestor, funder, platform, amount, per_hour, total, ledger_seq, closed)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`,
      ),
      deposit: database.prepare('SELECT * FROM deposit WHERE id = ?'),
      deposits: database.prepare('SELECT * FROM deposit ORDER BY ledger_seq'),
      refund: database.prepare('UPDATE deposit SET refund_id = ?, closed = 1 WHERE id = ?'),
      claim: database.prepare('SELECT * FROM claim WHERE id = ?'),
      claims: database.prepare('SELECT * FROM claim WHERE deposit_id = ? ORDER BY seq'),
      ofAgreement: database.prepare(
        "SELECT * FROM claim WHERE agreement_id = ? AND status IN ('released', 'settled') ORDER BY seq",
      ),
      unpaid: database.prepare("SELECT * FROM claim WHERE status = 'released' ORDER BY seq"),
      putClaim: database.prepare(
        `INSERT INTO claim (id, kind, issuer, agreement_id, activity_id, amount, usage, deposit_id, status, added, reason,
         until_ms, payment_id, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, added = excluded.added, reason = excluded.reason,
         until_ms = excluded.until_ms, payment_id = excluded.payment_id, at_ms = excluded.at_ms`,
      ),
      settle: database.prepare("UPDATE claim SET status = 'settled', at_ms = ? WHERE id = ?"),
    };
    this.key = this.ownKey();
  }

  private ownKey(): string {
    const found = this.database.prepare('SELECT key FROM broker_key').get() as { key: string } | undefined;
    if (found) return found.key;
    const key = randomBytes(32).toString('hex');
    this.database.prepare('INSERT INTO broker_key (key) VALUES (?)').run(key);
    return key;
  }

  addDeposit(deposit: Omit<BrokerDeposit, 'closed' | 'refundId'>): void {
    const { id, requestor, funder, platform, amount, perHour, total, ledgerSeq } = deposit;
    this.sql.addDeposit.run(id, requestor, funder, platform, amount, perHour, total, ledgerSeq);
  }

  deposit(id: string): BrokerDeposit | undefined {
    const row = this.sql.deposit.get(id) as DepositRow | undefined;
    return row && depositOf(row);
  }

  deposits(): BrokerDeposit[] {
    return (this.sql.deposits.all() as DepositRow[]).map(depositOf);
  }

  /** Nothing goes out of it any more but what is left, back to its funder. */
  close(id: string, refundId: string): void {
    this.sql.refund.run(refundId, id);
  }

  claim(id: string): DecidedClaim | undefined {
    const row = this.sql.claim.get(id) as ClaimRow | undefined;
    return row && claimOf(row);
  }

  claims(depositId: string): DecidedClaim[] {
    return (this.sql.claims.all(depositId) as ClaimRow[]).map(claimOf);
  }

  /** Those whose money may not have gone out yet. */
  unpaid(): DecidedClaim[] {
    return (this.sql.unpaid.all() as ClaimRow[]).map(claimOf);
  }

  putClaim(claim: DecidedClaim): void {
    this.sql.putClaim.run(
      ...[claim.id, claim.kind, claim.issuer, claim.agreementId, claim.activityId ?? null, claim.amount],
      ...[
        JSON.stringify(claim.usage),
        claim.depositId ?? null,
        claim.status,
        claim.added,
        claim.reason ?? null,
      ],
      ...[claim.untilMs ?? null, claim.paymentId ?? null, claim.atMs],
    );
  }

  settle(id: string, atMs: number): void {
    this.sql.settle.run(atMs, id);
  }

  /** What went out for an agreement, and out of a deposit. */
  released(agreementId: string, depositId: string | undefined): Released {
    const ofAgreement = (this.sql.ofAgreement.all(agreementId) as ClaimRow[]).map(claimOf);
    const notes = new Map<string, Released['notes'][number]>();
    for (const { kind, activityId = '', amount, usage } of ofAgreement) {
      const before = notes.get(activityId)?.amount ?? '0';
      if (kind === 'debitNote' && new Amount(amount).gte(before))
        notes.set(activityId, { activityId, amount, usage });
    }
    return {
      fromDeposit: depositId === undefined ? [] : this.outOf(depositId),
      notes: [...notes.values()],
      isInvoiced: ofAgreement.some(({ kind }) => kind === 'invoice'),
    };
  }

  private outOf(depositId: string): Released['fromDeposit'] {
    return this.claims(depositId)
      .filter(({ status }) => status === 'released' || status === 'settled')
      .map(({ atMs, added }) => ({ atMs, amount: added }));
  }

  /** GLM that went out of a deposit. */
  spent(depositId: string): Amount {
    return sum(this.outOf(depositId).map(({ amount }) => amount));
  }

  shut(): void {
    this.database.pragma('wal_checkpoint(TRUNCATE)');
    this.database.close();
  }
}

function depositOf(row: DepositRow): BrokerDeposit {
  return {
    ...{
      id: row.id,
      requestor: row.requestor,
      funder: row.funder,
      platform: row.platform,
      amount: row.amount,
    },
    ...{ perHour: row.per_hour, total: row.total, ledgerSeq: row.ledger_seq, closed: row.closed === 1 },
    ...(row.refund_id === null ? {} : { refundId: row.refund_id }),
  };
}

function claimOf(row: ClaimRow): DecidedClaim {
  return {
    ...{ id: row.id, kind: row.kind, issuer: row.issuer, agreementId: row.agreement_id },
    ...(row.activity_id === null ? {} : { activityId: row.activity_id }),
    ...{ amount: row.amount, usage: JSON.parse(row.usage) as number[] },
    ...(row.deposit_id === null ? {} : { depositId: row.deposit_id }),
    ...{ status: row.status, added: row.added, atMs: row.at_ms },
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.until_ms === null ? {} : { untilMs: row.until_ms }),
    ...(row.payment_id === null ? {} : { paymentId: row.payment_id }),
  };
}
