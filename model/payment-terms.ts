/**
 * What an agreement says about how long its requestor may be away: the whole time paid in advance, or notes that may wait.
 */
import { positiveSeconds as seconds } from './agreed-terms';
import type { DemandSpec } from './job';
import { BROKER_VERSION } from './payer';
import { PROP, type Halves, type Properties } from './properties';

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

/** What a provider offers, or has agreed to, about the time that it can wait for. */
export interface OfferedPayment {
  /** Seconds that it sells in advance; absent: none. */
  upfrontSec?: number;
  /** Seconds that a debit note may wait; absent: as long as it likes. */
  acceptTimeoutSec?: number;
  /** It sends its bills to the broker that a demand names. */
  takesBroker: boolean;
}

export function readOfferedPayment(offer: Properties): OfferedPayment {
  const upfrontSec = seconds(offer[PROP.upfront]);
  const acceptTimeoutSec = seconds(offer[PROP.acceptTimeout]);
  return {
    ...(upfrontSec === undefined ? {} : { upfrontSec }),
    ...(acceptTimeoutSec === undefined ? {} : { acceptTimeoutSec }),
    takesBroker: (seconds(offer[PROP.brokerVersion]) ?? 0) >= BROKER_VERSION,
  };
}

/** Why a provider cannot be had on the payment terms that the spec asks for, by what it offers or has agreed to. */
export function paymentTermsReason(
  { upfrontSec }: Pick<DemandSpec, 'upfrontSec'>,
  hasBroker: boolean,
  offered: OfferedPayment,
): string | undefined {
  if (hasBroker && !offered.takesBroker) return 'sends its bills to no broker, and the spec names one';
  if (upfrontSec !== undefined && offered.upfrontSec === undefined)
    return 'sells no time in advance, and the spec asks for that';
  if (upfrontSec !== undefined && (offered.upfrontSec ?? 0) < upfrontSec)
    return `sells ${offered.upfrontSec} s in advance at most, and the spec asks for ${upfrontSec}`;
  return undefined;
}

/** One that is asked to wait longer than it offers refuses for good, so it need not be asked. */
export function impatience(
  { debitNotesAcceptanceTimeoutSec: waitSec }: Pick<DemandSpec, 'debitNotesAcceptanceTimeoutSec'>,
  { acceptTimeoutSec }: OfferedPayment,
): string | undefined {
  if (waitSec === undefined || acceptTimeoutSec === undefined || waitSec <= acceptTimeoutSec)
    return undefined;
  return `lets a debit note wait ${acceptTimeoutSec} s at most, and the spec asks for ${waitSec}`;
}
