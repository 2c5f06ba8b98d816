/**
 * A round of negotiation: keeps a demand on the market, collects offers, answers the best with counter-proposals
 * and returns the drafts that providers agreed to.
 */
import { buildDemand, counterProperties, mergeDecorations } from '../model/demand';
import { counterReason } from '../model/agreed-terms';
import { durationClasses, type DurationClasses } from '../model/duration-classes';
import type { NewEvent } from '../model/events';
import { foreignText } from '../model/foreign-text';
import type { ProposalId } from '../model/ids';
import { readOffer, type Offer } from '../model/offer';
import { impatience, paymentTermsReason } from '../model/payment-terms';
import { PROP } from '../model/properties';
import {
  hourPrice,
  priceCapReason,
  providerListReason,
  raisedPriceReason,
  SELECTION_STRATEGIES,
} from '../model/selection';
import { BREACHES, type AvoidedProvider } from '../model/avoid';
import { attempt } from './attempt';
import { avoidedNow } from './avoid';
import type {
  DraftProposal,
  GolemActivities,
  Negotiated,
  NegotiateInput,
  OfferSummary,
  SubscribedDemand,
  Unanswered,
} from './contract';
import { endDemands } from './demands';
import type { ActivityEnvironment } from './environment';
import { event, proposalReceived } from './events';
import { checksum, demandMark } from './marks';
import { waitFor } from './wait';
import {
  failure,
  isYagnaError,
  type DemandBody,
  type DemandDecorations,
  type DemandEvent,
  type Proposal,
  type Reason,
  type Yagna,
} from './yagna';

/**
 * Offers come in bursts: after one, how long to wait for more before a choice is made. The best so far are answered meanwhile: they may
 * remain the best.
 */
const GATHER_MS = 100;
/**
 * A round without result ends once offers and answers have had their time, but no sooner than this; the job sees what
 * was wrong and asks again.
 */
const SHORTEST_ROUND_MS = 5_000;
/** Events of one kind reported in a round: a market has hundreds of offers, a history has not. */
const EVENTS_REPORTED = 20;
/** Between polls that bring nothing. */
const LEAST_POLL_MS = 500;
const LEFT_OVER_KEPT = 30;
/** Place of what was never ranked. */
const LAST = 1_000_000;
const REASONS_KEPT = 20;
/** With a draft in hand, others are waited for so long after the last news; their answers are taken in the next round. */
const PATIENCE_MS = 1000;

export function negotiationActivities(
  env: ActivityEnvironment,
): Pick<GolemActivities, 'golemNegotiate' | 'golemUnsubscribeDemands'> {
  return {
    /**
     * One round of negotiation.
     *
     * Effect: a demand marked with the job, counter-proposals to the best offers.
     * Retry: what a lost attempt had read is gone, so its demand is ended and a new one brings fresh offers.
     * @returns drafts, best first; fewer than wanted when the round's time is over, or nobody new offers
     * @throws BudgetExhausted - the allocation is gone, so nobody could be paid (not retried)
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemNegotiate(input) {
      return await attempt(async ({ signal, number, retried }) => {
        const yagna = env.connections.get(input.job.connection);
        const round = new Round(env, yagna, input, await avoidedNow(env), signal);
        return { ...(await round.run(number)), retried };
      });
    },

    /**
     * Ends the job's demands.
     *
     * Effect: no demand with the job's mark is left.
     * Retry: an unknown demand is a success.
     */
    async golemUnsubscribeDemands({ job }) {
      return await attempt(async ({ signal }) => {
        const yagna = env.connections.get(job.connection);
        return { events: await endDemands(yagna, job, signal) };
      });
    },
  };
}

/** What an offer is ranked by. */
interface Rank {
  /** In the order in which they came, or by the rank that they got in the round before. */
  place: number;
  /** In the round in which it came. */
  fresh?: {
    offer: Offer;
    /**
     * Its place among equal offers: each job has an order of its own, the same each time, so that many jobs at once do not all
     * ask the same provider, which has room for one.
     */
    lot: number;
  };
}

/** An offer that suits, waiting to be answered. */
interface Candidate extends Rank {
  summary: OfferSummary;
}

