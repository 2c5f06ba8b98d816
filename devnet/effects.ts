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
  /** Woken by effects that are written for good, once for all of one moment. */
  readonly stream = new Stream();
  private readonly insert;
  private readonly select;
  private waking = false;

  constructor(database: Database) {
    this.insert = database.prepare('INSERT INTO effect (at, kind, body) VALUES (?, ?, ?)');
    this.select = database.prepare(
      `SELECT seq, at, kind, body FROM effect WHERE seq > ?1
       AND (?2 = '[]' OR kind IN (SELECT value FROM json_each(?2))) ORDER BY seq`,
    );
  }

  /** Part of the transaction under way, so that there is an effect of just what has happened. */
  record(kind: string, fields: Record<string, unknown>): void {
    this.insert.run(formatNanos(nowNanos()), kind, JSON.stringify(fields));
    if (this.waking || this.stream.idle) return;
    this.waking = true;
    queueMicrotask(() => {
      this.waking = false;
      this.stream.wake();
    });
  }

  /** Effects after `seq`, of these kinds (all when none is named). */
  after(seq: number, kinds: readonly string[]): Effect[] {
    const rows = this.select.all(seq, JSON.stringify(kinds)) as Pick<
      Effect,
      'seq' | 'at' | 'kind' | 'body'
    >[];
    return rows.map(({ seq, at, kind, body }) => ({
      ...{ seq, at, kind },
      ...(JSON.parse(String(body)) as object),
    }));
  }
}
