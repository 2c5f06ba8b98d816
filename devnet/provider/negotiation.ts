/** How a provider answers a counter-proposal, as ya-provider's negotiators do: pure decisions over both sides' terms. */
import { upfrontSecOf } from '../../model/payment-terms';
import { PROP } from '../../model/properties';
import { formatDuration, formatForPeople } from '../clock';
import type { Properties, Terms } from '../market/constraints';
import type { Provider } from './config';

/** `ignore`: what ya-provider cannot read it leaves unanswered. */
export type Answer = { accept: Terms } | { refuse: string; isFinal: boolean } | { ignore: true };

/** Terms of a signed agreement that the provider lives by, seconds. */
export interface Agreed {
  acceptTimeoutSec: number | undefined;
  debitNoteIntervalSec: number;
  paymentTimeoutSec: number | undefined;
  expirationMs: number;
  /** Time of an activity that is paid in advance. */
  upfrontSec: number | undefined;
  /** Without it the agreement ends with its first activity. */
  multiActivity: boolean;
}

/**
 * @param offer the provider's last proposal to this requestor.
 * @param busy agreements are at their limit.
 */
export function negotiate(
  provider: Provider,
  demand: Properties,
  offer: Terms,
  busy: boolean,
  now: number,
): Answer {
  // A property without a value is lost when terms are countered.
  const properties = Object.fromEntries(
    Object.entries(offer.properties).filter(([, value]) => !isEmptyMap(value)),
  );
  const unpaid = requireChosenPlatform(provider, demand);
  if (unpaid) return unpaid;
  if (!isReadable(demand)) return { ignore: true };
  const refusal =
    checkExpiration(provider, demand, now) ??
    agreeOnAcceptTimeout(provider, demand, properties) ??
    (busy ? noCapacity(provider) : undefined) ??
    agreeOnUpfront(demand, properties) ??
    agreeOnInterval(provider, demand, properties) ??
    agreeOnPaymentTimeout(provider, demand, properties, now);
  return refusal ?? { accept: { properties, constraints: offer.constraints } };
}

/** The last instant of JavaScript, milliseconds since the epoch; yagna's is about the same. */
const END_OF_TIME_MS = 8.64e15;

/** It has an expiration, and what it says about notes and payments are numbers. */
function isReadable(demand: Properties): boolean {
  const isNumber = (value: unknown): boolean => typeof value === 'number' && value >= 0;
  return (
    isNumber(demand[PROP.expiration]) &&
    Number(demand[PROP.expiration]) <= END_OF_TIME_MS &&
    [PROP.acceptTimeout, PROP.debitNoteInterval, PROP.paymentTimeout, PROP.upfront].every(
      (property) => (demand[property] ?? undefined) === undefined || isNumber(demand[property]),
    )
  );
}

type Refusal = { refuse: string; isFinal: boolean };

export function noCapacity(provider: Provider): Refusal {
  return {
    refuse: `No capacity available. Reached Agreements limit: ${provider.agreementLimit}`,
    isFinal: false,
  };
}

/** ya-provider only asks that some platform is chosen, and is never paid on one that it doesn't have. */
function requireChosenPlatform({ platforms }: Provider, demand: Properties): Refusal | undefined {
  const chosen = demand[PROP.chosenPlatform];
  if (typeof chosen !== 'string')
    return { refuse: 'Missing fields: /golem/com/payment/chosen-platform', isFinal: false };
  if (platforms.includes(chosen)) return undefined;
  return {
    refuse: `No payments are taken on ${chosen}; choose one of the offer's platforms: ${platforms.join(', ')}`,
    isFinal: false,
  };
}

function checkExpiration(provider: Provider, demand: Properties, now: number): Refusal | undefined {
  const expiration = Number(demand[PROP.expiration]);
  const longestSec =
    seconds(demand, PROP.acceptTimeout) === undefined
      ? provider.maxExpirationWithoutAcceptanceSec
      : provider.maxExpirationSec;
  const tooSoon = expiration < now + provider.minExpirationSec * 1000;
  const tooLate = expiration > now + longestSec * 1000;
  if (!tooSoon && !tooLate) return undefined;
  const shortest = formatDuration(provider.minExpirationSec);
  const longest = formatDuration(longestSec);
  return {
    refuse:
      `Proposal expires at: ${formatForPeople(expiration)} which is less than ${shortest} ` +
      `or more than ${longest} from now`,
    isFinal: tooSoon,
  };
}

