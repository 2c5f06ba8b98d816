/**
 * What each node holds, has reserved, accepted and paid on each platform, for the eye. Taken from sums that are kept:
 * allocations, payments and the ledger are forgotten some time after they are over.
 */
import type { Amount } from '../payment/amounts';
import type { Payables } from '../payment/payables';
import type { Payments } from '../payment/payments';
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
  payments: Payments;
  payables: Payables;
  reservations: Reservations;
}

/** @param nodeOf name of the node that has a requestor's identity */
export function nodeMoney(
  { wallets, payments, payables, reservations }: MoneySources,
  nodeOf: (requestor: string) => string,
): NodeMoney[] {
  const due = new Map<string, Amount>();
  for (const { requestor, platform, amount } of payables.bundles()) {
    const key = `${requestor} ${platform}`;
    due.set(key, amount.plus(due.get(key) ?? 0));
  }
  return wallets.accounts().map(({ owner, platform, balance }) => {
    const paid = payments.total(owner, platform);
    const accepted = paid.plus(due.get(`${owner} ${platform}`) ?? 0);
    const reserved = reservations.of(owner, platform);
    return {
      ...{ node: nodeOf(owner), platform, balance },
      ...{ reserved: reserved.toFixed(), accepted: accepted.toFixed(), paid: paid.toFixed() },
    };
  });
}
