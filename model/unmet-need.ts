/** What of a demand's constraints an offer does not meet: yagna only matches, and says of nobody why not. */
import type { DemandSpec } from './job';
import type { Offer } from './offer';

/** Undefined where it meets them all. */
export function unmetNeed(demand: DemandSpec, offer: Offer): string | undefined {
  if (offer.runtime !== demand.runtime) return `has the runtime ${offer.runtime}, not ${demand.runtime}`;
  const lacking = demand.capabilities.find((capability) => !offer.capabilities.includes(capability));
  if (lacking !== undefined) return `lacks the capability ${lacking}`;
  if (offer.cpuThreads < demand.minCpuThreads)
    return `has fewer CPU threads than demand.minCpuThreads ${demand.minCpuThreads}`;
  if (offer.cpuCores < demand.minCpuCores)
    return `has fewer CPU cores than demand.minCpuCores ${demand.minCpuCores}`;
  if (offer.memGib < demand.minMemGib) return `has less memory than demand.minMemGib ${demand.minMemGib}`;
  if (offer.storageGib < demand.minStorageGib)
    return `has less storage than demand.minStorageGib ${demand.minStorageGib}`;
  return undefined;
}
