/**
 * Live demands, the proposals made under them and the events that wait to be read. All of it is in memory and gone
 * when the daemon stops, as yagna forgets it too.
 */
import { formatMillis, formatNanos, nowNanos, proposalId, subscriptionId } from '../clock';
import type { EffectLog } from '../contract';
import { failure } from '../server/errors';
import { Stream } from '../server/long-poll';
import { matches, parseTerms, type ParsedTerms, type Terms } from './constraints';

export type ProposalState = 'Initial' | 'Draft' | 'Rejected' | 'Accepted';

export interface Proposal extends Terms {
  id: string;
  issuer: string;
  state: ProposalState;
  created: string;
  previous?: Proposal;
  countered: boolean;
  demand: Demand;
  provider: string;
  /** The provider's offer that this chain of proposals began with. */
  offer: { id: string; terms: ParsedTerms; created: string };
}

export interface Demand extends Terms {
  id: string;
  requestor: string;
  created: string;
  parsed: ParsedTerms;
  /** Yet to be read. */
  events: DemandEvent[];
  /** Providers whose offers are among the events yet to be read. */
  offering: Set<string>;
  stream: Stream;
  subscribed: boolean;
  proposals: Map<string, Proposal>;
}

/** An event is made when it is read, since of the offers of many providers few are ever looked at. */
export interface DemandEvent {
  brings: 'offers' | 'drafts' | 'refusals';
  make(): { event: object; proposal: Proposal };
}

/** What the book tells the providers. */
export interface ProviderSide {
  onDemand(demand: Demand): void;
  onUnsubscribed(demand: Demand): void;
  /** The requestor's counter-proposal waits for an answer. */
  onCounter(counter: Proposal): void;
}

/** Demands that were unsubscribed but still get their own error messages, at most; and the proposals under them. */
const GONE_KEPT = 1000;
const GONE_PROPOSALS_KEPT = 20_000;

export class DemandBook {
  providers: ProviderSide | undefined;
  private readonly demands = new Map<string, Demand>();
  /** Of all demands. */
  private readonly proposals = new Map<string, Proposal>();
  private readonly gone: Demand[] = [];
  private goneProposals = 0;

  constructor(private readonly effects: EffectLog) {}

  subscribe(requestor: string, terms: Terms): Demand {
    const demand: Demand = {
      ...terms,
      id: subscriptionId(),
      requestor,
      created: formatNanos(nowNanos()),
      parsed: parseTerms(terms),
      events: [],
      offering: new Set(),
      stream: new Stream(),
      subscribed: true,
      proposals: new Map(),
    };
    this.demands.set(demand.id, demand);
    this.effects.record('demand-created', { demandId: demand.id, requestorId: requestor });
    this.providers?.onDemand(demand);
    return demand;
  }

  live(requestor?: string): Demand[] {
    const all = [...this.demands.values()].filter((demand) => demand.subscribed);
    return requestor === undefined ? all : all.filter((demand) => demand.requestor === requestor);
  }

  /** A demand of this requestor, be it unsubscribed or not. */
  known(requestor: string, id: string): Demand | undefined {
    const demand = this.demands.get(id);
    return demand?.requestor === requestor ? demand : undefined;
  }

  unsubscribe(demand: Demand): void {
    this.effects.record('demand-removed', { demandId: demand.id, requestorId: demand.requestor });
    this.end(demand);
  }

  private end(demand: Demand): void {
    demand.subscribed = false;
    demand.events = [];
    this.providers?.onUnsubscribed(demand);
    demand.stream.wake();
    this.gone.push(demand);
    this.goneProposals += demand.proposals.size;
    while (
      this.gone.length > GONE_KEPT ||
      (this.gone.length > 1 && this.goneProposals > GONE_PROPOSALS_KEPT)
    ) {
      const oldest = this.gone.shift();
      if (!oldest) return;
      this.goneProposals -= oldest.proposals.size;
      this.drop(oldest);
    }
  }

  private drop(demand: Demand): void {
    this.demands.delete(demand.id);
    for (const id of demand.proposals.keys()) this.proposals.delete(id);
  }

  /** The requestors' daemon went down: it knows none of their demands any more. */
  forget(requestors: readonly string[]): void {
    for (const demand of this.demands.values()) {
      if (!requestors.includes(demand.requestor)) continue;
      if (demand.subscribed) {
        this.effects.record('demand-forgotten', { demandId: demand.id, requestorId: demand.requestor });
        this.end(demand);
      }
      this.drop(demand);
    }
  }

  /** Events of a demand, oldest first; each is handed out once. */
  takeEvents(demand: Demand, max: number): object[] | undefined {
    if (!demand.subscribed) throw subscriptionNotFound(demand.id);
    if (demand.events.length === 0) return undefined;
    const taken = demand.events.splice(0, max).map(({ brings, make }) => ({ brings, ...make() }));
    if (taken.length > 0) {
      const those = (wanted: DemandEvent['brings']): { proposalId: string; providerId: string }[] =>
        taken
          .filter(({ brings }) => brings === wanted)
          .map(({ proposal: { id, provider } }) => ({ proposalId: id, providerId: provider }));
      this.effects.record('proposals-collected', {
        ...{ demandId: demand.id, requestorId: demand.requestor },
        ...{ offers: those('offers'), drafts: those('drafts'), refusals: those('refusals') },
      });
    }
    return taken.map(({ event }) => event);
  }

