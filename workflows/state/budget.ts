/**
 * Whether little of a job's budget is left. What agreements have cost since their last debit notes, and what they cost
 * by the hour, is reckoned from their prices and from the notes that were accepted. Pure functions over plain data; all
 * amounts are decimal strings of GLM.
 */
import { exact, ExactDecimal, toAmount } from '../../model/amount';
import type { AgreementId, Amount } from '../../model/ids';
import type { Money } from '../../model/result';

/** A rental as far as it costs money. */
export interface Commitment {
  /** Number of the rental. */
  n: number;
  agreementId?: AgreementId;
  startPrice: Amount;
  /** Of an hour at full load, without the start price: it cannot cost more. */
  pricePerHour: Amount;
  sinceMs: number;
  /** When it ended, or will at the latest. */
  untilMs: number;
  /** Total of the last accepted debit notes, and when the job learnt of it. */
  bill?: { amount: Amount; atMs: number };
}

/** A provider's prices, as a draft proposal tells them. */
export interface Prices {
  startPrice: Amount;
  /** Start price included. */
  pricePerHour: Amount;
}

/** How agreements have cost, as a settlement tells it. */
export interface Bills {
  /** Totals of accepted debit notes of agreements that have no decided invoice. */
  open: { agreementId: AgreementId; accepted: Amount }[];
  /** Agreements whose invoice is decided: what they cost is in the money's `accepted`. */
  invoiced: AgreementId[];
}

const HOUR_MS = 3_600_000;
/** Debit notes may come so often where nothing else was agreed, ya-provider's default. */
const USUAL_INTERVAL_SEC = 120;
/** So many debit notes must still be payable, or little is left. */
const NOTES_KEPT = 2;

export const commitment = (
  n: number,
  { startPrice, pricePerHour }: Prices,
  sinceMs: number,
  untilMs: number,
): Commitment => ({
  ...{ n, startPrice, sinceMs, untilMs },
  pricePerHour: exact(pricePerHour).minus(exact(startPrice)).toFixed(),
});

/** The prices of an agreement of which so much time is paid at its beginning: there is nothing but a start price. */
export function paidInAdvance({ startPrice, pricePerHour }: Prices, upfrontSec: number): Prices {
  const perHour = exact(pricePerHour).minus(exact(startPrice));
  const all = exact(startPrice).plus(perHour.times(upfrontSec).dividedBy(3600)).toFixed();
  return { startPrice: all, pricePerHour: all };
}

/** Takes over what debit notes and invoices say. @returns the commitments that are still open */
export function applyBills(commitments: Commitment[], bills: Bills, nowMs: number): Commitment[] {
  for (const { agreementId, accepted } of bills.open) {
    const open = commitments.find((each) => each.agreementId === agreementId);
    if (open && accepted !== (open.bill?.amount ?? '0')) open.bill = { amount: accepted, atMs: nowMs };
  }
  return commitments.filter(({ agreementId }) => !agreementId || !bills.invoiced.includes(agreementId));
}

/** GLM for a millisecond: as its debit notes say, or before there is one, at full load. */
function burnRate({ bill, startPrice, pricePerHour, sinceMs }: Commitment): ExactDecimal {
  const most = exact(pricePerHour).dividedBy(HOUR_MS);
  const billedMs = (bill?.atMs ?? 0) - sinceMs;
  if (!bill || billedMs <= 0) return most;
  const so = exact(bill.amount).minus(exact(startPrice)).dividedBy(billedMs);
  return ExactDecimal.max(0, ExactDecimal.min(so, most));
}

/** What an agreement has cost since its last debit note. */
function accrued(each: Commitment, nowMs: number): ExactDecimal {
  const untilMs = Math.min(nowMs, each.untilMs);
  const sinceMs = each.bill?.atMs ?? each.sinceMs;
  const running = burnRate(each).times(Math.max(0, untilMs - sinceMs));
  return each.bill ? running : running.plus(exact(each.startPrice));
}

const isRunning = (each: Commitment, nowMs: number): boolean => nowMs < each.untilMs;

function totalRate(commitments: readonly Commitment[], nowMs: number): ExactDecimal {
  const running = commitments.filter((each) => isRunning(each, nowMs));
  return running.reduce((sum, each) => sum.plus(burnRate(each)), exact(0));
}

