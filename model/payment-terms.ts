/**
 * What an agreement says about how long its requestor may be away: the whole time paid in advance, or notes that may wait.
 */
import { PROP, type Properties } from './properties';

interface Halves {
  demand: { properties: Properties };
  offer: { properties: Properties };
}

/**
 * Seconds of an activity's life that are paid in advance, by one payable debit note at its beginning; then the provider
 * ends it. Undefined where that was not agreed. The provider writes the offer's half: it may sell less than it was asked
 * for, not more.
 */
export function upfrontSecOf({ demand, offer }: Halves): number | undefined {
  const asked = seconds(demand.properties[PROP.upfront]);
  const sold = seconds(offer.properties[PROP.upfront]);
  return asked === undefined || sold === undefined ? undefined : Math.min(asked, sold);
}

/** For how much time an activity may be billed after so many seconds: what is sold in advance is billed at its beginning. */
export function billableSec(agreement: Halves, elapsedSec: number): number {
  return Math.max(elapsedSec, upfrontSecOf(agreement) ?? 0);
}

export interface WantedTerms {
  upfrontSec?: number;
  debitNotesAcceptanceTimeoutSec?: number;
}

/**
 * Why a provider cannot be had on the payment terms that the spec asks for, by what it offers or has agreed to. One that
 * is asked for more patience than it offers refuses for good, so it need not be asked.
 */
export function paymentTermsReason(wanted: WantedTerms, offered: Properties): string | undefined {
  const { upfrontSec, debitNotesAcceptanceTimeoutSec: acceptSec } = wanted;
  const sold = seconds(offered[PROP.upfront]);
  if (upfrontSec !== undefined && sold === undefined)
    return 'sells no time in advance, and the spec asks for that';
  if (upfrontSec !== undefined && sold !== undefined && sold < upfrontSec)
    return `sells ${sold} s in advance at most, and the spec asks for ${upfrontSec}`;
  const patience = seconds(offered[PROP.acceptTimeout]);
  if (acceptSec !== undefined && patience !== undefined && acceptSec > patience)
    return `lets a debit note wait ${patience} s at most, and the spec asks for ${acceptSec}`;
  return undefined;
}

function seconds(value: unknown): number | undefined {
  const number = Number(value);
  return value !== null && Number.isFinite(number) && number > 0 ? number : undefined;
}
