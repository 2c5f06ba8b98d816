/** What each node has reserved, accepted and paid on each platform, for the eye: the payment side keeps the books. */
import type { Database } from '../contract';
import { type Amount, ZERO } from '../payment/amounts';

export interface NodeMoney {
  node: string;
  platform: string;
  /** In live allocations and not spent, GLM. */
  reserved: string;
  /** Taken from allocations by accepting notes and invoices. */
  accepted: string;
  paid: string;
}

interface Sums {
  reserved: Amount;
  accepted: Amount;
  paid: Amount;
}

export class MoneyTotals {
  private readonly allocations;
  private readonly payments;
  /** Payments are only added, and there may be many: each is read once. */
  private readonly paid = new Map<string, Amount>();
  private lastPayment = 0;

  constructor(database: Database) {
    this.allocations = database.prepare('SELECT requestor, platform, total, spent, released FROM allocation');
    this.payments = database.prepare('SELECT seq, requestor, body FROM payment WHERE seq > ? ORDER BY seq');
  }

  /** @param nodeOf name of the node that has a requestor's identity */
  now(nodeOf: (requestor: string) => string): NodeMoney[] {
    const sums = new Map<string, Sums>();
    const sumsOf = (key: string): Sums => {
      const found = sums.get(key) ?? { reserved: ZERO, accepted: ZERO, paid: ZERO };
      sums.set(key, found);
      return found;
    };
    for (const row of this.allocations.all() as AllocationRow[]) {
      const of = sumsOf(`${row.requestor} ${row.platform}`);
      of.accepted = of.accepted.plus(row.spent);
      if (row.released === 0) of.reserved = of.reserved.plus(row.total).minus(row.spent);
    }
    this.readPayments();
    for (const [key, paid] of this.paid) sumsOf(key).paid = paid;
    return [...sums].map(([key, { reserved, accepted, paid }]) => {
      const [requestor = '', platform = ''] = key.split(' ');
      const amounts = { reserved: reserved.toFixed(), accepted: accepted.toFixed(), paid: paid.toFixed() };
      return { node: nodeOf(requestor), platform, ...amounts };
    });
  }

  private readPayments(): void {
    for (const { seq, requestor, body } of this.payments.all(this.lastPayment) as PaymentRow[]) {
      const { paymentPlatform, amount } = JSON.parse(body) as { paymentPlatform: string; amount: string };
      const key = `${requestor} ${paymentPlatform}`;
      this.paid.set(key, (this.paid.get(key) ?? ZERO).plus(amount));
      this.lastPayment = seq;
    }
  }
}

interface AllocationRow {
  requestor: string;
  platform: string;
  total: string;
  spent: string;
  released: number;
}

interface PaymentRow {
  seq: number;
  requestor: string;
  body: string;
}
