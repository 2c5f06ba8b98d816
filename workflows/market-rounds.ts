/** A job's dealings with the market: rounds of negotiation, and what is kept from one to the next. */
import type {
  DraftProposal,
  JobRef,
  Negotiated,
  OfferSummary,
  SubscribedDemand,
  Unanswered,
} from '../activities/contract';
import { LEAST_LIFE_MS } from '../model/duration-classes';
import type { AllocationId, ProviderId } from '../model/ids';
import { paymentPlatform, type JobSpec } from '../model/job';
import { negotiation } from './activity-options';

export interface RoundInput {
  wanted: number;
  avoid: ProviderId[];
  brokeFaith: { id: ProviderId; reason: string }[];
  forgivable: ProviderId[];
}

export class MarketRounds {
  private demand: SubscribedDemand | undefined;
  private nextDemandNumber = 1;
  private leftOver: OfferSummary[] = [];
  private unanswered: Unanswered[] = [];
  private drafts: DraftProposal[] = [];
  /** Nobody answers under the demand. */
  private silent = false;

  constructor(
    private readonly job: JobRef,
    private readonly spec: JobSpec,
    private readonly allocationId: () => AllocationId,
  ) {}

  /** Drafts at hand that are of use. */
  usable(suits: (draft: DraftProposal) => boolean): DraftProposal[] {
    return this.drafts.filter(suits);
  }

  take(taken: DraftProposal): void {
    this.drafts = this.drafts.filter((draft) => draft !== taken);
  }

  /** The next round subscribes a demand: cut short, its request may still land. */
  makesDemand(): boolean {
    return !this.demand || this.silent || this.demand.expiresAtMs - Date.now() <= LEAST_LIFE_MS;
  }

  async round({ wanted, avoid, brokeFaith, forgivable }: RoundInput): Promise<Negotiated> {
    const { job, demand, nextDemandNumber, leftOver, unanswered } = this;
    // The tasks are no business of the market, and may be large.
    const { image, demand: options, pricing, providers, budget } = this.spec;
    const found = await negotiation().golemNegotiate({
      ...{ job, allocationId: this.allocationId(), demand, nextDemandNumber, leftOver, unanswered },
      renew: this.silent,
      ...{ wanted, avoid, brokeFaith, forgivable, platform: paymentPlatform(budget) },
      payer: budget.payer,
      spec: { image, demand: options, pricing, providers },
    });
    this.demand = found.demand;
    this.nextDemandNumber = found.demandNumber + 1;
    this.leftOver = found.demand ? found.leftOver : [];
    this.unanswered = found.demand ? found.unanswered : [];
    this.silent = found.demand !== undefined && found.silent;
    this.drafts = found.drafts;
    return found;
  }
}

/** Why a round brought nobody, in one line. */
export function whyNobody({ seen }: Negotiated): string {
  const why = Object.entries(seen.unsuitable).map(([reason, count]) => `${count} × ${reason}`);
  return `${seen.offers} offers seen, none suits${why.length > 0 ? `: ${why.join(', ')}` : ''}`;
}
