/**
 * Forgets what has long been over, so that the database is bounded by what is open and by a time, not by how long the
 * devnet has run: ended agreements for which nothing is owed, with all that belongs to them, released allocations,
 * closed deposits, movements of money, empty wallets, old effects. What is open is never touched, nor are balances.
 */
import type { Database } from './contract';
import { atomically } from './database';
import { TREASURY } from './payment/wallets';
import type { Timers } from './timers';

/** Rows of the leading table that one transaction deletes: a few milliseconds' work. */
const BATCH = 100;
const LONGEST_PAUSE_SEC = 600;
const SHORTEST_PAUSE_SEC = 0.1;

/**
 * Ended before ?1 (milliseconds), with nothing to be paid, no invoice to be decided and no event since ?2 (microseconds).
 * Debit notes that were never accepted are owed by nobody once their provider is done with the agreement.
 */
const OVER = `
SELECT id FROM agreement a
WHERE state <> 'Approved' AND COALESCE(ended_ms, valid_to_ms) < ?1
  AND (state <> 'Terminated' OR (
    closed = 1
    AND NOT EXISTS (SELECT 1 FROM invoice i WHERE i.agreement_id = a.id
      AND (i.status = 'ACCEPTED' OR (i.status = 'RECEIVED' AND i.amount <> '0')))
    AND NOT EXISTS (SELECT 1 FROM payable p WHERE p.agreement_id = a.id)
    AND NOT EXISTS (SELECT 1 FROM billed_activity b WHERE b.agreement_id = a.id AND b.accepted <> b.paid)
    AND NOT EXISTS (SELECT 1 FROM document_event e WHERE e.agreement_id = a.id AND e.at >= ?2)))
ORDER BY COALESCE(ended_ms, valid_to_ms) LIMIT ${BATCH}`;

/** What goes with an agreement, what refers to others first. */
const WITH_AGREEMENT = [
  `DELETE FROM vm_result WHERE script_id IN (SELECT s.id FROM vm_script s JOIN vm_activity v ON v.id = s.activity_id
   WHERE v.agreement_id = ?)`,
  'DELETE FROM vm_script WHERE activity_id IN (SELECT id FROM vm_activity WHERE agreement_id = ?)',
  ...[
    ...['vm_activity', 'billed_activity', 'debit_note', 'invoice', 'document_event', 'agreement_event'],
    'broker_claim',
    ...['payment_part', 'expenditure'],
  ].map((table) => `DELETE FROM ${table} WHERE agreement_id = ?`),
  'DELETE FROM agreement WHERE id = ?',
];

export class Retention {
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly timers: Timers,
    private readonly retentionSec: number,
  ) {
    this.sql = {
      agreements: database.prepare(OVER),
      withAgreement: WITH_AGREEMENT.map((sql) => database.prepare(sql)),
      allocations: database.prepare(
        // One whose deposit is not closed has something to give back.
        `SELECT id FROM allocation WHERE released = 1 AND COALESCE(released_ms, timeout_ms) < ?
         AND NOT EXISTS (SELECT 1 FROM deposit d WHERE d.allocation_id = allocation.id AND d.closed = 0)
         LIMIT ${BATCH}`,
      ),
      expenditure: database.prepare('DELETE FROM expenditure WHERE allocation_id = ?'),
      allocation: database.prepare('DELETE FROM allocation WHERE id = ?'),
      // A payment goes with the last agreement that it was for.
      payments: database.prepare(
        `DELETE FROM payment WHERE seq IN (SELECT seq FROM payment p WHERE at < ? AND NOT EXISTS
         (SELECT 1 FROM payment_part x WHERE x.payment_id = p.id) LIMIT ${BATCH})`,
      ),
      deposits: database.prepare('DELETE FROM deposit WHERE closed = 1 AND COALESCE(closed_ms, 0) < ?'),
      wallets: database.prepare(
        `DELETE FROM wallet WHERE balance = '0' AND opened = 0 AND owner <> '${TREASURY}'`,
      ),
      // The newest stays, so that no number is given twice.
      numbered: ['effect', 'ledger'].map((table) =>
        database.prepare(
          `DELETE FROM ${table} WHERE seq <= (SELECT MAX(seq) FROM
           (SELECT seq, at FROM ${table} ORDER BY seq LIMIT ${BATCH}) WHERE at < ?)
           AND seq < (SELECT MAX(seq) FROM ${table})`,
        ),
      ),
    };
  }

  /** Sweeps now and from time to time. */
  start(): void {
    this.sweepFrom(false);
  }

  /** One batch a turn of the event loop, until nothing is left to forget. */
  private sweepFrom(hasDeleted: boolean): void {
    if (this.sweep()) {
      this.timers.after(0, () => this.sweepFrom(true));
      return;
    }
    if (hasDeleted) this.shrink();
    const pauseSec = Math.min(LONGEST_PAUSE_SEC, Math.max(SHORTEST_PAUSE_SEC, this.retentionSec / 4));
    this.timers.after(pauseSec * 1000, () => this.sweepFrom(false));
  }

  /** @returns whether it has deleted something. */
  private sweep(): boolean {
    const { sql } = this;
    const beforeMs = Math.max(0, Math.floor(Date.now() - this.retentionSec * 1000));
    const before = new Date(beforeMs).toISOString().slice(0, -1);
    return atomically(this.database, () => {
      const agreements = sql.agreements.all(beforeMs, beforeMs * 1000) as { id: string }[];
      for (const { id } of agreements) for (const remove of sql.withAgreement) remove.run(id);
      const allocations = sql.allocations.all(beforeMs) as { id: string }[];
      for (const { id } of allocations) {
        sql.expenditure.run(id);
        sql.allocation.run(id);
      }
      const { changes: payments } = sql.payments.run(beforeMs * 1000);
      const { changes: deposits } = sql.deposits.run(beforeMs);
      const { changes: wallets } = sql.wallets.run();
      const numbered = sql.numbered.map((remove) => remove.run(before).changes);
      return (
        agreements.length + allocations.length + payments + deposits + wallets + Math.max(...numbered) > 0
      );
    });
  }

  /** Gives the space back. */
  private shrink(): void {
    this.database.exec('PRAGMA incremental_vacuum');
    this.database.pragma('wal_checkpoint(TRUNCATE)');
  }
}
