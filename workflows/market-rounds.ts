/** A job's dealings with the market: rounds of negotiation, and what is kept from one to the next. */
import type {
  DraftProposal,
  JobRef,
  Negotiated,
  OfferSummary,
  SubscribedDemand,
  Unanswered,
} from '../activities/contract';
import type { AllocationId, ProviderId } from '../model/ids';
import { paymentPlatform, type JobSpec } from '../model/job';
import { negotiation } from './activity-options';

export interface RoundInput {
  wanted: number;
  avoid: ProviderId[];
  brokeFaith: { id: ProviderId; reason: string }[];
  forgivable: ProviderId[];
}

/** What is kept from one round to the next, and from one run of the job to the next. Plain data. */
export interface MarketState {
  demand?: SubscribedDemand;
  nextDemandNumber: number;
  leftOver: OfferSummary[];
  unanswered: Unanswered[];
  drafts: DraftProposal[];
  /** Drafts that were not wanted then. */
  spare?: DraftProposal[];
  /** Nobody answers under the demand, or what they have answered is lost: the next round makes another one. */
  silent: boolean;
}

const UNSEEN: MarketState = { nextDemandNumber: 1, leftOver: [], unanswered: [], drafts: [], silent: false };

export class MarketRounds {
  constructor(
    private readonly job: JobRef,
    private readonly spec: JobSpec,
    private readonly allocationId: () => AllocationId,
    private state: MarketState = UNSEEN,
  ) {}

  /** What the next run of the job is given. */
  carry(): MarketState {
    return this.state;
  }

  /** Drafts at hand that are of use. */
  usable(suits: (draft: DraftProposal) => boolean): DraftProposal[] {
    return this.state.drafts.filter(suits);
  }

  take(taken: DraftProposal): void {
    const drafts = this.state.drafts.filter((draft) => draft !== taken);
    this.state = { ...this.state, drafts };
  }

  /** The next round subscribes a demand: cut short, its request may still land. */
  makesDemand(): boolean {
    const { demand, silent } = this.state;
    return !demand || silent || demand.expiresAtMs - Date.now() <= this.spec.demand.leastLifeSec * 1000;
  }

  /** A round was cancelled: offers that it had read are gone, and another demand brings fresh ones. */
  cutShort(): void {
    this.state = { ...this.state, silent: true };
  }

  async round({ wanted, avoid, brokeFaith, forgivable }: RoundInput): Promise<Negotiated> {
    const { job } = this;
    const { demand, nextDemandNumber, leftOver, unanswered, drafts, spare = [], silent } = this.state;
    // The tasks are no business of the market, and may be large.
    const { image, demand: options, pricing, providers, budget } = this.spec;
    const found = await negotiation().golemNegotiate({
      ...{ job, allocationId: this.allocationId(), demand, nextDemandNumber, leftOver, unanswered },
      ...{ spare: [...drafts, ...spare], renew: silent },
      ...{ wanted, avoid, brokeFaith, forgivable, platform: paymentPlatform(budget) },
      payer: budget.payer,
      spec: { image, demand: options, pricing, providers },
    });
    this.state = {
      demand: found.demand,
      nextDemandNumber: found.demandNumber + 1,
      leftOver: found.demand ? found.leftOver : [],
      unanswered: found.demand ? found.unanswered : [],
      silent: found.demand !== undefined && found.silent,
      drafts: found.drafts,
      spare: found.demand ? found.spare : [],
    };
    return found;
  }
}

/** Why a round brought nobody, in one line. */
export function whyNobody({ seen }: Negotiated): string {
  const why = Object.entries(seen.unsuitable).map(([reason, count]) => `${count} × ${reason}`);
  return `${seen.offers} offers seen, none suits${why.length > 0 ? `: ${why.join(', ')}` : ''}`;
}
