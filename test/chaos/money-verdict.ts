/** Whether the promises about money were kept: paid once, never more than accepted, never more than the budget. */
import { Decimal } from 'decimal.js';
import type { Effect, LedgerEntry } from '../../devnet';
import type { Evidence } from './evidence';

/** Exact: more digits than any amount here has. */
const Amount = Decimal.clone({ precision: 60 });
const ZERO = new Amount(0);
const total = (amounts: Iterable<Decimal | string>): Decimal =>
  [...amounts].reduce<Decimal>((sum, amount) => sum.plus(amount), ZERO);

/** The bills of one agreement, as the devnet saw them. */
interface Bills {
  /** Amounts of accepted invoices. */
  invoices: string[];
  /** Greatest accepted total of each Golem activity. */
  notes: Map<string, Decimal>;
  /** Problems of their order. */
  broken: string[];
}

export interface MoneyVerdict {
  broken: string[];
  /** GLM, all agreements. */
  accepted: string;
  paid: string;
  /** Allocations that were created beyond one a job. */
  extraAllocations: number;
  /** How often more than the budget was reserved for a moment. */
  doubleReservations: number;
}

export function judgeMoney({ effects, ledger, jobs, lostReservations = 0 }: Evidence): MoneyVerdict {
  const budget = total(jobs.map((job) => job.budget));
  const bills = readBills(effects);
  const paidFor = readPayments(ledger);
  const broken: string[] = [];
  let accepted = ZERO;
  let paid = ZERO;
  for (const [agreementId, of] of bills) {
    broken.push(...of.broken);
    if (of.invoices.length > 1)
      broken.push(`agreement ${agreementId} has ${of.invoices.length} accepted invoices`);
    const owed = owedFor(of);
    const got = paidFor.get(agreementId) ?? ZERO;
    if (!got.eq(owed)) {
      broken.push(
        `agreement ${agreementId} was paid ${got.toFixed()} GLM where ${owed.toFixed()} were accepted`,
      );
    }
    accepted = accepted.plus(owed);
    paid = paid.plus(got);
  }
  if (accepted.gt(budget)) {
    broken.push(`${accepted.toFixed()} GLM were accepted, the budget is ${budget.toFixed()}`);
  }
  const reserved = judgeReservations(effects, budget, jobs.length, lostReservations);
  broken.push(...reserved.broken, ...judgeReports({ effects, jobs }, bills));
  return {
    broken,
    accepted: accepted.toFixed(),
    paid: paid.toFixed(),
    extraAllocations: reserved.extraAllocations,
    doubleReservations: reserved.doubleReservations,
  };
}

/** Nothing that was accepted waits for its payment. */
export function isAllPaid(effects: readonly Effect[], ledger: readonly LedgerEntry[]): boolean {
  const paidFor = readPayments(ledger);
  return [...readBills(effects)].every(([id, bills]) => (paidFor.get(id) ?? ZERO).gte(owedFor(bills)));
}

/** The accepted invoice; where there is none, the debit notes that were accepted. */
export function owedFor({ invoices, notes }: Bills): Decimal {
  const [invoice] = invoices;
  return invoice === undefined ? total(notes.values()) : new Amount(invoice);
}

/** By agreement, of all that were made in the run. */
export function readBills(effects: readonly Effect[]): Map<string, Bills> {
  const bills = new Map<string, Bills>();
  const of = (agreementId: string): Bills => {
    const known = bills.get(agreementId) ?? { invoices: [], notes: new Map(), broken: [] };
    bills.set(agreementId, known);
    return known;
  };
  for (const effect of effects) {
    if (effect.kind === 'agreement-created') of(effect.agreementId);
    if (effect.kind === 'invoice-accepted') of(effect.agreementId).invoices.push(effect.amount);
    if (effect.kind !== 'debit-note-accepted') continue;
    const { agreementId, activityId, debitNoteId, amount } = effect;
    const { invoices, notes, broken } = of(agreementId);
    if (invoices.length > 0) {
      broken.push(`debit note ${debitNoteId} was accepted after the invoice of agreement ${agreementId}`);
    }
    notes.set(activityId, Amount.max(amount, notes.get(activityId) ?? ZERO));
  }
  return bills;
}

function readPayments(ledger: readonly LedgerEntry[]): Map<string, Decimal> {
  const paid = new Map<string, Decimal>();
  for (const { agreementId, amount } of ledger.flatMap((entry) =>
    entry.kind === 'payment' ? (entry.for ?? []) : [],
  )) {
    paid.set(agreementId, (paid.get(agreementId) ?? ZERO).plus(amount));
  }
  return paid;
}

function judgeReservations(
  effects: readonly Effect[],
  budget: Decimal,
  jobs: number,
  lost: number,
): { broken: string[]; extraAllocations: number; doubleReservations: number } {
  const broken: string[] = [];
  const live = new Map<string, string>();
  let created = 0;
  let doubleReservations = 0;
  const check = (seq: number): void => {
    const reserved = total(live.values());
    if (reserved.lte(budget)) return;
    doubleReservations += 1;
    if (live.size > jobs && live.size <= jobs + lost) return;
    broken.push(
      `at effect ${seq} ${reserved.toFixed()} GLM were reserved in ${live.size} allocations, the budget is ${budget.toFixed()}`,
    );
  };
  for (const effect of effects) {
    if (effect.kind === 'allocation-released') live.delete(effect.allocationId);
    if (effect.kind !== 'allocation-created' && effect.kind !== 'allocation-amended') continue;
    if (effect.kind === 'allocation-created') created += 1;
    live.set(effect.allocationId, effect.amount);
    check(effect.seq);
  }
  return { broken, extraAllocations: Math.max(0, created - jobs), doubleReservations };
}

/** What the settlements returned is what happened. */
function judgeReports(
  { effects, jobs }: Pick<Evidence, 'effects' | 'jobs'>,
  bills: Map<string, Bills>,
): string[] {
  const settled = new Set(
    effects.flatMap((effect) => (effect.kind === 'invoice-settled' ? effect.agreementId : [])),
  );
  return jobs.flatMap(({ settlement }) => {
    if (!settlement) return [];
    const { jobId, agreements, money, state } = settlement;
    const said = total(agreements.map((agreement) => agreement.accepted));
    const wrong = agreements.flatMap(({ agreementId, accepted }) => {
      const of = bills.get(agreementId);
      const owed = of ? owedFor(of) : ZERO;
      if (owed.eq(accepted)) return [];
      return [
        `the settlement of ${jobId} says that ${accepted} GLM were accepted for agreement ${agreementId}, it was ${owed.toFixed()}`,
      ];
    });
    if (!said.eq(money.accepted)) {
      wrong.push(
        `the settlement of ${jobId} says that ${money.accepted} GLM were accepted, its agreements say ${said.toFixed()}`,
      );
    }
    if (state === 'settled') {
      for (const { agreementId } of agreements) {
        if (!settled.has(agreementId)) {
          wrong.push(`the settlement of ${jobId} is settled, agreement ${agreementId} is not`);
        }
      }
    }
    return wrong;
  });
}