class Round {
  private demand: SubscribedDemand | undefined;
  private demandNumber = 0;
  private body: DemandBody | undefined;
  private candidates: Candidate[];
  /** Our counter-proposals by id, with when we give up on each. */
  private readonly asked = new Map<ProposalId, Candidate & { untilMs: number }>();
  /** Counter-proposals that were refused for now, or not answered in time: an answer is welcome all the same. */
  private readonly unanswered: Map<ProposalId, Candidate>;
  /** Those of them to which nothing was heard. */
  private readonly silent: Set<ProposalId>;
  private heard = false;
  /** Events that were read. */
  private readonly told = new Set<string>();
  private readonly drafts: { draft: DraftProposal; by: Rank }[] = [];
  /** Drafts of rounds before, of providers that are not to be taken now. */
  private readonly shelved: DraftProposal[] = [];
  /** Since when there are as many as are wanted. */
  private enoughMs: number | undefined;
  /** Offers come in, and more of them are awaited until then. */
  private burstEndsMs = 0;
  private newsMs = Date.now();
  private readonly events: NewEvent[] = [];
  private readonly seen = { offers: 0, unsuitable: {} as Record<string, number> };

  constructor(
    private readonly env: ActivityEnvironment,
    private readonly yagna: Yagna,
    private readonly input: NegotiateInput,
    /** On the worker's own list, by id. */
    private readonly avoided: ReadonlyMap<string, AvoidedProvider>,
    private readonly signal: AbortSignal,
  ) {
    this.candidates = input.leftOver.map((summary, place) => ({ summary, place: summary.rank ?? place }));
    this.unanswered = new Map(
      input.unanswered.map(({ counterId, summary }) => [counterId, { summary, place: summary.rank ?? LAST }]),
    );
    this.silent = new Set(input.unanswered.flatMap(({ counterId, silent }) => (silent ? counterId : [])));
  }

  async run(attemptNumber: number): Promise<Omit<Negotiated, 'retried'>> {
    const { input } = this;
    const { demand: options } = input.spec;
    await this.openDemand(attemptNumber);
    const usualMs = (options.offerFetchingIntervalSec + options.proposalTimeoutSec) * 1000;
    const endsMs = Date.now() + Math.max(SHORTEST_ROUND_MS, usualMs);
    while (this.demand && (this.isBurst() || !this.isChosen()) && Date.now() < endsMs) {
      await this.answerBest();
      const isFirst = this.isBurst() || (this.drafts.length === 0 && this.asked.size === 0);
      const fresh = await this.collect(Math.min(this.waitSec(endsMs), options.offerFetchingIntervalSec));
      if (this.seen.offers >= options.maxOfferEvents) this.burstEndsMs = 0;
      else if (fresh && isFirst) this.burstEndsMs = Date.now() + GATHER_MS;
      this.giveUpOnSilent();
      if (!this.isBurst() && this.isQuiet(fresh)) break;
    }
    const { demand } = this;
    const rank = this.ranking();
    const ranked = <T extends OfferSummary>(summary: T, by: Rank): T => ({ ...summary, rank: rank.get(by) });
    // Drafts of a demand that is no more cannot be signed.
    const drafts = demand ? this.drafts.map(({ draft, by }) => ranked(draft, by)) : [];
    drafts.sort((a, b) => (a.rank ?? LAST) - (b.rank ?? LAST));
    const unanswered = this.stillUnanswered(ranked);
    const leftOver = this.candidates.map((each) => ranked(each.summary, each));
    return {
      demand,
      demandNumber: this.demandNumber,
      drafts: drafts.slice(0, input.wanted),
      spare: [...drafts.slice(input.wanted), ...this.shelved],
      leftOver: leftOver.slice(0, LEFT_OVER_KEPT),
      unanswered: unanswered.slice(-LEFT_OVER_KEPT),
      silent: !this.heard && unanswered.some(({ silent }) => silent),
      events: this.events,
      seen: this.seen,
    };
  }

  private isBurst(): boolean {
    return Date.now() < this.burstEndsMs;
  }

  /** As many as are wanted have agreed, and nobody better has still to. */
  private isChosen(): boolean {
    const agreed = this.drafts.map(({ by }) => by);
    return agreed.length >= this.input.wanted && this.best().every((each) => agreed.includes(each));
  }

  /** Nothing more is worth waiting for. */
  private isQuiet(fresh: boolean): boolean {
    const now = Date.now();
    if (this.drafts.length >= this.input.wanted) {
      this.enoughMs ??= now;
      if (now - this.enoughMs >= PATIENCE_MS) return true;
    }
    return !fresh && this.isEnough(now - this.newsMs);
  }

