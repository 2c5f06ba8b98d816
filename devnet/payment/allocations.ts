/** Allocations: budgets that a requestor reserves, spends from and releases. */
import { documentId, formatNanos, nowNanos } from '../clock';
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import { failure, problem } from '../server/errors';
import type { JsonObject } from '../server/input';
import type { Timer, Timers } from '../timers';
import type { Accounts } from './accounts';
import { Amount, computed, sum, ZERO } from './amounts';

/** About ten years: what an allocation without a timeout gets. */
const DEFAULT_LIFE_NANOS = 3650n * 86_400n * 1_000_000_000n;
const TYPE = '/payment-api/v1/allocations';

export interface Allocation {
  id: string;
  requestor: string;
  platform: string;
  /** As sent by the requestor. */
  total: string;
  spent: Amount;
  created: string;
  timeout: string;
  timeoutMs: number;
  makeDeposit: boolean;
  deposit: unknown;
  released: boolean;
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
  released: number;
}

export interface NewAllocation {
  total: string;
  platform: string;
  timeoutNanos: bigint | undefined;
  makeDeposit: boolean;
  deposit: unknown;
}

export class Allocations {
  private readonly expiry = new Map<string, Timer | undefined>();
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly accounts: Accounts,
    private readonly effects: Effects,
    private readonly timers: Timers,
  ) {
    this.sql = {
      insert: database.prepare(
        `INSERT INTO allocation (id, requestor, platform, total, spent, created, timeout, timeout_ms, make_deposit,
         deposit) VALUES (?, ?, ?, ?, '0', ?, ?, ?, ?, ?)`,
      ),
      get: database.prepare('SELECT * FROM allocation WHERE id = ?'),
      live: database.prepare('SELECT * FROM allocation WHERE released = 0 ORDER BY seq'),
      amounts: database.prepare(
        'SELECT total, spent FROM allocation WHERE released = 0 AND requestor = ? AND platform = ?',
      ),
      liveOf: database.prepare('SELECT * FROM allocation WHERE released = 0 AND requestor = ? ORDER BY seq'),
      amend: database.prepare('UPDATE allocation SET total = ?, timeout = ?, timeout_ms = ? WHERE id = ?'),
      release: database.prepare('UPDATE allocation SET released = 1, released_ms = ? WHERE id = ?'),
      spend: database.prepare('UPDATE allocation SET spent = ? WHERE id = ?'),
      expenditures: database.prepare('SELECT * FROM expenditure WHERE allocation_id = ?'),
      expenditure: database.prepare(
        'SELECT accepted FROM expenditure WHERE allocation_id = ? AND agreement_id = ? AND activity_id = ?',
      ),
      setExpenditure: database.prepare('INSERT OR REPLACE INTO expenditure VALUES (?, ?, ?, ?)'),
    };
    for (const allocation of this.live()) this.watchExpiry(allocation);
  }

  create(requestor: string, wanted: NewAllocation, requestBody: JsonObject): Allocation {
    const now = nowNanos();
    const { platform, timeoutNanos } = wanted;
    if (timeoutNanos !== undefined && timeoutNanos < now) {
      throw problem(400, {
        type: `${TYPE}/validation-error`,
        detail: 'Requested allocation timeout is in the past',
        instance: `${TYPE}/validation-error/timeout-passed`,
        address: requestor,
        paymentPlatform: platform,
        requestBody,
        requestedTimeout: formatNanos(timeoutNanos).replace('Z', '+00:00'),
      });
    }
    this.checkDeposit(requestor, wanted, requestBody);
    this.checkFunds(requestor, platform, new Amount(wanted.total), requestBody);
    const id = documentId();
    const timeout = timeoutNanos ?? now + DEFAULT_LIFE_NANOS;
    atomically(this.database, () => {
      this.accounts.open(requestor, platform);
      this.sql.insert.run(
        id,
        requestor,
        platform,
        plain(wanted.total),
        formatNanos(now),
        formatNanos(timeout),
        Number(timeout / 1_000_000n),
        wanted.makeDeposit ? 1 : 0,
        wanted.deposit === undefined || wanted.deposit === null ? null : JSON.stringify(wanted.deposit),
      );
      this.effects.record('allocation-created', { allocationId: id, amount: plain(wanted.total), platform });
    });
    const allocation = this.get(requestor, id);
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
    const more = total === undefined ? ZERO : new Amount(total).minus(allocation.total);
    if (more.gt(0)) this.checkFunds(requestor, allocation.platform, more, body);
    atomically(this.database, () => {
      this.sql.amend.run(
        total === undefined ? allocation.total : plain(total),
        timeoutNanos === undefined ? allocation.timeout : formatNanos(timeoutNanos),
        timeoutNanos === undefined ? allocation.timeoutMs : Number(timeoutNanos / 1_000_000n),
        id,
      );
      this.effects.record('allocation-amended', { allocationId: id });
    });
    const amended = this.get(requestor, id);
    this.watchExpiry(amended);
    return amended;
  }

  release(requestor: string, id: string): void {
    const allocation = this.find(id);
    if (!allocation || allocation.requestor !== requestor) throw failure(404, null);
    if (allocation.released) throw failure(410, `Allocation ${id} has been already released`);
    this.end(id, 'requestor');
  }

  /** Takes an accepted amount from an allocation. @throws 400 when it is gone or holds too little. */
  spend(requestor: string, id: string, amount: Amount, agreementId: string, activityId: string): void {
    const allocation = this.find(id);
    if (!allocation || allocation.released || allocation.requestor !== requestor) {
      throw failure(400, `Allocation ${id} not found`);
    }
    const remaining = new Amount(allocation.total).minus(allocation.spent);
    if (remaining.lt(amount)) {
      const held = allocation.spent.isZero() ? allocation.total : computed(remaining);
      throw failure(400, `Not enough funds. Allocated: ${held} Needed: ${computed(amount)}`);
    }
    if (amount.lte(0)) return;
    this.sql.spend.run(allocation.spent.plus(amount).toFixed(), id);
    const row = this.sql.expenditure.get(id, agreementId, activityId) as { accepted: string } | undefined;
    this.sql.setExpenditure.run(id, agreementId, activityId, computed(amount.plus(row?.accepted ?? 0)));
  }

  expenditures(id: string): object[] {
    const rows = this.sql.expenditures.all(id) as {
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

  /** There is no contract behind the devnet, so no deposit is ever found. */
  private checkDeposit(requestor: string, wanted: NewAllocation, requestBody: JsonObject): void {
    if (wanted.deposit === undefined || wanted.deposit === null) return;
    const { id, contract } = wanted.deposit as { id?: unknown; contract?: unknown };
    const common = { type: `${TYPE}/validation-error`, requestBody };
    if (!/^0x[0-9a-fA-F]{40}$/.test(String(contract))) {
      throw problem(400, {
        ...common,
        detail: 'Invalid deposit contract address',
        instance: `${TYPE}/validation-error/malformed-deposit-contract`,
        address: requestor,
        paymentPlatform: wanted.platform,
      });
    }
    throw problem(400, {
      ...common,
      detail: `Deposit doesn't exist under the given id ${String(id)}`,
      instance: `${TYPE}/validation-error/no-deposit`,
      address: requestor,
      paymentPlatform: wanted.platform,
      requestedDepositId: id,
    });
  }

  private checkFunds(requestor: string, platform: string, wanted: Amount, requestBody: JsonObject): void {
    const reserved = this.reserved(requestor, platform);
    const available = this.accounts.balance(requestor, platform).minus(reserved);
    if (wanted.lte(available)) return;
    throw problem(400, {
      type: `${TYPE}/validation-error`,
      detail:
        'Insufficient funds to create the allocation. Top up your account or release all existing allocations ' +
        'to unlock the funds via `yagna payment release-allocations`',
      instance: `${TYPE}/validation-error/insufficient-account-funds`,
      address: requestor,
      availableFunds: available.toFixed(),
      paymentPlatform: platform,
      requestBody,
      requestedFunds: wanted.toFixed(),
      reservedFunds: reserved.toFixed(),
    });
  }

  private reserved(requestor: string, platform: string): Amount {
    const live = this.sql.amounts.all(requestor, platform) as Pick<AllocationRow, 'total' | 'spent'>[];
    const spent = live.filter((row) => row.spent !== '0').map((row) => row.spent);
    return sum(live.map((row) => row.total)).minus(sum(spent));
  }

  private watchExpiry(allocation: Allocation): void {
    this.timers.cancel(this.expiry.get(allocation.id));
    const timer = this.timers.after(allocation.timeoutMs - Date.now(), () =>
      this.end(allocation.id, 'timeout'),
    );
    this.expiry.set(allocation.id, timer);
  }

  private end(id: string, by: 'requestor' | 'timeout'): void {
    this.timers.cancel(this.expiry.get(id));
    this.expiry.delete(id);
    atomically(this.database, () => {
      this.sql.release.run(Date.now(), id);
      this.effects.record('allocation-released', { allocationId: id, by });
    });
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
    deposit: row.deposit === null ? undefined : (JSON.parse(row.deposit) as unknown),
    released: row.released === 1,
  };
}

/** An amount as the requestor wrote it, without exponent. */
function plain(amount: string): string {
  return /e/i.test(amount) ? new Amount(amount).toFixed() : amount.replace(/^\+/, '');
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
