/**
 * The contract that holds deposits, simulated. A funder locks money in it for a requestor to spend; an allocation made
 * with the deposit pays out of it; what is left when that allocation is released and paid goes back to the funder, who
 * can terminate one that was never used once it is not valid any more.
 */
import { formatNanos, nowNanos } from '../clock';
import type { Database } from '../contract';
import type { Effects } from '../effects';
import { Amount } from './amounts';
import { atomically } from '../database';
import type { Wallets } from './wallets';

/** About ten years: until when a deposit without a `validTo` is valid. */
const DEFAULT_LIFE_NANOS = 3650n * 86_400n * 1_000_000_000n;

export interface NewDeposit {
  /** A number of up to 256 bits in hex, with `0x` or without. */
  id: string;
  /** Address of the contract. */
  contract: string;
  /** Whose wallet the money comes from. */
  funder: string;
  /** GLM. */
  amount: string;
  platform: string;
  /** The requestor that may spend it. Default: any. */
  spender?: string;
  /** Nanoseconds since the epoch. Default: ten years from now. */
  validToNanos?: bigint;
}

export interface Deposit {
  key: string;
  id: string;
  contract: string;
  funder: string;
  spender?: string;
  platform: string;
  /** What was deposited, GLM. */
  amount: string;
  /** What was paid out of it, GLM. */
  spent: string;
  validTo: string;
  validToNanos: bigint;
  /** That it was used for, if it was. */
  allocationId?: string;
  closed: boolean;
}

interface DepositRow {
  key: string;
  id: string;
  contract: string;
  funder: string;
  spender: string | null;
  platform: string;
  amount: string;
  spent: string;
  valid_to_ns: string;
  allocation_id: string | null;
  closed: number;
}

