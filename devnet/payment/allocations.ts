/** Allocations: budgets that a requestor reserves, spends from and releases. */
import { documentId, formatNanos, nowNanos } from '../clock';
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import { failure } from '../server/errors';
import type { JsonObject } from '../server/input';
import type { Timer, Timers } from '../timers';
import type { AllocationChecks } from './allocation-checks';
import type { WantedDeposit } from './allocation-request';
import { Amount, computed, ZERO } from './amounts';
import type { Deposits } from './deposits';
import { heldBy, type Reservations } from './reservations';
import type { Wallets } from './wallets';

/** About ten years: what an allocation without a timeout gets. */
const DEFAULT_LIFE_NANOS = 3650n * 86_400n * 1_000_000_000n;
const SELECT =
  'SELECT a.*, d.key AS deposit_key FROM allocation a LEFT JOIN deposit d ON d.allocation_id = a.id';

export interface Allocation {
  id: string;
  requestor: string;
  platform: string;
  /** As sent by the requestor, but without exponent. */
  total: string;
  spent: Amount;
  created: string;
  timeout: string;
  timeoutMs: number;
  makeDeposit: boolean;
  /** The deposit that it pays from, as sent by the requestor. */
  deposit: object | undefined;
  /** Key of that deposit. */
  depositKey: string | undefined;
  released: boolean;
}

/** What allocations rest on. */
export interface AllocationParts {
  database: Database;
  wallets: Wallets;
  deposits: Deposits;
  checks: AllocationChecks;
  reservations: Reservations;
  effects: Effects;
  timers: Timers;
}

interface AllocationRow {
  id: string;
  requestor: string;
  platform: string;
  total: string;
  spent: string;
  created: string;
  timeout: string;
  timeout_ms: number;
  make_deposit: number;
  deposit: string | null;
  deposit_key: string | null;
  released: number;
}

export interface NewAllocation {
  total: string;
  platform: string;
  timeoutNanos: bigint | undefined;
  makeDeposit: boolean;
  deposit: WantedDeposit | undefined;
}

export class Allocations {
  /** Called when an allocation that pays from a deposit is over. */
  onDepositFreed: (() => void) | undefined;
  private readonly expiry = new Map<string, Timer | undefined>();
  private readonly sql;

  constructor(private readonly parts: AllocationParts) {
    const { database } = parts;
    this.sql = {
      insert: database.prepare(
        `INSERT INTO allocation (id, requestor, platform, total, spent, created, timeout, timeout_ms, make_deposit,
         deposit) VALUES (?, ?, ?, ?, '0', ?, ?, ?, ?, ?)`,
      ),
      get: database.prepare(`${SELECT} WHERE a.id = ?`),
      live: database.prepare(`${SELECT} WHERE a.released = 0 ORDER BY a.seq`),
      liveOf: database.prepare(`${SELECT} WHERE a.released = 0 AND a.requestor = ? ORDER BY a.seq`),
      amend: database.prepare(
        'UPDATE allocation SET total = ?, timeout = ?, timeout_ms = ?, deposit = ? WHERE id = ?',
      ),
      release: database.prepare('UPDATE allocation SET released = 1, released_ms = ? WHERE id = ?'),
      spend: database.prepare('UPDATE allocation SET spent = ? WHERE id = ?'),
      expenditures: database.prepare(
        `SELECT e.* FROM expenditure e JOIN allocation a ON a.id = e.allocation_id
         WHERE e.allocation_id = ? AND a.requestor = ?`,
      ),
      expenditure: database.prepare(
        'SELECT accepted FROM expenditure WHERE allocation_id = ? AND agreement_id = ? AND activity_id = ?',
      ),
      setExpenditure: database.prepare('INSERT OR REPLACE INTO expenditure VALUES (?, ?, ?, ?)'),
    };
    const live = this.live();
    atomically(database, () => parts.reservations.recount(live));
    for (const allocation of live) this.watchExpiry(allocation);
  }

