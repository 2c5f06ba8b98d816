/**
 * What both sides of an agreement promise about debit notes and payments (GAP-3), and whether a provider's counter to
 * what a spec asks for is within the limits of the spec. All in seconds.
 */
import type { DurationClasses } from './duration-classes';
import type { DemandSpec } from './job';
import { PROP, type Halves, type Properties } from './properties';

/** Absent is what was not agreed. */
export type AgreedTerms = Pick<
  DemandSpec,
  'debitNotesAcceptanceTimeoutSec' | 'midAgreementDebitNoteIntervalSec' | 'midAgreementPaymentTimeoutSec'
>;

/** The least that a provider's counter may have, in its place what was asked for. */
export type LeastTerms = Partial<
  Record<'debitNotesAcceptanceTimeoutSec' | 'midAgreementPaymentTimeoutSec', number>
>;

const PROPERTY = {
  debitNotesAcceptanceTimeoutSec: PROP.acceptTimeout,
  midAgreementDebitNoteIntervalSec: PROP.debitNoteInterval,
  midAgreementPaymentTimeoutSec: PROP.paymentTimeout,
} as const satisfies Record<keyof AgreedTerms, string>;

/** The terms of an agreement: the provider writes its half last, so what it has is what holds, where both have any. */
export function agreedTerms({ demand, offer }: Halves): AgreedTerms {
  const terms: AgreedTerms = {};
  for (const [term, property] of Object.entries(PROPERTY) as [keyof AgreedTerms, string][]) {
    const [asked, offered] = [
      positiveSeconds(demand.properties[property]),
      positiveSeconds(offer.properties[property]),
    ];
    if (asked !== undefined && offered !== undefined) terms[term] = offered;
  }
  return terms;
}

/**
 * Why a provider's counter-proposal to a demand is not taken.
 *
 * @param offer - the properties of its draft
 */
export function counterReason(
  demand: AgreedTerms & Pick<DemandSpec, 'expirationSec' | 'least'>,
  offer: Properties,
  classes: Pick<DurationClasses, 'debitNotesOverSec' | 'paymentsOverSec' | 'minAcceptanceTimeoutSec'>,
): string | undefined {
  const { expirationSec, least = {} } = demand;
  const leastOf: AgreedTerms = {
    debitNotesAcceptanceTimeoutSec: least.debitNotesAcceptanceTimeoutSec ?? classes.minAcceptanceTimeoutSec,
    midAgreementDebitNoteIntervalSec: demand.midAgreementDebitNoteIntervalSec,
    midAgreementPaymentTimeoutSec:
      least.midAgreementPaymentTimeoutSec ?? demand.midAgreementPaymentTimeoutSec,
  };
  /** Without which a provider does not keep an agreement of that length. */
  const isNeeded: Record<keyof AgreedTerms, boolean> = {
    debitNotesAcceptanceTimeoutSec: expirationSec > classes.debitNotesOverSec,
    midAgreementDebitNoteIntervalSec: false,
    midAgreementPaymentTimeoutSec: expirationSec > classes.paymentsOverSec,
  };
  for (const [term, property] of Object.entries(PROPERTY) as [keyof AgreedTerms, string][]) {
    const [asked, offered] = [demand[term], positiveSeconds(offer[property])];
    if (asked === undefined) continue;
    if (offered === undefined) {
      if (isNeeded[term]) return `promises no ${term}, which ${expirationSec} s need`;
    } else if (offered < Math.min(asked, leastOf[term] ?? asked)) {
      return `counters ${term} with ${offered} s, less than the spec allows`;
    }
  }
  return undefined;
}

/** Of no meaning: as if it was not there. */
export function positiveSeconds(value: unknown): number | undefined {
  const number = typeof value === 'boolean' ? NaN : Number(value ?? NaN);
  return Number.isFinite(number) && number > 0 ? number : undefined;
}
