/**
 * The requestors' payment driver: some time after something was accepted it pays, one payment to each payee for all
 * that is due by then, and settles the documents that are covered. Between payments it holds no timer.
 */
import { createHash } from 'node:crypto';
import { documentId, formatMillis, nextEventNanos } from '../clock';
import type { Database } from '../contract';
import type { Effects } from '../effects';
import type { Timers } from '../timers';
import type { Acceptance } from './acceptance';
import type { Allocations } from './allocations';
import { computed, sum } from './amounts';
import { atomically } from '../database';
import type { Deposits } from './deposits';
import type { PaidDocument } from './ledger';
import type { Bundle, Payables } from './payables';
import type { Payments } from './payments';
import type { Settlement } from './settlement';
import type { Wallets } from './wallets';

export interface PayerParts {
  database: Database;
  acceptance: Acceptance;
  settlement: Settlement;
  allocations: Allocations;
  payables: Payables;
  payments: Payments;
  wallets: Wallets;
  deposits: Deposits;
  effects: Effects;
  timers: Timers;
  /** Seconds from an acceptance to the payment; 0: at once. */
  cycleSec: number;
}

/** When payments are made, milliseconds since the epoch. */
export interface PaymentCycle {
  intervalSec: number;
  /** The last round; before the first, the start of the devnet. */
  lastMs: number;
  /** The next round: the one that waits, or that of a document accepted now. */
  nextMs: number;
}

/** A payment that waits for money. */
export interface Shortage {
  requestor: string;
  platform: string;
  /** Whose wallet holds too little: the requestor's, or the contract of its deposit. */
  payer: string;
  /** GLM that are missing. */
  missing: string;
}

export class Payer {
  /** Whether a requestor's daemon is up: only then does it pay. */
  isUp: (requestor: string) => boolean = () => true;
  /** When the payments that are due are made. */
  private nextMs: number | undefined;
  private lastMs = Date.now();
  /** Payments that wait for money, by their bundles' keys. */
  private readonly short = new Map<string, Shortage>();

  constructor(private readonly parts: PayerParts) {
    parts.acceptance.onPayable = () => this.schedule();
    parts.allocations.onDepositFreed = () => this.schedule();
    parts.wallets.onCredited = (owner) => {
      if ([...this.short.values()].some((shortage) => shortage.payer === owner)) this.schedule();
    };
    // What was accepted before a restart.
    this.schedule();
  }

  /** A daemon is back, with debts perhaps. */
  wake(): void {
    this.schedule();
  }

  /** The payments of a requestor that wait for money. */
  shortages(requestor: string): Shortage[] {
    return [...this.short.values()].filter((shortage) => shortage.requestor === requestor);
  }

  get cycle(): PaymentCycle {
    const { lastMs, parts } = this;
    return {
      ...{ intervalSec: parts.cycleSec, lastMs },
      nextMs: this.nextMs ?? Date.now() + parts.cycleSec * 1000,
    };
  }

  private schedule(): void {
    if (this.nextMs !== undefined) return;
    const pay = (): void => {
      this.nextMs = undefined;
      this.payAll();
    };
    const ms = this.parts.cycleSec * 1000;
    this.nextMs = Date.now() + ms;
    this.parts.timers.after(ms, pay, 'payment cycle');
  }

  private payAll(): void {
    this.lastMs = Date.now();
    const { settlement, payables, deposits, allocations } = this.parts;
    const paying = new Set<string>();
    this.short.clear();
    for (const bundle of payables.bundles()) {
      if (this.isUp(bundle.requestor) && this.canPay(bundle)) {
        this.pay(bundle);
        paying.add(bundle.requestor);
      }
    }
    settlement.settleInvoices(this.isUp);
    deposits.closeFinished(
      ({ key, allocationId = '' }) =>
        allocations.find(allocationId)?.released === true && !payables.owesFromDeposit(key),
    );
    for (const requestor of paying) this.parts.payments.streams.wake(requestor);
  }

  private canPay(bundle: Bundle): boolean {
    const { key, requestor, platform, amount } = bundle;
    const payer = this.source(bundle);
    const missing = amount.minus(this.parts.wallets.balance(payer, platform));
    if (missing.lte(0)) return true;
    this.short.set(key, { requestor, platform, payer, missing: missing.toFixed() });
    this.parts.effects.record('payment-short-of-funds', {
      ...{ requestorId: requestor, providerId: bundle.provider, platform },
      ...{ amount: computed(amount), missing: missing.toFixed() },
    });
    return false;
  }

  /** Whose wallet pays: the requestor's, or the contract of the deposit behind the allocation. */
  private source({ requestor, deposit }: Bundle): string {
    return (deposit === undefined ? undefined : this.parts.deposits.find(deposit)?.contract) ?? requestor;
  }

  private pay(bundle: Bundle): void {
    const { database, settlement, payables, payments, wallets, deposits, effects } = this.parts;
    const { requestor, provider, platform, deposit } = bundle;
    const amount = computed(bundle.amount);
    const paymentId = documentId();
    const agreements = [...new Set(bundle.payables.map((payable) => payable.agreementId))];
    atomically(database, () => {
      wallets.move({
        ...{ kind: 'payment', platform, from: this.source(bundle), to: provider, amount, paymentId },
        ...(deposit === undefined ? {} : { depositId: deposits.find(deposit)?.id, requestor }),
        for: bundle.payables.map(paidDocument),
      });
      if (deposit !== undefined) deposits.spend(deposit, bundle.amount);
      payables.remove(bundle);
      payments.add(payment(paymentId, bundle), agreements);
      effects.record('paid', { paymentId, requestorId: requestor, providerId: provider, amount });
      for (const payable of bundle.payables) settlement.paid(payable);
    });
  }
}

function paidDocument(payable: Bundle['payables'][number]): PaidDocument {
  const { agreementId, activityId, debitNoteId, invoiceId, allocationId, amount } = payable;
  return {
    agreementId,
    ...(activityId === undefined ? {} : { activityId }),
    ...(debitNoteId === undefined ? {} : { debitNoteId }),
    ...(invoiceId === undefined ? {} : { invoiceId }),
    ...{ allocationId, amount },
  };
}

/** The payment as yagna tells of it: one part for each activity, and one for each agreement's invoice. */
function payment(paymentId: string, bundle: Bundle): { requestor: string; atMicros: number; body: object } {
  const { requestor, provider, platform, amount, payables } = bundle;
  const at = nextEventNanos();
  const notes = payables.filter((payable) => payable.activityId !== undefined);
  const invoices = payables.filter((payable) => payable.activityId === undefined);
  const body = {
    paymentId,
    payerId: requestor,
    payeeId: provider,
    payerAddr: requestor,
    payeeAddr: provider,
    paymentPlatform: platform,
    amount: computed(amount),
    timestamp: formatMillis(at),
    agreementPayments: parts(invoices, 'agreementId'),
    activityPayments: parts(notes, 'activityId'),
    details: createHash('sha256').update(paymentId).digest('base64'),
  };
  return { requestor, atMicros: Number(at / 1000n), body };
}

function parts(payables: Bundle['payables'], idName: 'agreementId' | 'activityId'): object[] {
  const byId = new Map<string | undefined, string[]>();
  for (const payable of payables) {
    byId.set(payable[idName], [...(byId.get(payable[idName]) ?? []), payable.amount]);
  }
  return [...byId].map(([id, amounts]) => ({ [idName]: id, amount: computed(sum(amounts)) }));
}
