/** All activities of the devnet: creates, finds and ends them, tells the provider side, and remembers over restarts. */
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { registerActivityRoutes } from '../activity-api/routes';
import { hexId } from '../clock';
import { atomically } from '../database';
import type { AgreementTerms, VmHost, VmHostOptions, VmInNetwork } from '../contract';
import { delayOf } from '../faults/faults';
import { Stream } from '../server/long-poll';
import { pause } from '../timers';
import type { StatePair } from './activity-state';
import { ABORTED, ENDINGS, type EndReason } from './ending';
import { GolemActivity } from './golem-activity';
import type { Machine, MachineOptions } from './machine';
import { removeTreeSync } from './remove-tree';
import { VmStore, type ActivityRow, type Usage } from './vm-store';

/** Why an activity could not be created. */
export class AgreementNotFound extends Error {}
export class AgreementNotApproved extends Error {
  constructor(readonly state: string) {
    super(state);
  }
}
export class ActivityExists extends Error {
  constructor(readonly refusedId: string) {
    super(refusedId);
  }
}
export class ActivityRefused extends Error {}

export interface HostParts extends VmHostOptions {
  startMachine(options: MachineOptions): Promise<Machine>;
  /** Ends what all machines have shared, once they are gone. */
  closeMachines(): Promise<void> | undefined;
}

export class Host implements VmHost {
  readonly store: VmStore;
  /** Woken when an activity appears, changes its state or ends. */
  readonly changes = new Stream();
  readonly closing = new AbortController();
  private readonly live = new Map<string, GolemActivity>();
  private readonly liveUnder = new Map<string, GolemActivity[]>();
  private readonly endings = new Map<string, Promise<void>>();
  private readonly directory: string;

  constructor(private readonly parts: HostParts) {
    this.store = new VmStore(parts.database);
    this.directory = join(parts.dataDir, 'vms');
    // One for each open event stream, and each step that takes its time.
    setMaxListeners(0, this.closing.signal);
    // What a killed daemon left: its VMs ended with it.
    this.clear();
    for (const row of this.store.living()) this.store.endActivity(row.id, ABORTED, true);
  }

  registerRoutes(app: FastifyInstance): void {
    registerActivityRoutes(app, this);
  }

  start(): void {
    for (const row of this.store.unreported()) this.report(row.agreement_id, row.id, endReasonOf(row));
  }

  terms(agreementId: string): AgreementTerms | undefined {
    return this.parts.agreements.find(agreementId);
  }

  /**
   * @param awaited whether the requestor still waits; what is created later its yagna doesn't list
   * @throws AgreementNotFound, AgreementNotApproved, ActivityExists, ActivityRefused
   */
  async create(agreementId: string, awaited: () => boolean): Promise<string> {
    const { createSec } = this.approved(agreementId);
    const fault = this.parts.agreements.fault(agreementId, 'createActivity');
    if (fault?.do === 'refuse') throw new ActivityRefused(fault.message ?? 'the provider refused');
    await this.pause(createSec * 1000 + delayOf(fault));
    const terms = this.approved(agreementId);
    const activityId = hexId(16);
    const alive = this.under(agreementId).filter((activity) => !activity.ending);
    if (alive.length >= terms.activityLimit) {
      throw new ActivityExists(activityId);
    }
    const activity = new GolemActivity({
      activityId,
      terms,
      directory: join(this.directory, activityId),
      dataDir: this.parts.dataDir,
      startMachine: this.parts.startMachine,
      store: this.store,
      effects: this.parts.effects,
      log: this.parts.log,
      fault: (step) => this.parts.agreements.fault(agreementId, step),
      onDied: () => void this.end(activity, 'died'),
      onChange: () => this.changes.wake(),
    });
    const isHeard = fault?.do !== 'loseAnswer' && awaited();
    atomically(this.parts.database, () => {
      this.store.addActivity(activityId, agreementId, activity.createdMs, isHeard);
      this.parts.effects.record('activity-created', { agreementId, activityId });
      this.add(activity);
      this.parts.agreements.onActivityCreated(agreementId, activityId);
    });
    this.changes.wake();
    // It is there, but its requestor never hears of it.
    if (fault?.do === 'loseAnswer') await new Promise<never>(() => undefined);
    return activityId;
  }

  private approved(agreementId: string): AgreementTerms {
    const terms = this.parts.agreements.find(agreementId);
    // A proposal that was never confirmed is unknown to the provider.
    if (!terms || terms.state === 'Proposal') throw new AgreementNotFound();
    if (terms.state !== 'Approved') throw new AgreementNotApproved(terms.state);
    return terms;
  }

  /** An activity that has not ended, or is about to. */
  find(activityId: string): GolemActivity | undefined {
    return this.live.get(activityId);
  }

  /** At the requestor's word. For one that has ended by itself, it only clears the reason. */
  async destroy(activityId: string): Promise<void> {
    const activity = this.live.get(activityId);
    if (!activity) {
      this.store.endActivity(activityId, {}, false);
      this.store.dropScripts(activityId);
      return;
    }
    await this.end(activity, 'destroyed');
  }

  vmAt(networkId: string, nodeId: string, ip: string): VmInNetwork | undefined {
    for (const { activityId, agreementId, machineAt } of [...this.live.values()].reverse()) {
      const machine = machineAt(networkId, ip);
      if (!machine) continue;
      const { providerId, providerName } = this.terms(agreementId) ?? {};
      if (providerId === undefined || providerName === undefined) continue;
      if (providerId !== nodeId.toLowerCase()) continue;
      const connect: VmInNetwork['connect'] = (port, signal) => machine.connect(networkId, port, signal);
      return { activityId, providerId, providerName, gone: machine.gone, connect };
    }
    return undefined;
  }