export class DepositExists extends Error {}
/** The funder's money has to stay where it is. */
export class DepositHeld extends Error {}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS deposit (
  key TEXT PRIMARY KEY, id TEXT NOT NULL, contract TEXT NOT NULL, funder TEXT NOT NULL, spender TEXT,
  platform TEXT NOT NULL, amount TEXT NOT NULL, spent TEXT NOT NULL DEFAULT '0', valid_to_ns TEXT NOT NULL,
  allocation_id TEXT, closed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS deposit_by_allocation ON deposit (allocation_id) WHERE allocation_id IS NOT NULL;
`;

export class Deposits {
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly wallets: Wallets,
    private readonly effects: Effects,
  ) {
    database.exec(SCHEMA);
    this.sql = {
      insert: database.prepare(
        `INSERT INTO deposit (key, id, contract, funder, spender, platform, amount, valid_to_ns)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      get: database.prepare('SELECT * FROM deposit WHERE key = ?'),
      list: database.prepare('SELECT * FROM deposit ORDER BY key'),
      used: database.prepare('SELECT * FROM deposit WHERE closed = 0 AND allocation_id IS NOT NULL'),
      use: database.prepare('UPDATE deposit SET allocation_id = ? WHERE key = ?'),
      spend: database.prepare('UPDATE deposit SET spent = ? WHERE key = ?'),
      close: database.prepare('UPDATE deposit SET closed = 1 WHERE key = ?'),
    };
  }

  /**
   * Moves the money from the funder's wallet into the contract.
   * @throws DepositExists when the contract has a deposit of that id
   * @throws InsufficientBalance when the funder holds too little
   */
  create(wanted: NewDeposit): Deposit {
    const { id, platform, amount } = wanted;
    const [contract, funder] = [wanted.contract.toLowerCase(), wanted.funder.toLowerCase()];
    const key = depositKey(platform, contract, id);
    if (this.find(key)) throw new DepositExists(`contract ${contract} has a deposit ${id} already`);
    const validTo = wanted.validToNanos ?? BigInt(Date.now()) * 1_000_000n + DEFAULT_LIFE_NANOS;
    const spender = wanted.spender?.toLowerCase() ?? null;
    atomically(this.database, () => {
      this.sql.insert.run(key, id, contract, funder, spender, platform, amount, String(validTo));
      this.wallets.move({ kind: 'deposit', platform, from: funder, to: contract, amount, depositId: id });
      this.effects.record('deposit-created', { depositId: id, contract, funder, amount, platform });
    });
    return this.find(key) as Deposit; // just made
  }

  find(key: string): Deposit | undefined {
    const row = this.sql.get.get(key) as DepositRow | undefined;
    return row && fromRow(row);
  }

  list(): Deposit[] {
    return (this.sql.list.all() as DepositRow[]).map(fromRow);
  }

  /** It belongs to an allocation from now on, and to no other ever. */
  use(key: string, allocationId: string): void {
    this.sql.use.run(allocationId, key);
  }

  /** Counts what was paid out of it. */
  spend(key: string, amount: Amount): void {
    this.sql.spend.run(amount.plus(this.find(key)?.spent ?? 0).toFixed(), key);
  }

  /** Gives back what is left in the deposits that are done with. */
  closeFinished(isDone: (deposit: Deposit) => boolean): void {
    for (const deposit of (this.sql.used.all() as DepositRow[]).map(fromRow)) {
      if (!isDone(deposit)) continue;
      const left = new Amount(deposit.amount).minus(deposit.spent);
      if (left.lte(this.wallets.balance(deposit.contract, deposit.platform))) this.close(deposit);
    }
  }

  /**
   * The funder takes back a deposit that nobody has used, as `terminateDeposit` of the real contract lets it.
   * @throws DepositHeld while it is valid, when it is used by an allocation, and when it is closed
   * @throws InsufficientBalance when the contract holds too little, for a transfer has taken it
   */
  terminate(deposit: Deposit): Deposit {
    const { key, id, closed, allocationId, validTo, validToNanos } = deposit;
    if (closed) throw new DepositHeld(`deposit ${id} is closed already`);
    if (allocationId !== undefined) {
      const reason = `allocation ${allocationId} uses it, and once that is released and paid, what is left comes back`;
      throw new DepositHeld(`deposit ${id} cannot be terminated: ${reason}`);
    }
    if (nowNanos() <= validToNanos) throw new DepositHeld(`deposit ${id} is valid until ${validTo}`);
    this.close(deposit);
    return this.find(key) as Deposit; // closed, not removed
  }

  private close({ key, id, contract, funder, platform, amount, spent }: Deposit): void {
    const left = new Amount(amount).minus(spent);
    atomically(this.database, () => {
      this.sql.close.run(key);
      const back = { platform, from: contract, to: funder, amount: left.toFixed(), depositId: id };
      if (left.gt(0)) this.wallets.move({ kind: 'deposit-closed', ...back });
      this.effects.record('deposit-closed', { depositId: id, contract, funder, left: left.toFixed() });
    });
  }
}

/** Names one deposit of one contract, however its id is written. @throws Error when that is no {@link DEPOSIT_ID} */
export function depositKey(platform: string, contract: string, id: string): string {
  if (!DEPOSIT_ID.test(id)) throw new Error(`"${id}" is no id of a deposit`);
  return `${platform} ${contract.toLowerCase()} ${BigInt(`0x${id.replace(/^0x/, '')}`)}`;
}

/** A number of up to 256 bits in hex. */
export const DEPOSIT_ID = /^(0x)?[0-9a-fA-F]{1,64}$/;

function fromRow(row: DepositRow): Deposit {
  return {
    ...{ key: row.key, id: row.id, contract: row.contract, funder: row.funder },
    ...(row.spender === null ? {} : { spender: row.spender }),
    ...{ platform: row.platform, amount: row.amount, spent: row.spent },
    validTo: formatNanos(BigInt(row.valid_to_ns)),
    validToNanos: BigInt(row.valid_to_ns),
    ...(row.allocation_id === null ? {} : { allocationId: row.allocation_id }),
    closed: row.closed === 1,
  };
}
