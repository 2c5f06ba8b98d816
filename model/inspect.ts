/** What `golemInspect` is asked and answers: what a job would find on the market, and how a worker's yagna is. Plain data. */
import type { Amount, Timestamp } from './ids';
import type { ProviderInfo } from './result';

/** Asks what a job would find on the market now. Nothing is rented. */
export interface EstimateInput {
  what: 'estimate';
  /** A job spec, plain JSON. */
  spec: unknown;
  /** How long a task is thought to take, seconds; of an interactive job, how long its VM is kept. Default 60. */
  taskSec?: number;
  /** Longest time to wait for offers, seconds. Default 20; it ends sooner when no more come. */
  scanSec?: number;
}

/** Asks how the yagna of a connection is. */
export interface YagnaInput {
  what: 'yagna';
  /** Default `default`. */
  connection?: string;
  /** Payment network whose funds are asked for. Default: the worker's. */
  network?: string;
}

export type InspectInput = EstimateInput | YagnaInput;

export interface SuitableOffer {
  provider: ProviderInfo;
  cpuThreads: number;
  memGib: number;
  storageGib: number;
  /** GLM for the start of a VM. */
  startPrice: Amount;
  /** GLM for an hour with all threads busy, without the start. */
  busyPerHour: Amount;
  /** GLM for an hour without any work. */
  idlePerHour: Amount;
}

/** Least, middle and most, GLM. */
export interface PriceRange {
  least: Amount;
  median: Amount;
  most: Amount;
}

export interface ExpectedCost {
  /** VMs that would be rented: the best offers. */
  vms: number;
  tasks: number;
  /** What a task is thought to take, seconds. */
  taskSec: number;
  /** How long the job takes then, seconds, without the time in which VMs come up. */
  lastsSec: number;
  /** GLM if no thread has any work. */
  atLeast: Amount;
  /** GLM if all threads are busy all the time. */
  atMost: Amount;
  /** GLM if each VM is kept until its agreement ends, all threads busy. */
  ceiling: Amount;
  budget: Amount;
  /** `atMost` is within the budget. */
  fitsBudget: boolean;
}

/** Answer to `EstimateInput`. */
export interface Estimate {
  connection: string;
  platform: string;
  /** Offers that were seen; a provider may make several. */
  offers: number;
  /** Who made them. */
  providers: number;
  /** Providers with an offer that suits. */
  suitable: number;
  /** Why the others do not suit, the most frequent reason first: providers by reason. */
  unsuitable: { reason: string; providers: number }[];
  /** Absent where nobody suits. */
  prices?: { startPrice: PriceRange; busyPerHour: PriceRange };
  /** The best, in the order in which the spec takes them; at most 20. */
  best: SuitableOffer[];
  /** Absent where nobody suits. */
  expected?: ExpectedCost;
}

export interface YagnaProblem {
  /** Name of the failure as in `model/failures.ts`. */
  type: string;
  message: string;
}

export interface Funds {
  platform: string;
  /** GLM that can be reserved; absent where yagna did not say. */
  available?: Amount;
  /** GLM that are reserved already. */
  reserved?: Amount;
  /** Why they are not known. */
  problem?: string;
}

export interface ListedAllocation {
  allocationId: string;
  platform: string;
  total: Amount;
  remaining: Amount;
  madeAt: Timestamp;
  /** When it lapses. */
  endsAt: Timestamp;
}

/** Answer to `YagnaInput`. What could not be asked is absent, and `problem` says why. */
export interface YagnaReport {
  connection: string;
  /** Of the worker, by name. */
  connections: string[];
  url?: string;
  /** The first thing that is wrong. */
  problem?: YagnaProblem;
  version?: string;
  identity?: string;
  funds: Funds[];
  /** All that yagna holds, whoever made it. */
  allocations: ListedAllocation[];
  /** Of what `golem-temporal reconcile` would close: how many there are. */
  leftOver?: {
    demands: number;
    agreements: number;
    golemActivities: number;
    invoices: number;
    allocations: number;
  };
}