  create(requestor: string, wanted: NewAllocation, requestBody: JsonObject): Allocation {
    const { wallets, checks, deposits, reservations, effects, database } = this.parts;
    const now = nowNanos();
    const { platform, timeoutNanos } = wanted;
    const asked = { requestor, platform, timeoutNanos, requestBody };
    wallets.open(requestor, platform);
    checks.timeout(asked);
    const isFromDeposit = wanted.deposit !== undefined;
    const depositKey = isFromDeposit
      ? checks.deposit({ ...asked, deposit: wanted.deposit, amount: new Amount(wanted.total) })
      : undefined;
    if (!isFromDeposit) checks.funds(asked, new Amount(wanted.total));
    const id = documentId();
    const timeout = timeoutNanos ?? now + DEFAULT_LIFE_NANOS;
    const allocation = atomically(database, () => {
      this.sql.insert.run(
        ...[id, requestor, platform, wanted.total, formatNanos(now), formatNanos(timeout)],
        Number(timeout / 1_000_000n),
        wanted.makeDeposit ? 1 : 0,
        isFromDeposit ? JSON.stringify(wanted.deposit) : null,
      );
      if (depositKey !== undefined) deposits.use(depositKey, id);
      effects.record('allocation-created', { allocationId: id, amount: wanted.total, platform });
      const made = this.get(requestor, id);
      reservations.add(made, heldBy(made));
      return made;
    });
    this.watchExpiry(allocation);
    return allocation;
  }

  /** A live allocation of this requestor. @throws 404 when it is released, expired or was never there. */
  get(requestor: string, id: string): Allocation {
    const allocation = this.find(id);
    if (!allocation || allocation.requestor !== requestor || allocation.released) throw failure(404, null);
    return allocation;
  }

  find(id: string): Allocation | undefined {
    const row = this.sql.get.get(id) as AllocationRow | undefined;
    return row && fromRow(row);
  }

  live(requestor?: string): Allocation[] {
    const rows = requestor === undefined ? this.sql.live.all() : this.sql.liveOf.all(requestor);
    return (rows as AllocationRow[]).map(fromRow);
  }

  amend(
    requestor: string,
    id: string,
    total: string | undefined,
    timeoutNanos: bigint | undefined,
    body: JsonObject,
  ): Allocation {
    const allocation = this.get(requestor, id);
    if (body['deposit'] && !allocation.deposit) {
      throw failure(400, 'Cannot update deposit of an allocation created without one');
    }
    if (total !== undefined && allocation.spent.gt(total)) {
      throw failure(400, 'New allocation would be smaller than the already spent amount');
    }
    if (timeoutNanos !== undefined && timeoutNanos < nowNanos()) {
      throw failure(400, 'New allocation timeout is in the past');
    }
    const deposit = this.checkAmended(allocation, total, timeoutNanos, body);
    const amended = atomically(this.parts.database, () => {
      this.sql.amend.run(
        total ?? allocation.total,
        timeoutNanos === undefined ? allocation.timeout : formatNanos(timeoutNanos),
        timeoutNanos === undefined ? allocation.timeoutMs : Number(timeoutNanos / 1_000_000n),
        deposit === undefined ? null : JSON.stringify(deposit),
        id,
      );
      this.parts.effects.record('allocation-amended', { allocationId: id });
      const changed = this.get(requestor, id);
      this.parts.reservations.add(changed, heldBy(changed).minus(heldBy(allocation)));
      return changed;
    });
    this.watchExpiry(amended);
    return amended;
  }

  /**
   * Whether an allocation may be changed like that.
   * @returns the deposit as it is from now on: its `validate` can be amended
   */
  private checkAmended(
    allocation: Allocation,
    total: string | undefined,
    timeoutNanos: bigint | undefined,
    requestBody: JsonObject,
  ): object | undefined {
    const { requestor, platform } = allocation;
    const more = total === undefined ? ZERO : new Amount(total).minus(allocation.total);
    const asked = { requestor, platform, timeoutNanos, requestBody };
    if (!allocation.deposit) {
      if (more.gt(0)) this.parts.checks.funds(asked, more);
      return undefined;
    }
    const { validate } = (requestBody['deposit'] ?? {}) as { validate?: unknown };
    const deposit = requestBody['deposit'] ? { ...allocation.deposit, validate } : allocation.deposit;
    const amount = Amount.max(0, more);
    timeoutNanos ??= BigInt(allocation.timeoutMs) * 1_000_000n;
    this.parts.checks.deposit({ ...asked, timeoutNanos, deposit, amount, allocation });
    return deposit;
  }

