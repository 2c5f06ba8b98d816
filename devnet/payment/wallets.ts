/**
 * Who holds how much on each payment platform. The whole supply is in the treasury at first and only ever moves from
 * one wallet to another: money is created nowhere. What an allocation reserves stays in the wallet until it is paid.
 */
import type { Database } from '../contract';
import { Amount, sum, ZERO } from './amounts';
import { atomically } from '../database';
import type { Ledger, LedgerEntry } from './ledger';
import { PLATFORMS } from './platforms';

/** Owner of what nobody was given yet. */
export const TREASURY = 'treasury';
/** All the money there is on each platform, GLM. */
export const SUPPLY = '1000000000';
/** What a requestor is given at its first allocation on a platform, GLM. */
export const DEFAULT_FUNDS = '1000';

export interface Wallet {
  /** A node id, the address of a contract or of anybody else, or `treasury`. */
  owner: string;
  platform: string;
  /** GLM, an exact decimal. */
  balance: string;
}

export class InsufficientBalance extends Error {}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS wallet (
  owner TEXT NOT NULL, platform TEXT NOT NULL, balance TEXT NOT NULL, opened INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (owner, platform)
) WITHOUT ROWID;
`;

export class Wallets {
  /** What a requestor is given at its first allocation, GLM. */
  fundsOf: (owner: string) => string = () => DEFAULT_FUNDS;
  /** Called when a wallet holds more than before. */
  onCredited: ((owner: string) => void) | undefined;
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly ledger: Ledger,
  ) {
    database.exec(SCHEMA);
    this.sql = {
      get: database.prepare('SELECT balance FROM wallet WHERE owner = ? AND platform = ?'),
      put: database.prepare(
        `INSERT INTO wallet (owner, platform, balance) VALUES (?, ?, ?)
         ON CONFLICT (owner, platform) DO UPDATE SET balance = excluded.balance`,
      ),
      list: database.prepare('SELECT owner, platform, balance FROM wallet ORDER BY platform, owner'),
      accounts: database.prepare(
        'SELECT owner, platform, balance FROM wallet WHERE opened = 1 ORDER BY platform, owner',
      ),
      open: database.prepare('UPDATE wallet SET opened = 1 WHERE owner = ? AND platform = ?'),
      isOpen: database.prepare('SELECT 1 FROM wallet WHERE owner = ? AND platform = ? AND opened = 1'),
      opened: database.prepare(
        'SELECT platform FROM wallet WHERE owner = ? AND opened = 1 ORDER BY platform',
      ),
    };
    const genesis = database.prepare(
      'INSERT OR IGNORE INTO wallet (owner, platform, balance) VALUES (?, ?, ?)',
    );
    for (const platform of PLATFORMS) genesis.run(TREASURY, platform, SUPPLY);
  }

  /** Makes a requestor's account ready for use, and funds it from the treasury, once. */
  open(owner: string, platform: string): void {
    if (this.sql.isOpen.get(owner, platform) !== undefined) return;
    atomically(this.database, () => {
      this.put(owner, platform, this.balance(owner, platform));
      this.sql.open.run(owner, platform);
      const funds = Amount.min(this.fundsOf(owner), this.balance(TREASURY, platform));
      if (funds.gt(0))
        this.move({ kind: 'funding', platform, from: TREASURY, to: owner, amount: funds.toFixed() });
    });
  }

  /** Platforms on which a requestor has an account. */
  platforms(owner: string): string[] {
    return (this.sql.opened.all(owner) as { platform: string }[]).map((row) => row.platform);
  }

  balance(owner: string, platform: string): Amount {
    const row = this.sql.get.get(owner, platform) as { balance: string } | undefined;
    return row ? new Amount(row.balance) : ZERO;
  }

  list(): Wallet[] {
    return this.sql.list.all() as Wallet[];
  }

  /** The accounts of requestors, from their first allocation on. */
  accounts(): Wallet[] {
    return this.sql.accounts.all() as Wallet[];
  }

  /** The sum of all wallets of a platform, always {@link SUPPLY}. */
  total(platform: string): string {
    const balances = this.list().filter((wallet) => wallet.platform === platform);
    return sum(balances.map((wallet) => wallet.balance)).toFixed();
  }

  /**
   * Moves money and enters that into the ledger.
   * @throws InsufficientBalance when `from` holds less than the amount; nothing has moved then
   */
  move(entry: Omit<LedgerEntry, 'seq' | 'at'>): void {
    const { platform, from, to, amount } = entry;
    atomically(this.database, () => {
      const left = this.balance(from, platform).minus(amount);
      if (left.lt(0) || new Amount(amount).lt(0))
        throw new InsufficientBalance(`${from} holds less than ${amount} on ${platform}`);
      this.put(from, platform, left);
      this.put(to, platform, this.balance(to, platform).plus(amount));
      this.ledger.add(entry);
    });
    this.onCredited?.(to);
  }

  private put(owner: string, platform: string, balance: Amount): void {
    this.sql.put.run(owner, platform, balance.toFixed());
  }
}
