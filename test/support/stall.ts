/**
 * A market of two for one test among many: a cheap provider, which jobs take first, and a dearer, honest one. Tests of
 * one devnet do not meet, since each stall has a subnet of its own.
 */
import type { ArmedFault } from '../../devnet/faults/armed-fault';
import type { FaultInput } from '../../devnet/faults/faults';
import { providerNodeId } from '../../devnet/identity';
import type { ProviderConfig } from '../../devnet/provider/config';
import type { GolemEvent } from '../../model/events';
import type { JobResult, SettlementResult } from '../../model/result';
import { expectFairlyPaid } from './fair-price';
import type { Effect, World } from './world';

export const TOLERANCE_SEC = 3;

export interface Ended {
  jobId: string;
  result: JobResult;
  settlement: SettlementResult;
  events: GolemEvent[];
}

export class Stall {
  readonly cheap: string;
  readonly dear: string;
  private seenSeq = 0;
  private readonly agreements = new Set<string>();
  private readonly seen: Effect[] = [];

  constructor(
    readonly world: World,
    readonly name: string,
  ) {
    this.cheap = `cheap-${name}`;
    this.dear = `dear-${name}`;
  }

  static providers(name: string, cheap: Partial<ProviderConfig> = {}): ProviderConfig[] {
    const price = { start: '0.001', cpuPerHour: '0.01', envPerHour: '0.01' };
    return [
      { name: `cheap-${name}`, subnet: name, pricing: price, ...cheap },
      {
        name: `dear-${name}`,
        subnet: name,
        pricing: { start: '0.01', cpuPerHour: '0.2', envPerHour: '0.1' },
      },
    ];
  }

  /** A job on this market, with a debit note each second. */
  job(spec: { demand?: object; [field: string]: unknown }): object {
    return {
      ...{ image: 'golem/alpine:latest', budget: '1' },
      tolerance: { usageSec: TOLERANCE_SEC, usageRatio: 0 },
      ...spec,
      demand: {
        ...{ subnetTag: this.name, offerFetchingIntervalSec: 1, proposalTimeoutSec: 5 },
        ...{ midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 },
        ...spec.demand,
      },
    };
  }

  /** What the cheap provider does wrong, or what is done to it. */
  cheats(fault: FaultInput): ArmedFault {
    return this.world.devnet.faults.arm({ ...fault, provider: this.cheap });
  }

  /** The n-th effect (from 1) of a kind that concerns an agreement with the cheap provider. */
  async effect(kind: string, n = 1): Promise<Effect> {
    for (;;) {
      const found = await this.effects(kind);
      const there = found[n - 1];
      if (there) return there;
      // An agreement with it is told before whatever concerns that.
      await this.world.effect(kind, this.seenSeq);
    }
  }

  /** Effects of a kind until now that concern an agreement with the cheap provider. */
  async effects(kind: string): Promise<Effect[]> {
    const cheap = providerNodeId(this.cheap);
    // Those of all stalls are many: each is looked at once.
    for (const effect of await this.world.effects(undefined, this.seenSeq)) {
      const { seq, agreementId = '' } = effect;
      this.seenSeq = seq;
      if (effect.kind === 'agreement-created' && effect.providerId === cheap)
        this.agreements.add(agreementId);
      if (this.agreements.has(agreementId)) this.seen.push(effect);
    }
    return this.seen.filter((each) => each.kind === kind);
  }

  /** Waits until job and settlement are over; whatever happened, what was paid is fair. */
  async end(jobId: string): Promise<Ended> {
    const { golem } = this.world;
    const result = await golem.result(jobId);
    const settlement = await golem.settled(jobId);
    await expectFairlyPaid(this.world, settlement, TOLERANCE_SEC);
    return { jobId, result, settlement, events: (await golem.events(jobId)).events };
  }
}

/** Why bills were not paid. */
export const refusals = ({ events }: Ended): string[] =>
  events.filter(({ name }) => name === 'PaymentFailed').map(({ details }) => String(details.reason));

/** Providers that broke faith: name and breach. */
export const breaches = ({ events }: Ended): [string, string][] =>
  events
    .filter(({ name }) => name === 'ProviderAvoided')
    .map(({ details }) => [(details.provider as { name: string }).name, String(details.breach)]);

/** Of the first task: where each attempt was, and how it ended. */
export const attempts = ({ result }: Ended, task = 0): [string, string][] =>
  (result.tasks[task]?.attempts ?? []).map(({ provider, state }) => [provider.name, state]);
