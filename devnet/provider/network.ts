/**
 * All simulated providers and their agreements: passes on what happens on the market, in payments and in the VMs to
 * the provider or lease it concerns.
 */
import { PROP } from '../../model/properties';
import { because, byProvider } from '../cause';
import type { AgreementBook, AgreementTerms, VmHost } from '../contract';
import type { Agreement, AgreementListener, Agreements } from '../market/agreements';
import type { Demand, DemandBook, Proposal, ProviderSide } from '../market/book';
import type { PublicOffer } from '../market/scan-routes';
import type { Billing } from '../payment/billing';
import type { Documents, NoteListener } from '../payment/documents';
import type { Wallets } from '../payment/wallets';
import type { Conditions } from '../faults/conditions';
import { delayOf, type Fault } from '../faults/faults';
import type { LinkListener } from '../faults/links';
import type { ProviderStep } from '../faults/operations';
import { Stream } from '../server/long-poll';
import type { Timer, Timers } from '../timers';
import type { BrokerClaims, ClaimListener } from './broker-claims';
import type { Provider } from './config';
import { Lease } from './lease';
import { USAGE_VECTOR } from './offer';
import type { ShutDownProviders } from './shut-down';
import { SimulatedProvider } from './simulated-provider';

export interface NetworkOptions {
  providers: readonly Provider[];
  shutDown: ShutDownProviders;
  book: DemandBook;
  agreements: Agreements;
  documents: Documents;
  billing: Billing;
  claims: BrokerClaims;
  wallets: Wallets;
  timers: Timers;
  conditions: Conditions;
  /** Seconds between two rounds in which free providers offer again to live demands; 0 for never. */
  rebroadcastSec: number;
  log(line: string): void;
}

/** A provider as an onlooker sees it. */
export interface ProviderView extends Pick<
  Provider,
  'name' | 'subnet' | 'hardware' | 'pricing' | 'agreementLimit'
> {
  /** Its node id. */
  id: string;
  /** Whether it is in business: not shut down. */
  open: boolean;
  /** Agreements that it serves now. */
  agreements: number;
}