function agreeOnAcceptTimeout(
  provider: Provider,
  demand: Properties,
  offer: Properties,
): Refusal | undefined {
  const wanted = seconds(demand, PROP.acceptTimeout);
  const offered = seconds(offer, PROP.acceptTimeout);
  if (wanted === undefined || offered === undefined) {
    delete offer[PROP.acceptTimeout];
    return undefined;
  }
  if (wanted > offered) {
    const limit = formatDuration(provider.acceptTimeoutSec);
    return { refuse: `DebitNote acceptance deadline should be less than ${limit}.`, isFinal: true };
  }
  if (wanted < provider.minAcceptTimeoutSec) {
    return { refuse: `To low DebitNotes timeout: ${formatDuration(wanted)}`, isFinal: true };
  }
  offer[PROP.acceptTimeout] = wanted;
  return undefined;
}

/** It sells as much time in advance as it is asked for, if it has that much to sell. */
function agreeOnUpfront(demand: Properties, offer: Properties): Refusal | undefined {
  const wanted = seconds(demand, PROP.upfront);
  const sold = seconds(offer, PROP.upfront);
  if (wanted === undefined || sold === undefined) {
    delete offer[PROP.upfront];
    return undefined;
  }
  if (wanted > sold)
    return { refuse: `Time sold in advance should be no more than ${formatDuration(sold)}.`, isFinal: true };
  offer[PROP.upfront] = wanted;
  return undefined;
}

function agreeOnInterval(provider: Provider, demand: Properties, offer: Properties): Refusal | undefined {
  return agreeInRange(
    demand,
    offer,
    PROP.debitNoteInterval,
    'Demand DebitNote interval',
    provider.minDebitNoteIntervalSec,
    provider.maxDebitNoteIntervalSec,
  );
}

function agreeOnPaymentTimeout(
  provider: Provider,
  demand: Properties,
  offer: Properties,
  now: number,
): Refusal | undefined {
  if (!provider.payableNotes) {
    delete offer[PROP.paymentTimeout];
    return undefined;
  }
  const expiration = Number(demand[PROP.expiration]);
  const required = expiration - now >= provider.paymentTimeoutRequiredFromSec * 1000;
  if (required && seconds(demand, PROP.paymentTimeout) === undefined) {
    const threshold = formatDuration(provider.paymentTimeoutRequiredFromSec);
    return {
      refuse:
        `Expiration time ${new Date(expiration).toISOString().replace('Z', '+00:00')} exceeds the ${threshold} ` +
        `threshold of enforcing mid-agreement payments but the required property '${PROP.paymentTimeout}' ` +
        'was not present in the Demand',
      isFinal: true,
    };
  }
  return agreeInRange(
    demand,
    offer,
    PROP.paymentTimeout,
    'Demand DebitNote payment timeout',
    provider.minPaymentTimeoutSec,
    provider.maxPaymentTimeoutSec,
  );
}

/** The provider takes the demand's value if it lies in its range, and drops its own when the demand has none. */
function agreeInRange(
  demand: Properties,
  offer: Properties,
  property: string,
  what: string,
  min: number,
  max: number,
): Refusal | undefined {
  const wanted = seconds(demand, property);
  if (wanted === undefined) {
    delete offer[property];
    return undefined;
  }
  if (wanted < min || wanted > max) {
    const range = `[${formatDuration(min)}; ${formatDuration(max)}]`;
    return { refuse: `${what} ${formatDuration(wanted)} not in acceptable range of ${range}`, isFinal: true };
  }
  offer[property] = wanted;
  return undefined;
}

function seconds(properties: Properties, property: string): number | undefined {
  const value = properties[property];
  return typeof value === 'number' ? value : undefined;
}

/** What an agreement's two halves say about notes, payments and its end. */
export function agreedTerms(provider: Provider, demand: Properties, offer: Properties): Agreed {
  return {
    acceptTimeoutSec:
      seconds(demand, PROP.acceptTimeout) === undefined ? undefined : seconds(offer, PROP.acceptTimeout),
    debitNoteIntervalSec: seconds(offer, PROP.debitNoteInterval) ?? provider.debitNoteIntervalSec,
    paymentTimeoutSec:
      seconds(demand, PROP.paymentTimeout) === undefined ? undefined : seconds(offer, PROP.paymentTimeout),
    expirationMs: Number(demand[PROP.expiration]),
    upfrontSec: upfrontSecOf({ demand: { properties: demand }, offer: { properties: offer } }),
    multiActivity: demand[PROP.multiActivity] === true,
  };
}

function isEmptyMap(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}