/**
 * Less is left than what has accrued and two debit-note intervals at the present burn rate. What is kept for those two is
 * never more than half of the budget: else a small one would be low from the start.
 *
 * @param intervalSec least time between two debit notes, as agreed
 */
export function isLow(
  money: Pick<Money, 'budget' | 'reserved' | 'accepted'>,
  commitments: readonly Commitment[],
  intervalSec: number | undefined,
  nowMs: number,
): boolean {
  const left = exact(money.reserved).minus(exact(money.accepted));
  return left.lte(0) || left.lt(needed(commitments, intervalSec, nowMs, exact(money.budget).dividedBy(2)));
}

function needed(
  commitments: readonly Commitment[],
  intervalSec: number | undefined,
  nowMs: number,
  mostKept?: ExactDecimal,
): ExactDecimal {
  const notesMs = NOTES_KEPT * (intervalSec ?? USUAL_INTERVAL_SEC) * 1000;
  const notes = totalRate(commitments, nowMs).times(notesMs);
  const kept = mostKept ? ExactDecimal.min(notes, mostKept) : notes;
  return commitments.reduce((sum, each) => sum.plus(accrued(each, nowMs)), kept);
}

/** What is owed beyond the last debit notes, what that grows by, and for how long the budget lasts at that pace. */
export interface Outlook {
  accrued: Amount;
  perHour: Amount;
  /** Seconds; undefined where nothing costs anything. */
  budgetLastsSec?: number;
}

export function outlook(
  money: Pick<Money, 'budget' | 'accepted'>,
  commitments: readonly Commitment[],
  nowMs: number,
): Outlook {
  const owed = commitments.reduce((sum, each) => sum.plus(accrued(each, nowMs)), exact(0));
  const rate = totalRate(commitments, nowMs);
  const left = ExactDecimal.max(0, exact(money.budget).minus(exact(money.accepted)).minus(owed));
  return {
    accrued: shown(owed),
    perHour: shown(rate.times(HOUR_MS)),
    ...(rate.gt(0) ? { budgetLastsSec: Number(left.dividedBy(rate).dividedBy(1000).toFixed(0)) } : {}),
  };
}

/** GLM has 18 decimals. */
const shown = (amount: ExactDecimal): Amount => toAmount(amount.toDecimalPlaces(18, ExactDecimal.ROUND_UP));

/** When it becomes low if nothing is billed until then; Infinity where the agreements end before. */
export function lowAtMs(
  money: Pick<Money, 'budget' | 'reserved' | 'accepted'>,
  commitments: readonly Commitment[],
  intervalSec: number | undefined,
  nowMs: number,
): number {
  if (isLow(money, commitments, intervalSec, nowMs)) return nowMs;
  const ends = commitments.map(({ untilMs }) => untilMs - 1).filter((endMs) => endMs > nowMs);
  if (!ends.some((endMs) => isLow(money, commitments, intervalSec, endMs))) return Infinity;
  const left = exact(money.reserved)
    .minus(exact(money.accepted))
    .minus(needed(commitments, intervalSec, nowMs, exact(money.budget).dividedBy(2)));
  return nowMs + Number(left.dividedBy(totalRate(commitments, nowMs)).toFixed(0, ExactDecimal.ROUND_UP)) + 1;
}

/**
 * Whether one more rental can be paid for: with it the budget, as far as it may be reserved, is not low. Beside others,
 * all of its two intervals must be left: a small budget goes to one after the other. As long as nothing is spent or
 * rented, one can: a small budget is for that.
 */
export function affords(
  money: Pick<Money, 'budget' | 'accepted'>,
  commitments: readonly Commitment[],
  another: Commitment,
  intervalSec: number | undefined,
  nowMs: number,
): boolean {
  const isOnly = !commitments.some((each) => isRunning(each, nowMs));
  if (isOnly && exact(money.accepted).isZero()) return exact(another.startPrice).lte(exact(money.budget));
  const all = [...commitments, another];
  if (isOnly) return !isLow({ ...money, reserved: money.budget }, all, intervalSec, nowMs);
  const left = exact(money.budget).minus(exact(money.accepted));
  return left.gte(needed(all, intervalSec, nowMs));
}