  /** Wakes up when an answer is overdue, the round ends, or drafts are at hand and nobody else answers quickly. */
  private waitSec(endsMs: number): number {
    const now = Date.now();
    if (now < this.burstEndsMs) return (this.burstEndsMs - now) / 1000;
    const overdue = [...this.asked.values()].map(({ untilMs }) => untilMs);
    const until = Math.min(endsMs, ...overdue);
    const patience = this.drafts.length > 0 ? 1 : 60;
    return Math.max(0.05, Math.min((until - now) / 1000, patience));
  }

  /** True when waiting longer, after `quietMs` without news, promises little. */
  private isEnough(quietMs: number): boolean {
    const offering = this.candidates.map(({ summary }) => summary.provider.id);
    const nobodyElse = this.asked.size === 0 && offering.every((id) => this.isTaken(id));
    if (this.drafts.length > 0) return nobodyElse || quietMs >= PATIENCE_MS;
    // Nobody offers but providers that failed before: the job decides about them.
    const forgivable = offering.some((id) => this.input.forgivable.includes(id));
    return nobodyElse && forgivable && quietMs >= this.input.spec.demand.offerFetchingIntervalSec * 1000;
  }

  private stillUnanswered(ranked: (summary: OfferSummary, by: Rank) => OfferSummary): Unanswered[] {
    const told = ([counterId, each]: [ProposalId, Candidate], silent: boolean): Unanswered => ({
      ...{ counterId, summary: ranked(each.summary, each), silent },
    });
    const others = [...this.unanswered].map((each) => told(each, this.silent.has(each[0])));
    return [...others, ...[...this.asked].map((each) => told(each, true))];
  }

  /** Places of all that was not taken or came to a draft, for the rounds to come. */
  private ranking(): Map<Rank, number> {
    const all: Rank[] = [...this.drafts.map(({ by }) => by), ...this.candidates];
    all.push(...this.asked.values(), ...this.unanswered.values());
    return new Map(all.sort((a, b) => this.compare(a, b)).map((each, place) => [each, place]));
  }

  private async openDemand(attemptNumber: number): Promise<void> {
    const { input, yagna, signal } = this;
    const { job, spec } = input;
    const old = input.demand;
    const decorations = await this.decorations();
    const body = (n: number, expiresAtMs: number): DemandBody => {
      const nowMs = expiresAtMs - spec.demand.expirationSec * 1000;
      return mergeDecorations(
        buildDemand(spec, { mark: demandMark(job, n), nowMs, payer: input.payer }),
        decorations,
      );
    };
    const isLongEnough = old && old.expiresAtMs - Date.now() > spec.demand.leastLifeSec * 1000;
    if (isLongEnough && !input.renew && attemptNumber === 1) {
      this.demand = old;
      this.demandNumber = old.n;
      this.body = body(old.n, old.expiresAtMs);
      for (const draft of input.spare ?? []) {
        if (this.isTaken(draft.provider.id)) this.shelved.push(draft);
        else this.drafts.push({ draft, by: { place: draft.rank ?? LAST } });
      }
      return;
    }
    if (old || attemptNumber > 1) this.events.push(...(await endDemands(yagna, job, signal)));
    this.candidates = [];
    this.unanswered.clear();
    this.silent.clear();
    const n = input.nextDemandNumber + attemptNumber - 1;
    const expiresAtMs = Date.now() + spec.demand.expirationSec * 1000;
    this.body = body(n, expiresAtMs);
    const demandId = await yagna.subscribeDemand(this.body, signal);
    this.demand = { demandId, n, expiresAtMs };
    this.demandNumber = n;
    this.events.push(
      event('DemandSubscribed', {
        id: demandId,
        mark: demandMark(job, n),
        expiration: new Date(expiresAtMs).toISOString(),
      }),
    );
  }

  private async decorations(): Promise<DemandDecorations> {
    try {
      return await this.yagna.demandDecorations(this.input.allocationId, this.signal);
    } catch (error) {
      if (!isYagnaError(error, 'notFound')) throw error;
      const gone = 'the allocation of the budget was released or has lapsed: nobody new can be paid from it';
      throw failure('BudgetExhausted', gone);
    }
  }