  findProposal(requestor: string, demandId: string, id: string): Proposal | undefined {
    return this.known(requestor, demandId)?.proposals.get(id);
  }

  /** A proposal under any live or remembered demand of this requestor. */
  findAnywhere(requestor: string, id: string): Proposal | undefined {
    const proposal = this.proposals.get(id);
    return proposal?.demand.requestor === requestor ? proposal : undefined;
  }

  /** A provider's first offer to a demand. */
  propose(demand: Demand, provider: string, offer: Proposal['offer'], terms: Terms): void {
    // A demand that nobody reads gathers one offer of each provider, however often they offer again.
    if (demand.offering.has(provider)) return;
    demand.offering.add(provider);
    const at = nowNanos();
    this.push(demand, 'offers', () => {
      demand.offering.delete(provider);
      const fields = { ...terms, issuer: provider, state: 'Initial' as const, demand, provider, offer };
      const proposal = this.add(fields, proposalId(), at);
      return { proposal, event: proposalEvent(proposal, at) };
    });
  }

  /** The requestor's answer to a provider's proposal. */
  counter(previous: Proposal, terms: Terms): Proposal {
    const { demand } = previous;
    if (!demand.subscribed) throw failure(400, `Subscription [${demand.id}] wasn't found.`);
    if (previous.issuer === demand.requestor)
      throw failure(400, `Can't react to own Proposal [${previous.id}].`);
    if (previous.countered) {
      throw failure(
        410,
        `Proposal [${previous.id}] already has counter proposal. Can't counter for the second time.`,
      );
    }
    if (previous.state === 'Rejected') {
      throw failure(400, `Proposal [${previous.id}] was rejected. Can't counter it any more.`);
    }
    const id = proposalId();
    if (!matches(parseTerms(terms), parseTerms(previous))) {
      throw failure(
        400,
        `Proposal properties [${id}] doesn't match previous Proposal [${previous.id}]. ` +
          'Mismatched constraints - Offer: [], Demand: []',
      );
    }
    previous.countered = true;
    const { provider, offer } = previous;
    const counter = this.add(
      { ...terms, issuer: demand.requestor, state: 'Draft', demand, provider, offer, previous },
      id,
    );
    this.effects.record('proposal-countered', { ...named(counter), prevProposalId: previous.id });
    this.providers?.onCounter(counter);
    return counter;
  }

  /** The provider's answer to a counter-proposal: a draft that an agreement can be made of. */
  answer(counter: Proposal, terms: Terms): Proposal {
    const { demand, provider, offer } = counter;
    counter.countered = true;
    counter.state = 'Draft';
    const draft = this.add({
      ...terms,
      issuer: provider,
      state: 'Draft',
      demand,
      provider,
      offer,
      previous: counter,
    });
    const at = nowNanos();
    this.effects.record('proposal-drafted', { ...named(draft), prevProposalId: counter.id });
    this.push(demand, 'drafts', () => ({ proposal: draft, event: proposalEvent(draft, at) }));
    return draft;
  }

  /** The provider's no to a counter-proposal. */
  refuse(counter: Proposal, message: string, isFinal: boolean): void {
    counter.state = 'Rejected';
    const event = {
      eventType: 'ProposalRejectedEvent',
      eventDate: formatMillis(nowNanos()),
      proposalId: counter.id,
      reason: { message, 'golem.proposal.rejection.is-final': isFinal },
    };
    this.effects.record('proposal-refused', { ...named(counter), message, isFinal });
    this.push(counter.demand, 'refusals', () => ({ proposal: counter, event }));
  }

  /** The requestor's no to a provider's proposal. */
  reject(proposal: Proposal): void {
    const { demand } = proposal;
    if (!demand.subscribed) throw failure(400, `Subscription [${demand.id}] wasn't found.`);
    if (proposal.issuer === demand.requestor)
      throw failure(400, `Can't react to own Proposal [${proposal.id}].`);
    if (proposal.state !== 'Rejected') this.effects.record('proposal-rejected', named(proposal));
    proposal.state = 'Rejected';
  }

  private add(
    fields: Omit<Proposal, 'id' | 'created' | 'countered'>,
    id = proposalId(),
    at = nowNanos(),
  ): Proposal {
    const proposal: Proposal = { ...fields, id, created: formatNanos(at), countered: false };
    proposal.demand.proposals.set(proposal.id, proposal);
    this.proposals.set(proposal.id, proposal);
    return proposal;
  }

  private push(demand: Demand, brings: DemandEvent['brings'], make: DemandEvent['make']): void {
    if (!demand.subscribed) return;
    demand.events.push({ brings, make });
    demand.stream.wake();
  }
}

function named({ id, demand, provider }: Proposal): {
  demandId: string;
  proposalId: string;
  providerId: string;
} {
  return { demandId: demand.id, proposalId: id, providerId: provider };
}

function proposalEvent(proposal: Proposal, at: bigint): object {
  return { eventType: 'ProposalEvent', eventDate: formatMillis(at), proposal: proposalView(proposal) };
}

export function proposalView(proposal: Proposal): object {
  return {
    properties: proposal.properties,
    constraints: proposal.constraints,
    proposalId: proposal.id,
    issuerId: proposal.issuer,
    state: proposal.state,
    timestamp: proposal.created,
    ...(proposal.previous ? { prevProposalId: proposal.previous.id } : {}),
  };
}

export function subscriptionNotFound(id: string): Error {
  return failure(404, `Subscription [${id}] not found. Could be unsubscribed.`);
}
