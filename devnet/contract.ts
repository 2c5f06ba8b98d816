/**
 * What the two halves of the devnet expect from each other: the VM host (devnet/vm and devnet/activity-api, which
 * really runs commands and serves /activity-api/v1) and everything else (market, payment, providers, server).
 */
import type { Socket } from 'node:net';
import type Libsql from 'libsql';
import type { EffectFields, EffectKind } from './effect-kinds';
import type { Fault } from './faults/faults';
import type { Reach } from './faults/links';
import type { ProviderStep } from './faults/operations';
import type { FastifyInstance } from 'fastify';
import type { Waitable } from './server/long-poll';

/** The shared database handle. Each side makes its own tables; the VM host's are prefixed `vm_`. */
export type Database = Libsql.Database;

declare module 'fastify' {
  interface FastifyRequest {
    /** Node id of the requestor whose app key the request carries. Set before any route runs. */
    requestorId: string;
  }
}

/** The terms of an agreement as far as a VM and the activity API need them. */
export interface AgreementTerms {
  agreementId: string;
  /** yagna's state: Proposal, Pending, Approved, Rejected, Cancelled, Expired, Terminated. Only Approved takes activities. */
  state: string;
  requestorId: string;
  providerId: string;
  providerName: string;
  /** The demand's `golem.srv.comp.task_package`. */
  taskPackage: string;
  /** Simulated latencies of the provider, seconds, 0 for none. */
  createSec: number;
  destroySec: number;
  deploySec: number;
  startSec: number;
  /** When set, the VM fails at `start` with this message. */
  startFails?: string;
  /** Whether the provider answers its requestor now. */
  reach: Reach;
  /** Its provider has crashed since it was approved, and knows nothing of it any more. */
  isForgotten: boolean;
  cpuThreads: number;
  /** Activities at the same time. */
  activityLimit: number;
  /** An activity that was not heard of for longer, seconds, is Unresponsive until its next sign of life. */
  unresponsiveSec: number;
  /** The offer's `golem.com.usage.vector`: the order in which usage is reported. */
  usageVector: string[];
}

/** What the VM host asks of the market and provider side. */
export interface AgreementBook {
  /** Undefined: unknown agreement (404). A state other than Approved: 400. */
  find(agreementId: string): AgreementTerms | undefined;
  /** The fault that acts on a step of the agreement's provider, if any. */
  fault(agreementId: string, step: ProviderStep): Fault | undefined;
  /** The provider starts debit notes and stops its idle timer. Called once a VM exists. */
  onActivityCreated(agreementId: string, activityId: string): void;
  /**
   * The provider issues the activity's last debit note and restarts its idle timer. Called once for each activity,
   * when its processes are gone and {@link VmHost.usage} gives its final numbers; also for VMs that
   * {@link VmHost.destroyForAgreement} ends.
   */
  onActivityDestroyed(agreementId: string, activityId: string): void;
}

/** The devnet's record of effects, in order, read by tests through the admin API. */
export interface EffectLog {
  /** Part of the transaction under way. */
  record<K extends EffectKind>(kind: K, fields: EffectFields<K>): void;
}

/** A VM at its address in a virtual network. */
export interface VmInNetwork {
  activityId: string;
  providerId: string;
  providerName: string;
  /** Resolves when the VM is gone. */
  gone: Promise<void>;
  /**
   * Connects to one of its TCP ports.
   * @throws an Error as of `net.connect`, with `ECONNREFUSED` where nothing listens; the signal's reason
   */
  connect(port: number, signal: AbortSignal): Promise<Socket>;
}

/** Built by `createVmHost(options: VmHostOptions): VmHost` of devnet/vm. */
export interface VmHost {
  /** /activity-api/v1/*, for each requestor node. The server's onRequest hook has checked the app key already. */
  registerRoutes(app: FastifyInstance): void;
  /** The provider side can be told now of what ended while the daemon was down. */
  start(): void;
  /** Usage of an activity so far, decimal strings; the final numbers once it is destroyed. Zero for an unknown one. */
  usage(activityId: string): { cpuSec: string; durationSec: string };
  /** All activities ever created under an agreement, oldest first. */
  activityIds(agreementId: string): string[];
  /** Activities not yet destroyed, oldest first. */
  liveActivities(): { activityId: string; agreementId: string; state: [string, string | null] }[];
  /** Kills the VMs of an ended agreement; resolves when their processes are gone. */
  destroyForAgreement(agreementId: string, reason: string): Promise<void>;
  /** Woken when an activity appears, changes its state or ends. */
  readonly changes: Waitable;
  /** The VM on a provider whose `deploy` gave it this address in this network: of several, the newest. */
  vmAt(networkId: string, providerId: string, ip: string): VmInNetwork | undefined;
  /** The agreement under which an activity was created. */
  agreementOf(activityId: string): string | undefined;
  /** The exe-units of the agreement's activities are killed. */
  abortForAgreement(agreementId: string): void;
  /** The provider crashed: its VMs are gone, and nobody says so. */
  loseForAgreement(agreementId: string): void;
  /** The provider's machine stands still: no process of the agreement's VMs runs, until it goes on. */
  freezeForAgreement(agreementId: string, frozen: boolean): void;
  /**
   * The daemon stops: kills all processes and removes the VM directories. Activities that were alive count as
   * Terminated when the daemon comes back on the same database; `onActivityDestroyed` is called for them by
   * {@link start}, once.
   */
  close(): Promise<void>;
}

export interface VmHostOptions {
  /** VM directories and batch results live below it. */
  dataDir: string;
  database: Database;
  agreements: AgreementBook;
  effects: EffectLog;
  log(line: string): void;
}

export type CreateVmHost = (options: VmHostOptions) => VmHost;