  /** Reads what the market has to say. Returns true when there were new offers. */
  private async collect(timeoutSec: number): Promise<boolean> {
    const { input, yagna, signal, demand } = this;
    if (!demand) return false;
    const maxEvents = Math.min(100, input.spec.demand.maxOfferEvents);
    const askedMs = Date.now();
    let events;
    try {
      events = await yagna.demandEvents(demand.demandId, { timeoutSec, maxEvents }, signal);
    } catch (error) {
      if (!isYagnaError(error, 'notFound')) throw error;
      this.demand = undefined;
      return false;
    }
    const news = events.filter((each) => this.isNews(each));
    // One that does not wait as it is asked to must not be asked at once again.
    const leastMs = Math.min(timeoutSec * 1000, LEAST_POLL_MS);
    if (news.length === 0 && Date.now() - askedMs < leastMs / 2) await waitFor(signal).next(leastMs);
    let fresh = false;
    if (news.length > 0) this.heard = true;
    for (const each of news) {
      if (each.eventType === 'ProposalRejectedEvent') this.onRejected(each.proposalId, each.reason);
      else if (each.proposal.state === 'Draft') this.onDraft(each.proposal);
      else fresh = this.onOffer(each.proposal) || fresh;
    }
    return fresh;
  }

  /** An event is consumed by reading; a yagna that repeats it has nothing new to say. */
  private isNews(told: DemandEvent): boolean {
    const about =
      told.eventType === 'ProposalRejectedEvent'
        ? told.proposalId
        : [told.proposal.proposalId, told.proposal.state];
    const key = [told.eventType, about].join(' ');
    if (this.told.has(key)) return false;
    this.told.add(key);
    return true;
  }

  /** Providers write their own reasons: cut, and not more kinds of them than anybody would read. */
  private countUnsuitable(reason: string): void {
    const { unsuitable } = this.seen;
    const short = foreignText(reason);
    const kind =
      short in unsuitable || Object.keys(unsuitable).length < REASONS_KEPT ? short : 'other reasons';
    unsuitable[kind] = (unsuitable[kind] ?? 0) + 1;
  }

  private report(reported: NewEvent): void {
    const alike = this.events.filter(({ name }) => name === reported.name).length;
    if (alike < EVENTS_REPORTED) this.events.push(reported);
  }

  private onOffer(proposal: Proposal): boolean {
    const { spec, avoid } = this.input;
    this.seen.offers += 1;
    const read = readOffer(proposal.properties, proposal.issuerId);
    const unsuitable = (reason: string): false => {
      this.countUnsuitable(reason);
      return false;
    };
    if (!read.ok) return unsuitable(read.reason);
    const { offer } = read;
    const provider = { id: offer.providerId, name: offer.providerName };
    this.report(proposalReceived(proposal.proposalId, provider, proposal.properties, proposal.state));
    const reason =
      providerListReason(spec.providers, offer) ??
      this.faithReason(offer.providerId) ??
      this.termsReason(offer) ??
      impatience(spec.demand, offer.payment);
    if (reason) return unsuitable(reason);
    const summary = { proposalId: proposal.proposalId, provider, ...pricesOf(offer) };
    // Kept even if avoided now: a later round may want it.
    const lot = checksum(2 ** 48, this.input.job.jobUuid, provider.id);
    this.candidates.push({ summary, place: this.seen.offers, fresh: { offer, lot } });
    if (avoid.includes(offer.providerId)) return false;
    this.newsMs = Date.now();
    return true;
  }

  /** Answers the best offers, as many as are still wanted. */
  private async answerBest(): Promise<void> {
    const { input, yagna, signal, demand, body } = this;
    if (!demand || !body) return;
    this.candidates.sort((a, b) => this.compare(a, b));
    const best = this.best();
    for (const candidate of this.free().filter((each) => best.includes(each))) {
      this.candidates = this.candidates.filter((other) => other !== candidate);
      const { summary } = candidate;
      const counter = {
        properties: counterProperties(body, input.platform),
        constraints: body.constraints,
      };
      try {
        const id = await yagna.counterProposal(demand.demandId, summary.proposalId, counter, signal);
        const untilMs = Date.now() + input.spec.demand.proposalTimeoutSec * 1000;
        this.asked.set(id, { ...candidate, untilMs });
        this.report(
          event('ProposalResponded', {
            id,
            counteringProposalId: summary.proposalId,
            provider: summary.provider,
          }),
        );
      } catch (error) {
        // Answered before, withdrawn, or of a demand that is no more: the next one, please.
        if (!isYagnaError(error, 'gone', 'notFound', 'badRequest', 'conflict')) throw error;
        // No answer will come, nor the offer again.
        this.unanswered.set(summary.proposalId, candidate);
        this.silent.add(summary.proposalId);
      }
    }
  }

  /** Why terms of a provider are not taken, be they offered or agreed to. */
  private termsReason(offer: Offer): string | undefined {
    const { spec, platform } = this.input;
    const isPayable = offer.platforms.includes(platform);
    return (
      priceCapReason(spec.pricing, offer) ??
      (isPayable ? undefined : `cannot be paid on ${platform}`) ??
      paymentTermsReason(spec.demand, this.input.payer !== undefined, offer.payment)
    );
  }

