/**
 * The ordered record of what happened on the network, for tests. Kinds: allocation-created, -amended, -released;
 * demand-created, -removed; proposal-countered; agreement-created, -confirmed, -approved, -rejected, -cancelled,
 * -terminated; activity-created, -destroyed; script-started, -finished; debit-note-issued, -accepted;
 * invoice-issued, -accepted, -rejected, -settled; paid, payment-short-of-funds; deposit-created, -closed; fault-armed,
 * -cleared; fault (one acts); link-cut, -restored; provider-shut-down, -reopened, -crashed, -revived, -frozen, -thawed;
 * node-started, -stopped.
 */
import { setMaxListeners } from 'node:events';
import type { Database, EffectLog } from './contract';
import { presentCause } from './cause';
import { formatNanos, nowNanos } from './clock';
import { Stream } from './server/long-poll';

export interface Effect {
  /** From 1, without gaps, over restarts too. */
  seq: number;
  at: string;
  kind: string;
  /** What it goes back to: a call (`createAgreement at node requestor`), `provider <name>`, or a timer (`expiry`). */
  cause: string;
  [field: string]: unknown;
}

export class Effects implements EffectLog {
  /** Woken by effects that are written for good, once for all of one moment. */
  readonly stream = new Stream();
  private readonly insert;
  private readonly select;
  private readonly last;
  private readonly closing = new AbortController();
  private readonly count;
  private waking = false;

  constructor(database: Database) {
    // One for each that waits for an effect.
    setMaxListeners(0, this.closing.signal);
    this.insert = database.prepare('INSERT INTO effect (at, kind, body) VALUES (?, ?, ?)');
    this.select = database.prepare(
      `SELECT seq, at, kind, body FROM effect WHERE seq > ?1
       AND (?2 = '[]' OR kind IN (SELECT value FROM json_each(?2))) ORDER BY seq`,
    );
    this.last = database.prepare('SELECT MAX(seq) AS seq FROM effect');
    this.count = database.prepare('SELECT kind, COUNT(*) AS number FROM effect GROUP BY kind');
  }

  /** How many are remembered of each kind. */
  counts(): Map<string, number> {
    const rows = this.count.all() as { kind: string; number: number }[];
    return new Map(rows.map(({ kind, number }) => [kind, number]));
  }

  /** Part of the transaction under way, so that there is an effect of just what has happened. */
  record(kind: string, fields: Record<string, unknown>): void {
    const body = JSON.stringify({ cause: presentCause(), ...fields });
    this.insert.run(formatNanos(nowNanos()), kind, body);
    if (this.waking || this.stream.idle) return;
    this.waking = true;
    queueMicrotask(() => {
      this.waking = false;
      this.stream.wake();
    });
  }

  /** Effects after `seq`, of these kinds (all when none is named). */
  after(seq: number, kinds: readonly string[]): Effect[] {
    const rows = this.select.all(seq, JSON.stringify(kinds)) as {
      seq: number;
      at: string;
      kind: string;
      body: string;
    }[];
    return rows.map(({ seq: number, at, kind, body }) => ({
      ...{ seq: number, at, kind },
      ...(JSON.parse(body) as { cause: string }),
    }));
  }

  /** Number of the newest effect, 0 when there is none. */
  lastSeq(): number {
    return (this.last.get() as { seq: number | null }).seq ?? 0;
  }

  /** All effects so far, or those after `seq`, of these kinds (all when none is named). */
  all(after = 0, kinds: readonly string[] = []): Effect[] {
    return this.after(after, kinds);
  }

  /**
   * The first effect of a kind after `after` (by default: from now on), at the moment when it happens.
   * @throws the signal's reason, or an Error once the devnet is closed
   */
  next(kind: string, after = this.lastSeq(), { signal }: { signal?: AbortSignal } = {}): Promise<Effect> {
    const found = new Promise<Effect>((resolve, reject) => {
      const end = signal ? AbortSignal.any([signal, this.closing.signal]) : this.closing.signal;
      const stop = (): void => {
        this.stream.remove(look);
        end.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        stop();
        reject(end.reason as Error);
      };
      let seen = after;
      const look = (): void => {
        const newer = this.after(seen, []);
        const effect = newer.find((each) => each.kind === kind);
        seen = newer.at(-1)?.seq ?? seen;
        if (!effect) return;
        stop();
        resolve(effect);
      };
      end.addEventListener('abort', abort);
      this.stream.add(look);
      if (end.aborted) abort();
      else look();
    });
    // One that is not awaited any more when the devnet closes is no failure of the process.
    found.catch(() => undefined);
    return found;
  }

  /** Nobody is told of anything any more. */
  close(): void {
    this.closing.abort(new Error('the devnet was closed'));
  }
}
