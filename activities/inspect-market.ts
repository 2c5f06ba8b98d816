/**
 * Looks at what the market has for a job, and why not more: subscribes a demand that asks for nothing but its subnet, reads
 * offers, and measures each by the spec as a negotiation would. Nobody is answered.
 */
import { buildDemand } from '../model/demand';
import { estimateOf } from '../model/estimate';
import type { Estimate } from '../model/inspect';
import { paymentPlatform } from '../model/job';
import { readOffer, type Offer } from '../model/offer';
import { PROP } from '../model/properties';
import { impatience, paymentTermsReason } from '../model/payment-terms';
import { priceCapReason, providerListReason, SELECTION_STRATEGIES } from '../model/selection';
import { unmetNeed } from '../model/unmet-need';
import { BREACHES } from '../model/avoid';
import { foreignText } from '../model/foreign-text';
import { attempt } from './attempt';
import { avoidedNow } from './avoid';
import type { GolemActivities } from './contract';
import { endDemands } from './demands';
import type { ActivityEnvironment } from './environment';
import { demandMark } from './marks';
import { waitFor } from './wait';
import type { Proposal, Yagna } from './yagna';

const SCAN_SEC = 20;
/** With offers at hand, a scan ends when for so long no other came. */
const QUIET_MS = 2_000;
/** Between polls that bring nothing. */
const LEAST_POLL_MS = 500;
const MOST_OFFERS = 2_000;
const REASONS_KEPT = 20;
/** Ending the demand is tried for so long. */
const CLEANING_MS = 20_000;

export function marketScanActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemScanMarket'> {
  return {
    /**
     * Collects offers for a while and reckons what the job would cost.
     *
     * Effect: none that stays; a demand with the job's mark while it lasts.
     * Retry: demands that a lost attempt has left are ended first.
     * @returns with `isClean` false where a request of a lost attempt may still make a demand
     * @throws YagnaUnavailable, YagnaUnauthorized
     */
    async golemScanMarket({ job, spec, scanSec = SCAN_SEC, taskSec }) {
      return await attempt(async ({ signal, number, retried }) => {
        const yagna = env.connections.get(job.connection);
        if (retried) await endDemands(yagna, job, signal);
        const avoided = await avoidedNow(env);
        const { demand, image } = spec;
        const platform = paymentPlatform(spec.budget);
        const body = buildDemand({ demand, image }, { mark: demandMark(job, number), nowMs: Date.now() });
        let proposals: Proposal[];
        try {
          const constraints = `(${PROP.subnet}=${demand.subnetTag})`;
          const demandId = await yagna.subscribeDemand({ ...body, constraints }, signal);
          proposals = await collect(yagna, demandId, scanSec, signal);
        } finally {
          // Also of a scan that was called off, whose signal would stop this. Should it fail, the workflow sees to it.
          await endDemands(yagna, job, AbortSignal.timeout(CLEANING_MS));
        }
        const suits = (offer: Offer): string | undefined => {
          const entry = avoided.get(offer.providerId);
          const { pricing, providers, budget } = spec;
          return (
            unmetNeed(demand, offer) ??
            providerListReason(providers, offer) ??
            (entry && `on the worker's list to avoid: ${BREACHES[entry.breach].means}`) ??
            priceCapReason(pricing, offer) ??
            (offer.platforms.includes(platform) ? undefined : `cannot be paid on ${platform}`) ??
            paymentTermsReason(demand, budget.payer !== undefined, offer.payment) ??
            impatience(demand, offer.payment)
          );
        };
        const found = sorted(proposals, suits);
        const { select } = spec.providers;
        const strategy =
          env.strategies[select] ?? SELECTION_STRATEGIES[select as keyof typeof SELECTION_STRATEGIES];
        const best = onePerProvider(found.suitable.sort(strategy));
        const estimate: Estimate = {
          ...{ connection: job.connection, platform, offers: proposals.length },
          ...{ providers: found.providers, suitable: best.length, unsuitable: found.unsuitable },
          ...estimateOf(best, spec, taskSec),
        };
        return { estimate, isClean: !retried };
      });
    },
  };
}

async function collect(
  yagna: Yagna,
  demandId: string,
  scanSec: number,
  signal: AbortSignal,
): Promise<Proposal[]> {
  const found = new Map<string, Proposal>();
  const endsMs = Date.now() + scanSec * 1000;
  let newsMs = Infinity;
  while (found.size < MOST_OFFERS) {
    const untilMs = Math.min(endsMs, newsMs + QUIET_MS);
    const leftSec = (untilMs - Date.now()) / 1000;
    if (leftSec <= 0) break;
    const askedMs = Date.now();
    const events = await yagna.demandEvents(demandId, { timeoutSec: Math.min(leftSec, 5) }, signal);
    // One that does not wait as it is asked to must not be asked at once again.
    if (events.length === 0 && Date.now() - askedMs < LEAST_POLL_MS)
      await waitFor(signal).next(Math.min(LEAST_POLL_MS, leftSec * 1000));
    for (const event of events)
      if (event.eventType === 'ProposalEvent' && event.proposal.state === 'Initial') {
        if (!found.has(event.proposal.proposalId)) newsMs = Date.now();
        found.set(event.proposal.proposalId, event.proposal);
      }
  }
  return [...found.values()];
}

interface Sorted {
  suitable: Offer[];
  providers: number;
  unsuitable: Estimate['unsuitable'];
}

/** A provider that suits by one of its offers is not counted for what is wrong with others. */
function sorted(proposals: readonly Proposal[], suits: (offer: Offer) => string | undefined): Sorted {
  const suitable: Offer[] = [];
  const reasons = new Map<string, string>();
  const providers = new Set<string>();
  for (const { properties, issuerId } of proposals) {
    const id = issuerId.toLowerCase();
    providers.add(id);
    const read = readOffer(properties, issuerId);
    const reason = read.ok ? suits(read.offer) : read.reason;
    if (reason !== undefined) reasons.set(id, reasons.get(id) ?? kindOf(reason));
    else if (read.ok) suitable.push(read.offer);
  }
  const unfit = [...reasons].filter(([id]) => !suitable.some(({ providerId }) => providerId === id));
  return { suitable, providers: providers.size, unsuitable: counted(unfit.map(([, reason]) => reason)) };
}

/** Without the number that differs from provider to provider. */
const kindOf = (reason: string): string =>
  foreignText(reason.replace(/price \S+ is above/, 'price is above'));

function counted(reasons: readonly string[]): Estimate['unsuitable'] {
  const counts = new Map<string, number>();
  for (const reason of reasons) {
    const kind = counts.has(reason) || counts.size < REASONS_KEPT ? reason : 'other reasons';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts]
    .map(([reason, providers]) => ({ reason, providers }))
    .sort((a, b) => b.providers - a.providers);
}

function onePerProvider(offers: readonly Offer[]): Offer[] {
  const first = new Map<string, Offer>();
  for (const offer of offers) if (!first.has(offer.providerId)) first.set(offer.providerId, offer);
  return [...first.values()];
}
