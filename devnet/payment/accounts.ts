/** The requestors' accounts: what each holds on a payment platform. There is one from its first allocation on. */
import type { Database } from '../contract';
import { Amount } from './amounts';

/** What an account holds at first, GLM. */
const INITIAL_BALANCE = '1000';

export class Accounts {
  private readonly sql;

  constructor(database: Database) {
    this.sql = {
      open: database.prepare("INSERT OR IGNORE INTO account (requestor, platform, paid) VALUES (?, ?, '0')"),
      list: database.prepare('SELECT platform FROM account WHERE requestor = ? ORDER BY platform'),
      paid: database.prepare('SELECT paid FROM account WHERE requestor = ? AND platform = ?'),
      setPaid: database.prepare('UPDATE account SET paid = ? WHERE requestor = ? AND platform = ?'),
    };
  }

  open(requestor: string, platform: string): void {
    this.sql.open.run(requestor, platform);
  }

  platforms(requestor: string): string[] {
    return (this.sql.list.all(requestor) as { platform: string }[]).map((row) => row.platform);
  }

  balance(requestor: string, platform: string): Amount {
    return new Amount(INITIAL_BALANCE).minus(this.paid(requestor, platform));
  }

  pay(requestor: string, platform: string, amount: Amount): void {
    this.open(requestor, platform);
    this.sql.setPaid.run(this.paid(requestor, platform).plus(amount).toFixed(), requestor, platform);
  }

  private paid(requestor: string, platform: string): Amount {
    const row = this.sql.paid.get(requestor, platform) as { paid: string } | undefined;
    return new Amount(row?.paid ?? 0);
  }
}
