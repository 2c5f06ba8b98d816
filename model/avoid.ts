/**
 * Providers that broke faith: what counts as that, for how long they are avoided, and the store in which a worker may
 * remember them for later jobs.
 */
import type { ProviderId, Timestamp } from './ids';

/** What a provider can do so that it gets no more work of a job, even when nobody else is on the market. */
export const BREACHES = {
  billRefused: { means: 'it sent a bill that was refused', days: 30 },
  resultsUntrue: { means: 'it told results that cannot be those of the script', days: 30 },
  agreementEnded: { means: 'it ended an agreement while a script ran, without need', days: 7 },
  vmsDied: { means: 'its VMs died under several tasks', days: 7 },
} as const satisfies Record<string, { means: string; days: number }>;

export type Breach = keyof typeof BREACHES;

/** One provider to avoid, and why. */
export interface AvoidedProvider {
  id: ProviderId;
  /** What it calls itself, for people. */
  name: string;
  breach: Breach;
  /** What happened, one line. */
  reason: string;
  since: Timestamp;
  /** It is avoided until then. */
  until: Timestamp;
}

/**
 * Where a worker remembers providers that broke faith, over jobs and restarts. Several workers may share one. When a
 * call rejects, the worker writes a line to its log and goes on as if there were no store.
 */
export interface ProviderAvoidStore {
  /** All that is known; what is past its `until` may be among it. Read at each round of negotiation. */
  list(): Promise<AvoidedProvider[]>;
  /** May be told the same again: a repeat changes nothing. */
  add(provider: AvoidedProvider): Promise<void>;
}

const MS_PER_DAY = 86_400_000;

/** @param nowMs - when it broke faith, ms since the epoch */
export function avoided(
  { id, name, breach, reason }: Pick<AvoidedProvider, 'id' | 'name' | 'breach' | 'reason'>,
  nowMs: number,
): AvoidedProvider {
  const until = new Date(nowMs + BREACHES[breach].days * MS_PER_DAY).toISOString();
  return { id, name, breach, reason, since: new Date(nowMs).toISOString(), until };
}
