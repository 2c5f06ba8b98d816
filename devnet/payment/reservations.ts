/**
 * How much of each wallet its owner's live allocations hold: a running sum, so that a new allocation costs the same
 * however many there are. What an allocation takes from a deposit is not in it.
 */
import type { Database } from '../contract';
import { Amount, ZERO } from './amounts';

/** Of a live allocation. */
export interface Reserved {
  requestor: string;
  platform: string;
  total: string;
  spent: Amount;
  /** Key of the deposit that it pays from instead of the wallet. */
  depositKey: string | undefined;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS reservation (
  requestor TEXT NOT NULL, platform TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (requestor, platform)
) WITHOUT ROWID;
`;

export class Reservations {
  private readonly sql;

  constructor(database: Database) {
    database.exec(SCHEMA);
    this.sql = {
      get: database.prepare('SELECT amount FROM reservation WHERE requestor = ? AND platform = ?'),
      put: database.prepare('INSERT OR REPLACE INTO reservation VALUES (?, ?, ?)'),
      drop: database.prepare('DELETE FROM reservation WHERE requestor = ? AND platform = ?'),
      clear: database.prepare('DELETE FROM reservation'),
    };
  }

  /** Counts anew, from all live allocations. */
  recount(live: readonly Reserved[]): void {
    this.sql.clear.run();
    for (const allocation of live) this.add(allocation, heldBy(allocation));
  }

  /** An allocation holds so much more, or less. Part of the transaction in which it does. */
  add({ requestor, platform, depositKey }: Reserved, more: Amount): void {
    if (depositKey !== undefined || more.isZero()) return;
    const amount = this.of(requestor, platform).plus(more);
    if (amount.isZero()) this.sql.drop.run(requestor, platform);
    else this.sql.put.run(requestor, platform, amount.toFixed());
  }

  /** GLM of a requestor's wallet that its live allocations hold. */
  of(requestor: string, platform: string): Amount {
    const row = this.sql.get.get(requestor, platform) as { amount: string } | undefined;
    return row ? new Amount(row.amount) : ZERO;
  }
}

/** What is left in an allocation. */
export function heldBy({ total, spent }: Pick<Reserved, 'total' | 'spent'>): Amount {
  return new Amount(total).minus(spent);
}