  release(requestor: string, id: string): void {
    const allocation = this.find(id);
    if (!allocation || allocation.requestor !== requestor) throw failure(404, null);
    if (allocation.released) throw failure(410, `Allocation ${id} has been already released`);
    this.end(allocation, 'requestor');
  }

  /** Takes an accepted amount from an allocation, in the transaction of the acceptance. @throws 400 when it is gone or holds too little. */
  spend(requestor: string, id: string, amount: Amount, agreementId: string, activityId: string): Allocation {
    const allocation = this.find(id);
    if (!allocation || allocation.released || allocation.requestor !== requestor) {
      throw failure(400, `Allocation ${id} not found`);
    }
    const remaining = heldBy(allocation);
    if (remaining.lt(amount)) {
      const held = allocation.spent.isZero() ? allocation.total : computed(remaining);
      throw failure(400, `Not enough funds. Allocated: ${held} Needed: ${computed(amount)}`);
    }
    if (amount.lte(0)) return allocation;
    this.sql.spend.run(allocation.spent.plus(amount).toFixed(), id);
    this.parts.reservations.add(allocation, amount.negated());
    const row = this.sql.expenditure.get(id, agreementId, activityId) as { accepted: string } | undefined;
    this.sql.setExpenditure.run(id, agreementId, activityId, computed(amount.plus(row?.accepted ?? 0)));
    return allocation;
  }

  /** What was taken from an allocation of this requestor, live or not; nothing when there is none of that id. */
  expenditures(requestor: string, id: string): object[] {
    const rows = this.sql.expenditures.all(id, requestor) as {
      agreement_id: string;
      activity_id: string;
      accepted: string;
    }[];
    return rows.map((row) => ({
      allocationId: id,
      agreementId: row.agreement_id,
      ...(row.activity_id === '' ? {} : { activityId: row.activity_id }),
      acceptedAmount: row.accepted,
      scheduledAmount: '0',
    }));
  }

  private watchExpiry(allocation: Allocation): void {
    const { timers } = this.parts;
    timers.cancel(this.expiry.get(allocation.id));
    const expire = (): void => this.end(allocation, 'timeout');
    const timer = timers.after(allocation.timeoutMs - Date.now(), expire, 'expiry');
    this.expiry.set(allocation.id, timer);
  }

  private end({ id, requestor, depositKey }: Allocation, by: 'requestor' | 'timeout'): void {
    this.parts.timers.cancel(this.expiry.get(id));
    this.expiry.delete(id);
    atomically(this.parts.database, () => {
      const ended = this.get(requestor, id);
      this.parts.reservations.add(ended, heldBy(ended).negated());
      this.sql.release.run(Date.now(), id);
      this.parts.effects.record('allocation-released', { allocationId: id, by });
    });
    if (depositKey !== undefined) this.onDepositFreed?.();
  }
}

function fromRow(row: AllocationRow): Allocation {
  return {
    id: row.id,
    requestor: row.requestor,
    platform: row.platform,
    total: row.total,
    spent: new Amount(row.spent),
    created: row.created,
    timeout: row.timeout,
    timeoutMs: row.timeout_ms,
    makeDeposit: row.make_deposit === 1,
    deposit: row.deposit === null ? undefined : (JSON.parse(row.deposit) as object),
    depositKey: row.deposit_key ?? undefined,
    released: row.released === 1,
  };
}

/** Totals stay as they were sent until something is spent; from then on all three carry 18 decimals. */
export function allocationView(allocation: Allocation): object {
  const { spent } = allocation;
  const total = new Amount(allocation.total);
  const fixed = (amount: Amount): string => amount.toFixed(18);
  return {
    allocationId: allocation.id,
    address: allocation.requestor,
    paymentPlatform: allocation.platform,
    totalAmount: spent.isZero() ? allocation.total : fixed(total),
    spentAmount: spent.isZero() ? '0' : fixed(spent),
    remainingAmount: spent.isZero() ? allocation.total : fixed(total.minus(spent)),
    timestamp: allocation.created,
    timeout: allocation.timeout,
    createdTs: allocation.created,
    updatedTs: allocation.created,
    makeDeposit: allocation.makeDeposit,
    ...(allocation.deposit === undefined ? {} : { deposit: allocation.deposit }),
  };
}
