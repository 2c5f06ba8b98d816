/** One simulated provider on the market: what it offers, how it answers, and how many agreements it can hold. */
import { namedBroker } from '../../model/payer';
import { PROP } from '../../model/properties';
import { because, byProvider } from '../cause';
import { formatNanos, nowNanos, subscriptionId } from '../clock';
import { providerNodeId } from '../identity';
import type { Agreement, Agreements } from '../market/agreements';
import type { Demand, DemandBook, Proposal } from '../market/book';
import { matches, parseTerms } from '../market/constraints';
import type { PublicOffer } from '../market/scan-routes';
import type { Conditions } from '../faults/conditions';
import { delayOf, type Fault } from '../faults/faults';
import type { Stream } from '../server/long-poll';
import type { Timers } from '../timers';
import type { Wallets } from '../payment/wallets';
import { brokerComplaint } from './broker-client';
import type { Provider } from './config';
import { changesDraft, dishonestDraft } from './dishonest-drafts';
import { negotiate, noCapacity } from './negotiation';
import { offerTerms } from './offer';

/** Where this provider stands with a live demand; `missed`: its offer did not get there. */
type Standing = 'open' | 'missed' | 'postponed' | 'refused' | 'finallyRefused' | 'signed';

/**
 * A requestor has the answer to its counter-proposal before it hears of the provider's: programs lose what comes sooner.
 * Milliseconds.
 */
const ROUND_TRIP_MS = 10;

export interface ProviderNeighbours {
  book: DemandBook;
  agreements: Agreements;
  wallets: Wallets;
  timers: Timers;
  conditions: Conditions;
  /** Woken when there are new offers on the market. */
  offersChange: Stream;
}

export class SimulatedProvider {
  readonly nodeId: string;
  private readonly book: DemandBook;
  private readonly agreements: Agreements;
  private readonly wallets: Wallets;
  private readonly timers: Timers;
  private readonly conditions: Conditions;
  private readonly offersChange: Stream;
  private readonly terms;
  private offer: Proposal['offer'];
  private readonly serving = new Set<string>();
  private readonly standings = new Map<string, Standing>();
  /** Counters refused for want of capacity; they get a draft once there is some. */
  private postponed: Proposal[] = [];
  /** Whether it is in business. */
  private isOpen = true;

  constructor(
    readonly config: Provider,
    near: ProviderNeighbours,
  ) {
    this.book = near.book;
    this.agreements = near.agreements;
    this.wallets = near.wallets;
    this.timers = near.timers;
    this.conditions = near.conditions;
    this.offersChange = near.offersChange;
    this.nodeId = providerNodeId(config.name);
    this.terms = offerTerms(config, this.nodeId, Date.now());
    this.offer = this.newOffer();
  }

  get open(): boolean {
    return this.isOpen;
  }

  get agreementsServed(): number {
    return this.serving.size;
  }

  /** Takes its offer back; nobody gets an answer any more. */
  close(): void {
    this.isOpen = false;
    this.postponed = [];
  }

  /** Offers anew to every live demand. */
  reopen(): void {
    this.isOpen = true;
    this.standings.clear();
    this.offer = this.newOffer();
    for (const demand of this.book.live()) this.onDemand(demand);
  }

  /** It crashed: it serves nobody, and offers anew to every live demand once it is back. */
  forget(): void {
    this.serving.clear();
    this.postponed = [];
    this.standings.clear();
    for (const demand of this.book.live())
      if (matches(demand.parsed, this.offer.terms)) this.standings.set(demand.id, 'missed');
  }

  get busy(): boolean {
    return this.serving.size >= this.config.agreementLimit;
  }

  publicOffer(): PublicOffer {
    return { ...this.terms, offerId: this.offer.id, providerId: this.nodeId, timestamp: this.offer.created };
  }

  onDemand(demand: Demand): void {
    if (!this.isOpen || !matches(demand.parsed, this.offer.terms)) return;
    const fault = this.conditions.step('offer', this.nodeId, demand.requestor);
    if (fault?.do === 'withhold') return;
    const delayMs = this.config.offerDelaySec * 1000 + delayOf(fault);
    if (delayMs > 0) this.timers.after(delayMs, () => this.propose(demand));
    else this.propose(demand);
  }

  onUnsubscribed(demand: Demand): void {
    this.standings.delete(demand.id);
    this.postponed = this.postponed.filter((counter) => counter.demand !== demand);
  }

