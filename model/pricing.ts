/**
 * Whether a debit note or an invoice may be paid: its amount must be the agreement's own price of a usage that
 * is possible by our own clock, must fit the budget and must not fall below what was accepted before.
 * Pure decisions; what follows from a refusal is the settlement's business.
 */
import { type ExactDecimal, exact, GLM_DECIMALS, readExact, toAmount } from './amount';
import type { Amount, GolemActivityId } from './ids';
import type { ToleranceSpec } from './job';
import type { OfferPricing } from './offer';
import { USAGE_CPU, USAGE_DURATION } from './properties';

/** What was agreed, as far as money goes. */
export interface AgreementTerms {
  pricing: OfferPricing;
  cpuThreads: number;
}

/** Counters in the order of the agreement's usage vector, as yagna sends them. */
export type Usage = readonly (string | number)[];

export type Decision = { accept: true } | { accept: false; reason: string };

/** Start price + Σ usage × price, exact. Counters that are missing at the end count as 0. */
export function priceOf(pricing: Pick<OfferPricing, 'coeffs'>, usage: Usage): Amount {
  return toAmount(exactPrice(pricing, usage));
}

function exactPrice(pricing: Pick<OfferPricing, 'coeffs'>, usage: Usage): ExactDecimal {
  const start = pricing.coeffs[pricing.coeffs.length - 1] ?? '0';
  return pricing.coeffs
    .slice(0, -1)
    .reduce((sum, coeff, i) => sum.plus(exact(coeff).times(exact(usage[i] ?? '0'))), exact(start));
}

export interface DebitNoteClaim {
  terms: AgreementTerms;
  tolerance: ToleranceSpec;
  /** The note's `totalAmountDue`: all that the activity has cost until now. */
  amount: Amount;
  /** The note's `usageCounterVector`. */
  usage: Usage | null | undefined;
  /** Seconds since the agreement's beginning, by our clock. */
  elapsedSec: number;
  /** Usage of the newest accepted notes of the agreement's other activities: no more than `vmsAtOnce` run at a time. */
  otherUsage?: readonly Usage[];
  /** Default 1. */
  vmsAtOnce?: number;
  /** False when we know no such activity under the agreement. */
  activityKnown: boolean;
  /** Amount of the newest note of this activity that we accepted; `"0"` when there is none. */
  acceptedEarlier: Amount;
  /** What is left of the budget after everything accepted until now, `acceptedEarlier` included. */
  budgetLeft: Amount;
}

export function checkDebitNote(claim: DebitNoteClaim): Decision {
  const { terms, tolerance } = claim;
  if (!claim.activityKnown) return refuse('it is for an activity that the job does not know');
  const amount = readBilled(claim.amount);
  if (typeof amount === 'string') return refuse(amount);

  const usage = readUsage(terms.pricing, claim.usage);
  if (typeof usage === 'string') return refuse(usage);
  const { vmsAtOnce = 1, otherUsage = [] } = claim;
  const unusedSec = secondsLeft(terms, claim.elapsedSec * vmsAtOnce, otherUsage).toNumber();
  const elapsedSec = Math.max(0, Math.min(claim.elapsedSec, unusedSec));
  const impossible = impossibleUsage(terms, usage, longest(elapsedSec, tolerance), elapsedSec);
  if (impossible !== undefined) return refuse(impossible);

  const price = exactPrice(terms.pricing, usage);
  if (amount.gt(price.plus(rounding(price)))) {
    return refuse(`it asks for ${toAmount(amount)}, but its usage costs ${toAmount(price)} by the agreement`);
  }
  return checkAgainstAccepted(amount, claim.acceptedEarlier, claim.budgetLeft);
}

/** What is known of one Golem activity of an agreement when its invoice comes. */
export interface InvoicedActivity {
  activityId: GolemActivityId;
  /** Amount of its newest note that we accepted; `"0"` when there is none. */
  accepted: Amount;
  /** Usage of its newest note that we accepted. */
  lastUsage?: Usage;
}