  private classes(): DurationClasses {
    return durationClasses(this.env.specSettings.durationClasses);
  }

  /** Why a provider is not trusted any more. */
  private faithReason(id: string): string | undefined {
    const broken = this.input.brokeFaith.find((each) => each.id === id);
    if (broken) return broken.reason;
    const entry = this.avoided.get(id);
    return entry && `on the worker's list to avoid: ${BREACHES[entry.breach].means}`;
  }

  private isTaken(providerId: string): boolean {
    return (
      this.input.avoid.includes(providerId) ||
      this.avoided.has(providerId) ||
      this.drafts.some(({ draft }) => draft.provider.id === providerId) ||
      [...this.asked.values()].some(({ summary }) => summary.provider.id === providerId)
    );
  }

  /** As many as are wanted, of those that have agreed, were asked or are free. */
  private best(): Rank[] {
    const all: Rank[] = [...this.drafts.map(({ by }) => by), ...this.asked.values(), ...this.free()];
    return all.sort((a, b) => this.compare(a, b)).slice(0, this.input.wanted);
  }

  private free(): Candidate[] {
    return this.candidates.filter(({ summary }) => !this.isTaken(summary.provider.id));
  }

  /** Left-over offers were ranked in their round and go first. */
  private compare(a: Rank, b: Rank): number {
    if (!a.fresh || !b.fresh) return Number(Boolean(a.fresh)) - Number(Boolean(b.fresh)) || a.place - b.place;
    const name = this.input.spec.providers.select;
    const strategy =
      this.env.strategies[name] ?? SELECTION_STRATEGIES[name as keyof typeof SELECTION_STRATEGIES];
    return strategy(a.fresh.offer, b.fresh.offer) || a.fresh.lot - b.fresh.lot || a.place - b.place;
  }

  private onDraft(proposal: Proposal): void {
    const { prevProposalId } = proposal;
    const { demand } = this;
    if (!demand || prevProposalId === undefined) return;
    const asked = this.asked.get(prevProposalId) ?? this.unanswered.get(prevProposalId);
    this.asked.delete(prevProposalId);
    this.unanswered.delete(prevProposalId);
    if (!asked || this.isTaken(asked.summary.provider.id)) return;
    const { summary } = asked;
    this.newsMs = Date.now();
    const read = readOffer(proposal.properties, proposal.issuerId);
    this.report(
      proposalReceived(
        proposal.proposalId,
        summary.provider,
        proposal.properties,
        proposal.state,
        prevProposalId,
      ),
    );
    if (!read.ok) return this.countUnsuitable(read.reason);
    const { offer } = read;
    // A provider writes its draft anew: what it offered before binds it to nothing.
    const worse =
      this.termsReason(offer) ??
      raisedPriceReason(summary, offer) ??
      counterReason(this.input.spec.demand, proposal.properties, this.classes());
    if (worse) return this.countUnsuitable(worse);
    this.drafts.push({
      draft: { ...summary, ...pricesOf(offer), proposalId: proposal.proposalId, demand },
      by: asked,
    });
  }

  private onRejected(counterId: ProposalId, why: Reason | undefined): void {
    const asked = this.asked.get(counterId) ?? this.unanswered.get(counterId);
    if (!asked) return;
    const { summary } = asked;
    this.newsMs = Date.now();
    this.asked.delete(counterId);
    this.silent.delete(counterId);
    if (why?.[PROP.rejectionIsFinal] === true) this.unanswered.delete(counterId);
    else this.unanswered.set(counterId, asked);
    const reason = why?.message ?? 'no reason given';
    this.countUnsuitable(reason);
    this.report(event('ProposalRejected', { id: counterId, provider: summary.provider, reason }));
  }

  private giveUpOnSilent(): void {
    for (const [id, asked] of this.asked) {
      if (Date.now() < asked.untilMs) continue;
      this.asked.delete(id);
      this.unanswered.set(id, asked);
      this.silent.add(id);
      const reason = 'no answer to our counter-proposal in time';
      this.countUnsuitable(reason);
    }
  }
}

function pricesOf(offer: Offer): Pick<OfferSummary, 'cpuThreads' | 'pricePerHour' | 'startPrice'> {
  const { cpuThreads, pricing } = offer;
  return { cpuThreads, pricePerHour: hourPrice(offer), startPrice: pricing.startPrice };
}
