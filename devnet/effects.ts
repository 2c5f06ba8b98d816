/**
 * The ordered record of what happened on the network, for tests. Kinds: allocation-created, -amended, -released;
 * demand-created, -removed; proposal-countered; agreement-created, -confirmed, -approved, -rejected, -cancelled,
 * -terminated; activity-created, -destroyed; script-started, -finished; debit-note-issued, -accepted;
 * invoice-issued, -accepted, -rejected, -settled; paid.
 */
import type { Database, EffectLog } from './contract';
import { formatNanos, nowNanos } from './clock';
import { Stream } from './server/long-poll';

export interface Effect {
  /** From 1, without gaps, over restarts too. */
  seq: number;
  at: string;
  kind: string;
  [field: string]: unknown;
}

export class Effects implements EffectLog {
  readonly stream = new Stream();
  private readonly insert;
  private readonly select;
  private readonly count;

  constructor(database: Database) {
    this.insert = database.prepare('INSERT INTO effect (at, kind, body) VALUES (?, ?, ?)');
    this.select = database.prepare('SELECT seq, at, kind, body FROM effect WHERE seq > ? ORDER BY seq');
    this.count = database.prepare('SELECT kind, COUNT(*) AS number FROM effect GROUP BY kind');
  }

  /** How many there are of each kind. */
  counts(): Map<string, number> {
    const rows = this.count.all() as { kind: string; number: number }[];
    return new Map(rows.map(({ kind, number }) => [kind, number]));
  }

  record(kind: string, fields: Record<string, unknown>): void {
    this.insert.run(formatNanos(nowNanos()), kind, JSON.stringify(fields));
    this.stream.wake();
  }

  /** Effects after `seq`, of these kinds (all when none is named). */
  after(seq: number, kinds: readonly string[]): Effect[] {
    const rows = this.select.all(seq) as { seq: number; at: string; kind: string; body: string }[];
    return rows
      .filter((row) => kinds.length === 0 || kinds.includes(row.kind))
      .map((row) => ({ seq: row.seq, at: row.at, kind: row.kind, ...(JSON.parse(row.body) as object) }));
  }
}