export interface InvoiceClaim {
  terms: AgreementTerms;
  tolerance: ToleranceSpec;
  amount: Amount;
  /** The invoice's `activityIds`. */
  activityIds: readonly GolemActivityId[];
  /** Every activity of the agreement that we know. */
  activities: readonly InvoicedActivity[];
  /** Seconds from the agreement's beginning to its end (or now, while it goes on), by our clock, of all VMs that may run at once. */
  elapsedSec: number;
  /** What is left of the budget after everything accepted until now, notes of this agreement included. */
  budgetLeft: Amount;
}

/**
 * An activity whose creation was lost (yagna#1162) needs so many seconds at least that no other one has used: the
 * request came to the provider, its answer did not come to us, and the agreement was ended for it.
 */
const LOST_CREATION_SEC = 2;

export function checkInvoice(claim: InvoiceClaim): Decision {
  const amount = readBilled(claim.amount);
  if (typeof amount === 'string') return refuse(amount);

  const known = new Set(claim.activities.map(({ activityId }) => activityId));
  const unknown = new Set(claim.activityIds.filter((id) => !known.has(id)));
  if (unknown.size > (creationMayBeLost(claim) ? 1 : 0)) {
    return refuse(`it is for an activity that the job does not know (${[...unknown].join(', ')})`);
  }
  const most = mostInvoiced(claim, unknown.size);
  if (amount.gt(most.plus(rounding(most)))) {
    return refuse(
      `it asks for ${toAmount(amount)}, but ${plain(claim.elapsedSec)} s on ${claim.terms.cpuThreads} threads` +
        ` cost at most ${toAmount(most)} by the agreement`,
    );
  }
  const accepted = claim.activities.reduce((sum, activity) => sum.plus(exact(activity.accepted)), exact('0'));
  return checkAgainstAccepted(amount, toAmount(accepted), claim.budgetLeft);
}

/** One at most: the agreement is ended as soon as a creation counts as lost. */
function creationMayBeLost(claim: InvoiceClaim): boolean {
  return claim.activities.length === 0 || unusedTime(claim).gte(LOST_CREATION_SEC);
}

/**
 * The most that an honest provider can ask for. It runs one activity of an agreement at a time, so what came after the
 * notes, and an activity that nobody here knows, had only the time that the notes leave; at most all threads were busy
 * then. The notes' own seconds tell how much that is: no clock is needed but ours, and a note may have been underway
 * for as long as it likes.
 */
function mostInvoiced(claim: InvoiceClaim, unknownActivities: number): ExactDecimal {
  const { terms, tolerance, elapsedSec } = claim;
  const start = exact(terms.pricing.startPrice);
  const listed = claim.activities.filter(({ activityId }) => claim.activityIds.includes(activityId));
  if (listed.length + unknownActivities === 0) return exact('0');
  const starts = start.times(listed.length + unknownActivities);
  const noted = listed.reduce((sum, { lastUsage }) => {
    const usage = readUsage(terms.pricing, lastUsage);
    return typeof usage === 'string' ? sum : sum.plus(exactPrice(terms.pricing, usage)).minus(start);
  }, exact('0'));
  const unused = Math.max(0, unusedTime(claim).toNumber());
  const byUsage = starts.plus(noted).plus(costOf(terms, longest(unused, tolerance)));
  const byClock = starts.plus(costOf(terms, longest(elapsedSec, tolerance)));
  return byUsage.lt(byClock) ? byUsage : byClock;
}

/** Seconds of the agreement that no accepted note has counted; negative where notes claim more than there were. */
function unusedTime({ terms, elapsedSec, activities }: InvoiceClaim): ExactDecimal {
  return secondsLeft(
    terms,
    elapsedSec,
    activities.map(({ lastUsage }) => lastUsage),
  );
}

function secondsLeft(
  terms: AgreementTerms,
  elapsedSec: number,
  counted: readonly (Usage | undefined)[],
): ExactDecimal {
  const elapsed = exact(Number.isFinite(elapsedSec) ? elapsedSec : 0);
  return counted.reduce<ExactDecimal>((left, each) => {
    const usage = readUsage(terms.pricing, each);
    return typeof usage === 'string' ? left : left.minus(secondsOf(terms, usage));
  }, elapsed);
}

/** How long an activity has run to use so much: its duration, or what its CPU time takes on all threads. */
function secondsOf({ pricing, cpuThreads }: AgreementTerms, usage: readonly string[]): ExactDecimal {
  const counter = (name: string) => exact(usage[pricing.usageVector.indexOf(name)] ?? '0');
  const duration = counter(USAGE_DURATION);
  const busy = counter(USAGE_CPU).div(cpuThreads);
  return busy.gt(duration) ? busy : duration;
}