export class ProviderNetwork
  implements ProviderSide, AgreementListener, NoteListener, ClaimListener, AgreementBook, LinkListener
{
  /** Woken when there are new offers on the market. */
  readonly offersChange = new Stream();
  private readonly providers = new Map<string, SimulatedProvider>();
  private readonly leases = new Map<string, Lease>();
  private readonly finishing = new Set<Promise<void>>();
  /** Confirmed agreements whose requestor could not be told the answer. */
  private readonly missed = new Set<string>();
  private vms: VmHost | undefined;
  /** What the VM host reported before {@link start}. */
  private early: (() => void)[] = [];
  private rebroadcast: Timer | undefined;

  constructor(private readonly options: NetworkOptions) {
    const { book, agreements, documents, claims, wallets, timers, conditions } = options;
    const near = { book, agreements, wallets, timers, conditions, offersChange: this.offersChange };
    for (const config of options.providers) {
      const provider = new SimulatedProvider(config, near);
      if (options.shutDown.has(config.name)) provider.close();
      this.providers.set(provider.nodeId, provider);
    }
    book.providers = this;
    agreements.listener = this;
    documents.listener = this;
    claims.listener = this;
    conditions.links.listener = this;
  }

  /** Name of a provider, or its node id when it is none of ours any more. */
  nameOf(providerId: string): string {
    return this.providers.get(providerId)?.config.name ?? providerId;
  }

  /** Names of all providers. */
  names(): string[] {
    return [...this.providers.values()].map((provider) => provider.config.name);
  }

  /** Whether one of that name has a VM now. */
  hasVms(name: string): boolean {
    const alive = this.vms?.liveActivities() ?? [];
    return alive.some(({ agreementId }) => {
      const lease = this.leases.get(agreementId);
      return lease !== undefined && this.nameOf(lease.agreement.provider) === name;
    });
  }

  /** What there is to see of each provider. */
  views(): ProviderView[] {
    return [...this.providers.values()].map(({ nodeId, open, config, agreementsServed }) => {
      const { name, subnet, hardware, pricing, agreementLimit } = config;
      const view = { id: nodeId, open, name, subnet, hardware, pricing, agreementLimit };
      return { ...view, agreements: agreementsServed };
    });
  }

  /** Takes up the agreements that an earlier run left. */
  start(vms: VmHost): void {
    this.vms = vms;
    const left = this.options.agreements.unclosed();
    for (const agreement of left) {
      if (agreement.state === 'Approved' || agreement.state === 'Terminated') this.addLease(agreement);
    }
    for (const report of this.early.splice(0)) report();
    // Of a provider that is none of ours any more nothing will come.
    for (const { id, state, provider } of left)
      if (state === 'Terminated' && !this.providers.has(provider)) this.options.agreements.markClosed(id);
    for (const agreement of left) {
      if (agreement.state === 'Pending') this.onConfirmed(agreement);
      else if (agreement.state === 'Terminated') this.onTerminated(agreement, 'the daemon was restarted');
      else if (agreement.state === 'Approved') {
        this.providers.get(agreement.provider)?.resume(agreement.id);
        this.takeUp(agreement);
      }
    }
    this.options.claims.start();
  }

  /** Goes on with an agreement that it has a lease of, or ends what a shutdown could not end. */
  private takeUp({ id, provider }: Agreement): void {
    const lease = this.leases.get(id);
    lease?.start();
    if (this.providers.get(provider)?.open === false) lease?.shutDown();
  }

  /** Stops all timers once the invoices under way are out. */
  async close(): Promise<void> {
    for (const lease of this.leases.values()) lease.suspend();
    await Promise.allSettled(this.finishing);
  }

  /** The offers that are on the market now. */
  offers(): PublicOffer[] {
    return [...this.providers.values()].filter(({ open }) => open).map((provider) => provider.publicOffer());
  }

  /**
   * A provider goes out of business in good order: it takes back its offer, and ends its agreements with `Shutdown`. So it
   * stays until {@link reopen}, over restarts too. Resolves when their VMs are gone. @throws Error when there is none of that name
   */
  async shutDown(name: string): Promise<void> {
    const provider = this.named(name);
    if (provider.open) {
      provider.close();
      this.options.shutDown.add(name);
    }
    for (const lease of this.leasesOf(name)) lease.shutDown();
    await Promise.allSettled(this.finishing);
  }

  /** It is in business again, with a new offer. @throws Error when there is none of that name */
  reopen(name: string): void {
    const provider = this.named(name);
    if (provider.open) return;
    this.options.shutDown.remove(name);
    provider.reopen();
  }

  private named(name: string): SimulatedProvider {
    const found = [...this.providers.values()].find((provider) => provider.config.name === name);
    if (!found) throw new Error(`no provider is named "${name}"; there are: ${this.names().join(', ')}`);
    return found;
  }

  onDemand(demand: Demand): void {
    for (const provider of this.providers.values()) provider.onDemand(demand);
    this.scheduleRebroadcast();
  }

  onUnsubscribed(demand: Demand): void {
    for (const provider of this.providers.values()) provider.onUnsubscribed(demand);
  }

  onCounter(counter: Proposal): void {
    this.providers.get(counter.provider)?.onCounter(counter);
  }

  onConfirmed(agreement: Agreement): void {
    const provider = this.providers.get(agreement.provider);
    // Of one that is out of business there is no answer.
    if (!provider?.open) return;
    const { timers, agreements, conditions } = this.options;
    const fault = conditions.step('approve', agreement.provider, agreement.requestor);
    if (fault?.do === 'withhold') return;
    // Decided after the request that confirmed it, as over a network.
    const decide = (): void => {
      const current = agreements.find(agreement.id);
      if (current?.state !== 'Pending' || current.closed) return;
      if (!conditions.reachesRequestor(current.provider, current.requestor)) {
        this.missed.add(current.id);
        return;
      }
      if (fault?.do === 'refuse') return agreements.reject(current, { message: fault.message ?? 'no' });
      if (!provider.decide(current)) return;
      const approved = agreements.find(agreement.id);
      if (approved) this.addLease(approved)?.begin();
    };
    const delayMs = provider.config.approveSec * 1000 + delayOf(fault);
    timers.after(delayMs, decide, byProvider(provider.config.name));
  }

  onTerminated(agreement: Agreement, reason: string): void {
    const lease = this.leases.get(agreement.id);
    if (!lease) return;
    const finished = this.acting(lease, () => lease.finish(reason))
      .catch((error: unknown) =>
        this.options.log(`closing agreement ${agreement.id} failed: ${String(error)}`),
      )
      .finally(() => this.finishing.delete(finished));
    this.finishing.add(finished);
  }

  /** Its VMs are gone, and it will know nothing of its agreements, as ya-provider does not: it keeps none on disk. */
  onCrash(provider: string): void {
    const { agreements } = this.options;
    const cause = `crash of ${byProvider(provider)}`;
    for (const lease of this.leasesOf(provider)) {
      lease.forget();
      this.leases.delete(lease.agreement.id);
      because(cause, () => this.vms?.loseForAgreement(lease.agreement.id));
    }
    const crashed = this.named(provider);
    for (const agreement of agreements.unclosed())
      if (agreement.provider === crashed.nodeId) agreements.markClosed(agreement.id);
    crashed.forget();
    this.options.claims.forget(crashed.nodeId);
  }

  onVmsKilled(provider: string): void {
    for (const lease of this.leasesOf(provider)) this.vms?.abortForAgreement(lease.agreement.id);
  }

  onFreeze(provider: string, frozen: boolean): void {
    for (const lease of this.leasesOf(provider)) this.vms?.freezeForAgreement(lease.agreement.id, frozen);
  }

  onRestored(): void {
    for (const agreement of this.options.agreements.unclosed()) {
      const { id, state, requestor } = agreement;
      if (this.options.conditions.reach(requestor, agreement.provider) !== 'up') continue;
      if (state === 'Pending' && this.missed.delete(id)) this.onConfirmed(agreement);
    }
    for (const lease of this.leases.values()) this.acting(lease, () => lease.restored());
    for (const provider of this.providers.values()) provider.restored();
    this.options.claims.restored();
  }

  private leasesOf(provider: string): Lease[] {
    return [...this.leases.values()].filter((lease) => this.nameOf(lease.agreement.provider) === provider);
  }

  onNoteAccepted(agreementId: string, noteId: string): void {
    this.leases.get(agreementId)?.noteAccepted(noteId);
  }

  onNoteSettled(agreementId: string, noteId: string): void {
    this.leases.get(agreementId)?.noteSettled(noteId);
  }

  onNoteRefused(agreementId: string, _noteId: string, reason: string): void {
    this.leases.get(agreementId)?.noteRefused(reason);
  }

  find(agreementId: string): AgreementTerms | undefined {
    const agreement = this.options.agreements.find(agreementId);
    if (!agreement) return undefined;
    const config = this.providers.get(agreement.provider)?.config;
    return {
      agreementId,
      state: agreement.state,
      requestorId: agreement.requestor,
      providerId: agreement.provider,
      providerName: this.nameOf(agreement.provider),
      taskPackage: String(agreement.demand.properties[PROP.taskPackage] ?? ''),
      createSec: config?.createSec ?? 0,
      destroySec: config?.destroySec ?? 0,
      deploySec: config?.deploySec ?? 0,
      startSec: config?.startSec ?? 0,
      startFails: config?.startFails,
      reach: this.options.conditions.reach(agreement.requestor, agreement.provider),
      isForgotten: agreement.state === 'Approved' && agreement.closed,
      cpuThreads: config?.hardware.cpuThreads ?? 1,
      activityLimit: config?.activityLimit ?? 1,
      unresponsiveSec: config?.unresponsiveSec ?? 5,
      usageVector: USAGE_VECTOR,
    };
  }

  fault(agreementId: string, step: ProviderStep): Fault | undefined {
    const { conditions, agreements } = this.options;
    if (conditions.faults.list().length === 0) return undefined;
    const agreement = agreements.find(agreementId);
    return agreement && conditions.step(step, agreement.provider, agreement.requestor);
  }

  onActivityCreated(agreementId: string, activityId: string): void {
    this.report(agreementId, (lease) => lease.activityCreated(activityId));
  }

  onActivityDestroyed(agreementId: string, activityId: string): void {
    this.report(agreementId, (lease) => lease.activityDestroyed(activityId));
  }

  private report(agreementId: string, tell: (lease: Lease) => void): void {
    const report = (): void => {
      const lease = this.leases.get(agreementId);
      if (lease) this.acting(lease, () => tell(lease));
    };
    if (this.vms) report();
    else this.early.push(report);
  }

  /** What a lease does is its provider's doing, whoever brought it about. */
  private acting<T>(lease: Lease, action: () => T): T {
    return because(byProvider(this.nameOf(lease.agreement.provider)), action);
  }

  private addLease(agreement: Agreement): Lease | undefined {
    const provider = this.providers.get(agreement.provider);
    if (!provider || !this.vms) return undefined;
    const { agreements, documents, billing, claims, conditions, timers, log } = this.options;
    const near = { agreements, documents, billing, claims, conditions, timers, log, vms: this.vms };
    const lease = new Lease(agreement, provider.config, near, () => {
      this.leases.delete(agreement.id);
      provider.release(agreement.id);
    });
    this.leases.set(agreement.id, lease);
    return lease;
  }

  /** One timer while there are demands, none when there are not. */
  private scheduleRebroadcast(): void {
    const { rebroadcastSec, timers, book } = this.options;
    if (rebroadcastSec <= 0 || this.rebroadcast) return;
    this.rebroadcast = timers.after(rebroadcastSec * 1000, () => {
      this.rebroadcast = undefined;
      if (book.live().length === 0) return;
      for (const provider of this.providers.values()) provider.rebroadcast();
      this.scheduleRebroadcast();
    });
  }
}
