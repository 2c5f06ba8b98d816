/**
 * A provider's offer, read from the flat properties of a proposal or an agreement into what we decide by.
 * What cannot be read, or could not be checked when it is billed, is refused with a reason.
 */
import { type ExactDecimal, exact, readExact, toAmount } from './amount';
import { foreignText, foreignTexts } from './foreign-text';
import type { Amount, ProviderId } from './ids';
import { readOfferedPayment, type OfferedPayment } from './payment-terms';
import { PROP, USAGE_CPU, USAGE_DURATION, type Properties } from './properties';
import type { ProviderInfo } from './result';

/** Linear pricing as agreed. All prices are exact decimal strings in GLM. */
export interface OfferPricing {
  /** Paid once for each Golem activity. */
  startPrice: Amount;
  /** For a second of one CPU thread at work (`golem.usage.cpu_sec`). */
  cpuPerSec: Amount;
  /** For a second of the VM's life (`golem.usage.duration_sec`). */
  envPerSec: Amount;
  /** `golem.com.usage.vector`: the order of counters in every usage vector. */
  usageVector: string[];
  /** `golem.com.pricing.model.linear.coeffs`: one price a counter, in that order, then the start price. */
  coeffs: string[];
}

export interface Offer {
  providerId: ProviderId;
  /** Node name, or the provider's id where it has none. */
  providerName: string;
  cpuCores: number;
  cpuThreads: number;
  cpuBrand?: string;
  memGib: number;
  storageGib: number;
  runtime: string;
  capabilities: string[];
  pricing: OfferPricing;
  /** Payment platforms the provider can be paid on, such as `erc20-holesky-tglm`. */
  platforms: string[];
  payment: OfferedPayment;
}

export type OfferReading = { ok: true; offer: Offer } | { ok: false; reason: string };
export type PricingReading = { ok: true; pricing: OfferPricing } | { ok: false; reason: string };

/**
 * Reads the offer side of a proposal or agreement.
 *
 * @param properties - flat property map, as yagna's market API carries it
 * @param providerId - the proposal's `issuerId`, or the agreement's `offer.providerId`
 */
export function readOffer(properties: Properties, providerId: string): OfferReading {
  const pricing = readPricing(properties);
  if (!pricing.ok) return pricing;

  const cpuThreads = wholeNumber(properties[PROP.cpuThreads]);
  if (cpuThreads === undefined) return unreadable(PROP.cpuThreads, 'is not a whole number of threads');
  const cpuBrand = properties[PROP.cpuBrand];
  const provider = providerOf({ providerId, properties });
  const offer: Offer = {
    providerId: provider.id,
    providerName: provider.name,
    cpuCores: wholeNumber(properties[PROP.cpuCores]) ?? 1,
    cpuThreads,
    ...(typeof cpuBrand === 'string' ? { cpuBrand: foreignText(cpuBrand) } : {}),
    memGib: size(properties[PROP.memGib]),
    storageGib: size(properties[PROP.storageGib]),
    runtime: foreignText(String(properties[PROP.runtimeName] ?? '')),
    capabilities: foreignTexts(properties[PROP.runtimeCapabilities]),
    pricing: pricing.pricing,
    platforms: readPlatforms(properties),
    payment: readOfferedPayment(properties),
  };
  return { ok: true, offer };
}

/** Who made an offer, such as an agreement's: the one way in for what a provider calls itself. */
export function providerOf(offer: { providerId: string; properties: Properties }): ProviderInfo {
  const id = offer.providerId.toLowerCase();
  const nodeName = offer.properties[PROP.nodeName];
  const name = typeof nodeName === 'string' ? foreignText(nodeName) : '';
  return { id, name: name === '' ? id : name };
}

/** Terms are kept in a workflow's history: nobody is to fill it with them. */
const MOST_COUNTERS = 30;
const LONGEST_COUNTER = 100;

/**
 * Reads prices from an offer's properties. An offer that charges for a counter other than CPU and duration
 * is refused: nobody here could tell whether such a claim is possible.
 */
export function readPricing(properties: Properties): PricingReading {
  const model = properties[PROP.pricingModel];
  if (model !== 'linear') return unreadable(PROP.pricingModel, `is ${quote(model)}, not "linear"`);
  const usageVector = strings(properties[PROP.usageVector]);
  if (usageVector === undefined || usageVector.length === 0) {
    return unreadable(PROP.usageVector, 'is not a list of counter names');
  }
  if (usageVector.length > MOST_COUNTERS || usageVector.some((name) => name.length > LONGEST_COUNTER)) {
    return unreadable(PROP.usageVector, 'is longer than any that is meant honestly');
  }
  if (new Set(usageVector).size !== usageVector.length) {
    return unreadable(PROP.usageVector, 'names a counter twice');
  }
  const given = properties[PROP.pricingCoeffs];
  if (!Array.isArray(given) || given.length !== usageVector.length + 1) {
    return unreadable(PROP.pricingCoeffs, `does not have one price for each counter and a start price`);
  }
  const prices: ExactDecimal[] = [];
  for (const value of given) {
    const price = readExact(value);
    if (price === undefined || price.isNegative()) {
      return unreadable(PROP.pricingCoeffs, `has ${quote(value)}, which is no price`);
    }
    prices.push(price);
  }
  const priceOfCounter = (counter: string): ExactDecimal =>
    prices[usageVector.indexOf(counter)] ?? exact('0');
  const unknown = usageVector.find(
    (counter, i) => counter !== USAGE_CPU && counter !== USAGE_DURATION && !prices[i]?.isZero(),
  );
  if (unknown !== undefined) {
    return unreadable(PROP.usageVector, `charges for ${quote(unknown)}, a usage that cannot be checked`);
  }
  return {
    ok: true,
    pricing: {
      startPrice: toAmount(prices[prices.length - 1] ?? exact('0')),
      cpuPerSec: toAmount(priceOfCounter(USAGE_CPU)),
      envPerSec: toAmount(priceOfCounter(USAGE_DURATION)),
      usageVector,
      coeffs: prices.map(toAmount),
    },
  };
}

const PLATFORM_PROPERTY = /^golem\.com\.payment\.platform\.(.+)\.address$/;

function readPlatforms(properties: Properties): string[] {
  return Object.keys(properties).flatMap((key) => PLATFORM_PROPERTY.exec(key)?.[1] ?? []);
}

function unreadable(property: string, why: string): { ok: false; reason: string } {
  return { ok: false, reason: `${property} ${why}` };
}

function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined;
}

function size(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}

function strings(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

function quote(value: unknown): string {
  return foreignText(JSON.stringify(value) ?? 'nothing', 80);
}