/** Price of so many seconds with every thread busy, without a start price. */
function costOf(terms: AgreementTerms, seconds: ExactDecimal): ExactDecimal {
  return exact(terms.pricing.cpuPerSec)
    .times(terms.cpuThreads)
    .plus(exact(terms.pricing.envPerSec))
    .times(seconds);
}

/** The most that one Golem activity can have cost after so many seconds: its start, and every thread busy. */
export function mostAfter(terms: AgreementTerms, seconds: number): Amount {
  return toAmount(exact(terms.pricing.startPrice).plus(costOf(terms, exact(Math.max(0, seconds)))));
}

/** The longest time that may be claimed when we measured `elapsedSec`; a time we don't know counts as none. */
function longest(elapsedSec: number, tolerance: ToleranceSpec): ExactDecimal {
  const measured = exact(Number.isFinite(elapsedSec) ? Math.max(0, elapsedSec) : 0);
  return measured.plus(measured.times(exact(tolerance.usageRatio))).plus(exact(tolerance.usageSec));
}

/** A usage vector as decimals, or why it is none. */
function readUsage(pricing: OfferPricing, usage: Usage | null | undefined): string[] | string {
  if (!Array.isArray(usage)) return 'it states no usage';
  if (usage.length !== pricing.usageVector.length) {
    return `it states ${usage.length} usage counters where the agreement has ${pricing.usageVector.length}`;
  }
  const read = usage.map((counter) => readExact(counter));
  const bad = read.findIndex((counter) => counter === undefined || counter.isNegative());
  if (bad >= 0) return `its ${pricing.usageVector[bad]} is ${JSON.stringify(usage[bad])}, which is no usage`;
  return read.map((counter) => (counter ?? exact('0')).toFixed());
}

function impossibleUsage(
  terms: AgreementTerms,
  usage: readonly string[],
  atMost: ExactDecimal,
  elapsedSec: number,
): string | undefined {
  const limits: Record<string, ExactDecimal> = {
    [USAGE_DURATION]: atMost,
    [USAGE_CPU]: atMost.times(terms.cpuThreads),
  };
  for (const [i, counter] of terms.pricing.usageVector.entries()) {
    const claimed = exact(usage[i] ?? '0');
    const limit = limits[counter];
    if (limit !== undefined && claimed.gt(limit)) {
      return (
        `it claims ${counter} ${claimed.toFixed()}, but only ${plain(elapsedSec)} s have passed` +
        (counter === USAGE_CPU ? ` on ${terms.cpuThreads} threads` : '')
      );
    }
  }
  return undefined;
}

function checkAgainstAccepted(amount: ExactDecimal, acceptedEarlier: Amount, budgetLeft: Amount): Decision {
  const accepted = exact(acceptedEarlier);
  if (amount.lt(accepted)) {
    return refuse(`it asks for ${toAmount(amount)}, less than the ${toAmount(accepted)} accepted before`);
  }
  const more = amount.minus(accepted);
  if (!more.isZero() && more.gt(exact(budgetLeft))) {
    return refuse(`it asks for ${toAmount(more)} more, but ${budgetLeft} of the budget are left`);
  }
  return { accept: true };
}

/** By how much a provider's own rounding may be off: 18 decimals, and the 16 digits of a float's counter. */
function rounding(price: ExactDecimal): ExactDecimal {
  return price.times('1e-15').plus('1e-18');
}

/** What can be paid, or why it can't: GLM has 18 decimals, and ya-provider rounds to them. */
function readBilled(text: Amount): ExactDecimal | string {
  const amount = readExact(text);
  if (amount === undefined || amount.isNegative()) return `its amount "${text}" is no amount`;
  if (amount.decimalPlaces() > GLM_DECIMALS)
    return `its amount "${text}" has more than ${GLM_DECIMALS} decimals`;
  return amount;
}

function refuse(reason: string): Decision {
  return { accept: false, reason };
}

function plain(seconds: number): string {
  return exact(seconds).toDecimalPlaces(3).toFixed();
}