  onCounter(counter: Proposal): void {
    if (!this.isOpen) return;
    // Answered after the request that made it, as over a network.
    const fault = this.conditions.step('negotiate', this.nodeId, counter.demand.requestor, (each) =>
      changesDraft(each, counter.previous),
    );
    if (fault?.do === 'withhold') return;
    const answer = (): void => {
      if (!this.canAnswer(counter)) return;
      if (fault?.do === 'refuse') this.refuse(counter, fault.message ?? 'no', fault.isFinal ?? false);
      else this.answer(counter, fault);
    };
    const answerIfPaid = (): void => {
      const broker = this.config.paidBy === 'requestor' ? undefined : namedBroker(counter.properties);
      if (!broker) return answer();
      void brokerComplaint(broker, {
        ...{ requestor: counter.demand.requestor, platform: String(counter.properties[PROP.chosenPlatform]) },
        balance: (address, platform) => this.wallets.balance(address, platform),
      }).then((complaint) => {
        if (this.timers.isClosed) return;
        because(byProvider(this.config.name), () => {
          if (complaint === undefined) answer();
          else if (this.canAnswer(counter)) this.refuse(counter, complaint, false);
        });
      });
    };
    const delayMs = Math.max(this.config.negotiateSec * 1000, ROUND_TRIP_MS) + delayOf(fault);
    this.timers.after(delayMs, answerIfPaid, byProvider(this.config.name));
  }

  /**
   * Decides on a confirmed agreement.
   * @returns whether it is approved.
   */
  decide(agreement: Agreement): boolean {
    if (this.standings.has(agreement.demandId)) this.standings.set(agreement.demandId, 'signed');
    if (this.busy) {
      const { refuse, isFinal } = noCapacity(this.config);
      this.agreements.reject(agreement, { message: refuse, 'golem.proposal.rejection.is-final': isFinal });
      return false;
    }
    this.agreements.approve(agreement);
    this.serving.add(agreement.id);
    return true;
  }

  /** Somebody may be reached again: those who missed an offer get it now. */
  restored(): void {
    this.offerAnew(['missed']);
  }

  /** It serves an agreement that was approved before a restart. */
  resume(agreementId: string): void {
    this.serving.add(agreementId);
  }

  /** An agreement is over: there is capacity for those who were refused, and for new agreements with the others. */
  release(agreementId: string): void {
    this.serving.delete(agreementId);
    const waiting = this.postponed;
    this.postponed = [];
    for (const counter of waiting) this.answer(counter);
    this.offerAnew(['signed']);
  }

  /** Offers again to the live demands with which nothing is under way. */
  rebroadcast(): void {
    if (!this.busy) this.offerAnew(['signed', 'refused']);
  }

  private offerAnew(among: readonly Standing[]): void {
    const demands = this.book
      .live()
      .filter((demand) => among.includes(this.standings.get(demand.id) ?? 'open'));
    if (demands.length === 0) return;
    this.offer = this.newOffer();
    for (const demand of demands) this.propose(demand);
  }

  private newOffer(): Proposal['offer'] {
    this.offersChange.wakeSoon();
    return { id: subscriptionId(), terms: parseTerms(this.terms), created: formatNanos(nowNanos()) };
  }

  private propose(demand: Demand): void {
    if (!demand.subscribed || !this.isOpen) return;
    const reached = this.conditions.reachesRequestor(this.nodeId, demand.requestor);
    this.standings.set(demand.id, reached ? 'open' : 'missed');
    if (!reached) return;
    this.book.propose(demand, this.nodeId, this.offer, this.terms);
  }

  private answer(counter: Proposal, fault?: Fault): void {
    const { demand, previous } = counter;
    if (!previous || !this.canAnswer(counter)) return;
    const answer = negotiate(this.config, counter.properties, previous, this.busy, Date.now());
    if ('ignore' in answer) return;
    if ('accept' in answer) {
      this.standings.set(demand.id, 'open');
      this.book.answer(counter, dishonestDraft(fault, answer.accept));
      return;
    }
    const lacksCapacity = this.busy && !answer.isFinal;
    this.refuse(counter, answer.refuse, answer.isFinal);
    if (!lacksCapacity) return;
    this.standings.set(demand.id, 'postponed');
    this.postponed.push(counter);
  }

  private canAnswer({ demand }: Proposal): boolean {
    const isThere = demand.subscribed && this.isOpen;
    return isThere && this.conditions.reachesRequestor(this.nodeId, demand.requestor);
  }

  private refuse(counter: Proposal, message: string, isFinal: boolean): void {
    this.standings.set(counter.demand.id, isFinal ? 'finallyRefused' : 'refused');
    this.book.refuse(counter, message, isFinal);
  }
}
