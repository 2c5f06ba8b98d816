/**
 * The ordered record of what happened on the network, for tests. What kinds of effects there are is in effect-kinds.ts.
 */
import { setMaxListeners } from 'node:events';
import type { Database, EffectLog } from './contract';
import { presentCause } from './cause';
import { formatNanos, nowNanos } from './clock';
import { checkKinds, type EffectFields, type EffectKind } from './effect-kinds';
import { Stream } from './server/long-poll';

/** One of all kinds, unless told which: `kind` says which fields it has. */
export type Effect<K extends EffectKind = EffectKind> = K extends EffectKind
  ? EffectOrigin & { kind: K } & EffectFields<K>
  : never;

export interface EffectOrigin {
  /** From 1, without gaps, over restarts too. */
  seq: number;
  at: string;
  /** What it goes back to: a call (`createAgreement at node requestor`), `provider <name>`, or a timer (`expiry`). */
  cause: string;
}

interface EffectRow {
  seq: number;
  at: string;
  kind: string;
  body: string;
}

export class Effects implements EffectLog {
  /** Woken by effects that are written for good, once for all of one moment. */
  readonly stream = new Stream();
  private readonly insert;
  private readonly select;
  private readonly first;
  private readonly last;
  private readonly count;
  private readonly closing = new AbortController();

  constructor(database: Database) {
    // One for each that waits for an effect.
    setMaxListeners(0, this.closing.signal);
    this.insert = database.prepare('INSERT INTO effect (at, kind, body) VALUES (?, ?, ?)');
    this.select = database.prepare(
      `SELECT seq, at, kind, body FROM effect WHERE seq > ?1
       AND (?2 = '[]' OR kind IN (SELECT value FROM json_each(?2))) ORDER BY seq`,
    );
    this.first = database.prepare(
      'SELECT seq, at, kind, body FROM effect WHERE seq > ? AND kind = ? ORDER BY seq LIMIT 1',
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
  record<K extends EffectKind>(kind: K, fields: EffectFields<K>): void {
    const body = JSON.stringify({ cause: presentCause(), ...fields });
    this.insert.run(formatNanos(nowNanos()), kind, body);
    this.stream.wakeSoon();
  }

  /** Number of the newest effect, 0 when there is none. */
  lastSeq(): number {
    return (this.last.get() as { seq: number | null }).seq ?? 0;
  }

  /**
   * All effects that are remembered, or those after `seq`, of these kinds (all when none is named).
   * @throws UnknownEffectKind
   */
  all<K extends EffectKind = EffectKind>(after = 0, kinds: readonly K[] = []): Effect<K>[] {
    checkKinds(kinds);
    const rows = this.select.all(after, JSON.stringify(kinds)) as EffectRow[];
    return rows.map((row) => read<K>(row));
  }

  /** Reads those after `seq` that are not read yet, of these kinds, again and again. @throws UnknownEffectKind */
  reader(after: number, kinds: readonly string[]): () => Effect[] {
    checkKinds(kinds);
    let seen = after;
    return () => {
      const last = this.lastSeq();
      const found = last > seen ? this.all(seen, kinds) : [];
      seen = Math.max(seen, last);
      return found;
    };
  }

  /**
   * The first effect of a kind after `after` (by default: from now on), at the moment when it happens.
   * @throws UnknownEffectKind; the signal's reason, or an Error once the devnet is closed
   */
  next<K extends EffectKind>(
    kind: K,
    after = this.lastSeq(),
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Effect<K>> {
    checkKinds([kind]);
    const found = new Promise<Effect<K>>((resolve, reject) => {
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
        const last = this.lastSeq();
        const row = this.first.get(seen, kind) as EffectRow | undefined;
        seen = Math.max(seen, last);
        if (!row) return;
        stop();
        resolve(read<K>(row));
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

function read<K extends EffectKind>({ seq, at, kind, body }: EffectRow): Effect<K> {
  return { seq, at, kind, ...(JSON.parse(body) as object) } as Effect<K>; // as record() wrote it
}
