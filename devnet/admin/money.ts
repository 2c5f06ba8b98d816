/**
 * What each node holds, has reserved, accepted and paid on each platform, for the eye. Added up from wallets, ledger
 * and what is still to be paid: allocations and payments are forgotten some time after they are over.
 */
import { type Amount, ZERO } from '../payment/amounts';
import type { Ledger } from '../payment/ledger';
import type { Payables } from '../payment/payables';
import type { Reservations } from '../payment/reservations';
import type { Wallets } from '../payment/wallets';

export interface NodeMoney {
  node: string;
  platform: string;
  /** In its wallet, GLM. */
  balance: string;
  /** Of that, in live allocations and not spent. */
  reserved: string;
  /** All that it ever accepted in notes and invoices, paid or not, out of deposits too. */
  accepted: string;
  /** Of that, paid. */
  paid: string;
}

export interface MoneySources {
  wallets: Wallets;
  ledger: Ledger;
  payables: Payables;
  reservations: Reservations;
}

export class MoneyTotals {
  /** The ledger only grows, and may be long: each entry is read once. */
  private readonly paid = new Map<string, Amount>();
  private lastEntry = 0;

  constructor(private readonly sources: MoneySources) {}

  /** @param nodeOf name of the node that has a requestor's identity */
  now(nodeOf: (requestor: string) => string): NodeMoney[] {
    const { wallets, payables, reservations } = this.sources;
    this.readLedger();
    const due = new Map<string, Amount>();
    for (const { requestor, platform, amount } of payables.bundles()) add(due, requestor, platform, amount);
    return wallets.accounts().map(({ owner, platform, balance }) => {
      const paid = this.paid.get(keyOf(owner, platform)) ?? ZERO;
      const accepted = paid.plus(due.get(keyOf(owner, platform)) ?? ZERO);
      const reserved = reservations.of(owner, platform);
      return {
        ...{ node: nodeOf(owner), platform, balance },
        ...{ reserved: reserved.toFixed(), accepted: accepted.toFixed(), paid: paid.toFixed() },
      };
    });
  }

  private readLedger(): void {
    for (const { seq, kind, platform, from, requestor, amount } of this.sources.ledger.after(
      this.lastEntry,
    )) {
      this.lastEntry = seq;
      if (kind === 'payment') add(this.paid, requestor ?? from, platform, amount);
    }
  }
}

function add(sums: Map<string, Amount>, owner: string, platform: string, amount: Amount | string): void {
  const key = keyOf(owner, platform);
  sums.set(key, (sums.get(key) ?? ZERO).plus(amount));
}

function keyOf(owner: string, platform: string): string {
  return `${owner} ${platform}`;
}