  agreementOf(activityId: string): string | undefined {
    return this.store.activity(activityId)?.agreement_id;
  }

  abortForAgreement(agreementId: string): void {
    for (const activity of this.under(agreementId)) void this.end(activity, 'died');
  }

  loseForAgreement(agreementId: string): void {
    for (const activity of this.under(agreementId)) void this.end(activity, 'provider-crashed');
  }

  freezeForAgreement(agreementId: string, frozen: boolean): void {
    for (const activity of this.under(agreementId)) activity.freeze(frozen);
  }

  private under(agreementId: string): GolemActivity[] {
    return [...(this.liveUnder.get(agreementId) ?? [])];
  }

  private add(activity: GolemActivity): void {
    const { activityId, agreementId } = activity;
    this.live.set(activityId, activity);
    this.liveUnder.set(agreementId, [...this.under(agreementId), activity]);
  }

  private remove(activity: GolemActivity): void {
    const { activityId, agreementId } = activity;
    this.live.delete(activityId);
    const others = this.under(agreementId).filter((other) => other !== activity);
    if (others.length > 0) this.liveUnder.set(agreementId, others);
    else this.liveUnder.delete(agreementId);
  }

  async destroyForAgreement(agreementId: string, reason: string): Promise<void> {
    const ending = this.under(agreementId);
    for (const activity of ending) this.parts.log(`activity ${activity.activityId} ends: ${reason}`);
    await Promise.all(ending.map((activity) => this.end(activity, 'agreement-ended')));
  }

  private end(activity: GolemActivity, reason: EndReason): Promise<void> {
    const { activityId, agreementId } = activity;
    const under = this.endings.get(activityId) ?? this.finish(activity, reason);
    this.endings.set(activityId, under);
    return under
      .catch((error: unknown) => {
        this.parts.log(
          `activity ${activityId} of agreement ${agreementId} was not ended cleanly: ${String(error)}`,
        );
      })
      .finally(() => this.endings.delete(activityId));
  }

  private async finish(activity: GolemActivity, reason: EndReason): Promise<void> {
    const ending = ENDINGS[reason];
    const { activityId, agreementId } = activity;
    await activity.end(ending).catch((error: unknown) => {
      this.parts.log(`what activity ${activityId} left could not be removed: ${String(error)}`);
    });
    const resultsKept = ending === 'aborted' && this.closing.signal.aborted;
    atomically(this.parts.database, () => {
      this.store.saveUsage(activityId, this.currentUsage(activityId));
      this.store.endActivity(activityId, activity.state, resultsKept);
      // With a stopping daemon the provider side has stopped too: it is told when it is back.
      if (!this.closing.signal.aborted) this.report(agreementId, activityId, reason);
    });
    if (ending === 'destroyed') {
      const fault = this.parts.agreements.fault(agreementId, 'destroyActivity');
      await this.pause((this.terms(agreementId)?.destroySec ?? 0) * 1000 + delayOf(fault));
    }
    activity.reachable = false;
    this.remove(activity);
    if (!resultsKept) this.store.dropScripts(activityId);
    activity.progress.wake();
    this.changes.wake();
  }

  private report(agreementId: string, activityId: string, reason: EndReason): void {
    atomically(this.parts.database, () => {
      this.store.markReported(activityId);
      this.parts.effects.record('activity-destroyed', { agreementId, activityId, reason });
      this.parts.agreements.onActivityDestroyed(agreementId, activityId);
    });
  }

  usage(activityId: string): { cpuSec: string; durationSec: string } {
    const usage = this.currentUsage(activityId);
    // A note will be written from it: should the daemon be killed, usage must not fall behind the note.
    if (this.live.get(activityId)?.ending === undefined) this.store.saveUsage(activityId, usage);
    return { cpuSec: usage.cpuSec.toFixed(6), durationSec: usage.durationSec.toFixed(6) };
  }

  currentUsage(activityId: string): Usage {
    const activity = this.live.get(activityId);
    if (activity) return { measured: activity.measured, ...activity.usage() };
    const row = this.store.activity(activityId);
    return { measured: row?.measured === 1, cpuSec: row?.cpu_sec ?? 0, durationSec: row?.duration_sec ?? 0 };
  }

  activityIds(agreementId: string): string[] {
    return this.store.activitiesOf(agreementId).map((row) => row.id);
  }

  liveActivities(): { activityId: string; agreementId: string; state: StatePair }[] {
    return [...this.live.values()]
      .filter((activity) => !activity.ending)
      .map(({ activityId, agreementId, state }) => ({ activityId, agreementId, state: state.state }));
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all([...this.live.values()].map((activity) => this.end(activity, 'devnet-stopped')));
    await this.parts.closeMachines();
    this.changes.wake();
    this.clear();
  }

  private clear(): void {
    try {
      removeTreeSync(this.directory);
    } catch (error) {
      this.parts.log(`what VMs left could not be removed: ${String(error)}`);
    }
  }

  private pause(ms: number): Promise<boolean> {
    return pause(ms, this.closing.signal);
  }
}

/** Of one that ended when the devnet did, or was about to end then. */
function endReasonOf({ ended, results_kept, reason }: ActivityRow): EndReason {
  if (results_kept === 1) return 'devnet-stopped';
  if (ended === 2) return 'provider-crashed';
  return reason === null ? 'destroyed' : 'agreement-ended';
}
