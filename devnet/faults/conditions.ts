/** What parts of the devnet ask before they act on behalf of a provider: does a fault act here, is the other side there. */
import { because, byProvider } from '../cause';
import type { Fault, Faults } from './faults';
import type { Links, Reach } from './links';
import type { ProviderStep } from './operations';

/** Who is who, for conditions that are written down by name. */
export interface Names {
  /** Of the node that has the requestor's identity. */
  nodeOf(requestorId: string): { name: string; running: boolean } | undefined;
  providerOf(providerId: string): string;
}

export class Conditions {
  constructor(
    readonly faults: Faults,
    readonly links: Links,
    private readonly names: Names,
  ) {}

  /** What the requestor's daemon gets when it turns to the provider. */
  reach(requestorId: string, providerId: string): Reach {
    return this.links.reach(this.names.nodeOf(requestorId)?.name, this.names.providerOf(providerId));
  }

  /** Whether the provider can tell the requestor's daemon something now. */
  reachesRequestor(providerId: string, requestorId: string): boolean {
    const node = this.names.nodeOf(requestorId);
    return (node?.running ?? false) && this.reach(requestorId, providerId) === 'up';
  }

  /** Whether the requestor's daemon is stopped: nobody is there to be told anything. */
  isDown(requestorId: string): boolean {
    return this.names.nodeOf(requestorId)?.running !== true;
  }

  /**
   * The fault that acts on a provider's step, if any.
   * @param can whether a fault would change anything there
   */
  step(
    step: ProviderStep,
    providerId: string,
    requestorId: string,
    can?: (fault: Fault) => boolean,
  ): Fault | undefined {
    if (this.faults.list().length === 0) return undefined;
    const provider = this.names.providerOf(providerId);
    const node = this.names.nodeOf(requestorId)?.name;
    return because(byProvider(provider), () => this.faults.takeStep(step, provider, node, can));
  }
}
