/**
 * Which offers are taken, and in which order: price caps, allow and deny lists, and the built-in selection
 * strategies. Nothing here is random, so that a replayed or retried round chooses alike.
 */
import { type ExactDecimal, exact, toAmount } from './amount';
import type { Amount } from './ids';
import type { PricingSpec, ProvidersSpec } from './job';
import type { Offer, OfferPricing } from './offer';

const SECONDS_PER_HOUR = 3600;

/** GLM per hour of a price that is GLM per second. */
export function perHour(perSec: Amount): Amount {
  return toAmount(exact(perSec).times(SECONDS_PER_HOUR));
}

/**
 * What an hour costs with every thread busy, start price included: the worst an hour can cost.
 */
export function hourPrice(offer: { pricing: OfferPricing; cpuThreads: number }): Amount {
  return toAmount(exactHourPrice(offer));
}

function exactHourPrice(offer: { pricing: OfferPricing; cpuThreads: number }): ExactDecimal {
  const { startPrice, cpuPerSec, envPerSec } = offer.pricing;
  return exact(cpuPerSec)
    .times(offer.cpuThreads)
    .plus(exact(envPerSec))
    .times(SECONDS_PER_HOUR)
    .plus(exact(startPrice));
}

/** Why an offer is too dear for the caps, or undefined when it is not. */
export function priceCapReason(caps: PricingSpec, offer: Pick<Offer, 'pricing'>): string | undefined {
  const { startPrice, cpuPerSec, envPerSec } = offer.pricing;
  return (
    aboveCap('start price', startPrice, 'maxStartPrice', caps.maxStartPrice) ??
    aboveCap('CPU price per hour', perHour(cpuPerSec), 'maxCpuPerHour', caps.maxCpuPerHour) ??
    aboveCap('environment price per hour', perHour(envPerSec), 'maxEnvPerHour', caps.maxEnvPerHour)
  );
}

function aboveCap(what: string, price: Amount, field: string, cap: Amount | undefined): string | undefined {
  if (cap === undefined || exact(price).lte(exact(cap))) return undefined;
  return `${what} ${price} is above pricing.${field} ${cap}`;
}

/** Why a provider is not wanted by the lists, or undefined when it may be taken. */
export function providerListReason(
  lists: Pick<ProvidersSpec, 'allow' | 'deny'>,
  offer: Pick<Offer, 'providerId'>,
): string | undefined {
  const id = offer.providerId.toLowerCase();
  if (lists.deny.some((denied) => denied.toLowerCase() === id)) return 'provider is in providers.deny';
  if (lists.allow.length > 0 && !lists.allow.some((allowed) => allowed.toLowerCase() === id)) {
    return 'provider is not in providers.allow';
  }
  return undefined;
}

/** What an offer asks at most: GLM for an hour with every thread busy, start price included, and that start price. */
export interface OfferedPrice {
  pricePerHour: Amount;
  startPrice: Amount;
}

/** Rounding that a number may suffer on its way through JSON; no provider asks so little more. */
const SAME_PRICE = '1.000000000001';

/**
 * Why a draft is not what was offered, or undefined when it is: chosen for its offer's price, a provider must agree to
 * that. More threads make the hour dearer as well, since each may be billed.
 */
export function raisedPriceReason(
  offered: OfferedPrice,
  draft: Pick<Offer, 'pricing' | 'cpuThreads'>,
): string | undefined {
  const isAbove = (price: ExactDecimal, was: ExactDecimal): boolean => price.gt(was.times(SAME_PRICE));
  const [start, startWas] = [exact(draft.pricing.startPrice), exact(offered.startPrice)];
  if (isAbove(start, startWas)) return 'agrees only to a higher start price than it offered';
  // Apart from the start price, which may be lower and hide it.
  const running = exactHourPrice(draft).minus(start);
  if (isAbove(running, exact(offered.pricePerHour).minus(startWas)))
    return 'agrees only to a higher price per hour than it offered';
  return undefined;
}

/**
 * Orders two offers: negative when `a` is to be taken first, 0 when either will do. Of those each job takes them in an order of
 * its own, so that many jobs at once do not all ask the same provider.
 */
export type SelectionStrategy = (a: Offer, b: Offer) => number;

const byPrice: SelectionStrategy = (a, b) => exactHourPrice(a).comparedTo(exactHourPrice(b));
const byThreads: SelectionStrategy = (a, b) => b.cpuThreads - a.cpuThreads;

/** Strategies that `providers.select` can name without any being registered in the worker. */
export const SELECTION_STRATEGIES: Readonly<Record<'cheapest' | 'fastest', SelectionStrategy>> = {
  /** Least price of an hour on all threads; of equals the one with more threads. */
  cheapest: (a, b) => byPrice(a, b) || byThreads(a, b),
  /** Most threads; of equals the cheapest. */
  fastest: (a, b) => byThreads(a, b) || byPrice(a, b),
};
