/**
 * A job as the workflows see it: the spec after it was checked, with every default filled in.
 * Plain data and types only; the check itself is `spec.ts`, which stays out of the workflow bundle.
 */
import type { LeastTerms } from './agreed-terms';
import type { ControlSpec } from './control';
import type { Amount, ProviderId } from './ids';
import type { NamedBroker } from './payer';

/** Runs a shell line (`sh -c`) in the VM; or a program without a shell when `args` are given. */
export interface RunCommand {
  run: string;
  /** Arguments; when given, `run` is the path of the program and no shell is involved. */
  args?: string[];
}

/** Moves a file into, out of or within the VM: `http(s)://…`, `file:///…` (devnet) or a VM path such as `/golem/input/x`. */
export interface TransferCommand {
  transfer: { from: string; to: string };
}

export type TaskCommand = RunCommand | TransferCommand;

/** What to do when it is not known whether a script was started (its request was sent, the answer lost). */
export type OnUncertain = 'freshVm' | 'rerun' | 'fail';

/** Keeps what a task has reached outside of its VM, so that an attempt elsewhere goes on from there. */
export interface CheckpointSpec {
  /** Absolute paths in the VM, files or folders, in a volume of the image; those that are there are kept. */
  files: string[];
  /** Where they go, as one tar file: an http(s) URL or a file of the worker. */
  to: string;
  /** Where they come from. Default: `to`. */
  from?: string;
  /** Seconds between two checkpoints. Default 600. */
  everySec: number;
}

export interface TaskSpec {
  /** Unique in the job. Default `task-<index, from 1>`. */
  name: string;
  /**
   * Tasks with the same `vm` run in one VM, one after the other, in the order given. Others may have run in it before.
   * Default: a name of its own, so that the task takes whichever VM is free.
   */
  vm: string;
  /** True when the user named the `vm`, so that its tasks share files. */
  vmShared: boolean;
  commands: TaskCommand[];
  /**
   * Longest time for the task's script, seconds. Default 3600. With checkpoints it is that of an attempt, over all the
   * agreements in which it goes on.
   */
  timeoutSec: number;
  /** Attempts in all, on different providers where there are any. Default 3. */
  maxAttempts: number;
  /** Default `freshVm`. */
  onUncertain: OnUncertain;
  /** Only of a task with one program. Default: none is made. */
  checkpoint?: CheckpointSpec;
}

/** How a file was when it was first read. Compared by what its server tells of it. */
export interface FileVersion {
  etag?: string;
  lastModified?: string;
  /** Bytes. */
  size: number;
}

/** Tasks in a file instead of in the spec. */
export interface TaskFile {
  /** http(s) URL of JSON Lines. It is in the histories, with whatever its query holds. */
  from: string;
  /** Where results go, with `{part}` for the number of the part. */
  resultsTo: string;
  version: FileVersion;
  /** Tasks in it. */
  count: number;
  /** Seconds that the life of the demand leaves for a task. */
  availableSec: number;
}

/** Where the image comes from, as the demand says it. */
export interface ImageSpec {
  /** `hash:sha3:<hash>:<url>`, the value of `golem.srv.comp.task_package`. */
  taskPackage: string;
  /** What the user wrote, for people to read. */
  label: string;
}

export interface DemandSpec {
  /** Default `public`, or `YAGNA_SUBNET` of the worker. */
  subnetTag: string;
  /** Life of the demand and of what is rented under it, seconds. Default 1800. */
  expirationSec: number;
  /** Property `golem.com.payment.debit-notes.accept-timeout?`, seconds. */
  debitNotesAcceptanceTimeoutSec?: number;
  /** Property `golem.com.scheme.payu.debit-note.interval-sec?`, seconds. */
  midAgreementDebitNoteIntervalSec?: number;
  /** Property `golem.com.scheme.payu.payment-timeout-sec?`, seconds. */
  midAgreementPaymentTimeoutSec?: number;
  /** Property `golem.com.payment.upfront.duration-sec?`, seconds of a VM's life that are paid at its beginning. */
  upfrontSec?: number;
  /** The least that a provider's counter may have in place of what is asked for. */
  least?: LeastTerms;
  /** With less left of a demand or an agreement nothing is begun in it that may take as long, seconds. Default 300. */
  leastLifeSec: number;
  /** Offers read from the market at a time; yagna gives at most 100. Default 100. */
  maxOfferEvents: number;
  /** Longest time a round waits for more offers, seconds. Default 20. */
  offerFetchingIntervalSec: number;
  /** Longest wait for a provider's answer to our counter-proposal, seconds. Default 20. */
  proposalTimeoutSec: number;
  minCpuCores: number;
  minCpuThreads: number;
  minMemGib: number;
  minStorageGib: number;
  /** Runtime of the VM, `golem.runtime.name`. Default `vm`. */
  runtime: string;
  /** Wanted entries of `golem.runtime.capabilities`. */
  capabilities: string[];
}

/** Price caps; an offer above any of them is not taken. */
export interface PricingSpec {
  maxStartPrice?: Amount;
  maxCpuPerHour?: Amount;
  maxEnvPerHour?: Amount;
}

export interface ProvidersSpec {
  /** Most rentals at the same time. Default: 4, or fewer when there are fewer VMs to fill. */
  max: number;
  allow: ProviderId[];
  deny: ProviderId[];
  /** Name of a selection strategy registered in the worker. Default `cheapest`. */
  select: string;
}

/**
 * What to do when little of the budget is left: begin no task any more; reserve more, up to `max`; or begin none until
 * the Update `topUp` has raised the budget.
 */
export type OnLow = 'finish' | 'topUp' | 'pause';

export interface BudgetSpec {
  /** What is reserved at first. */
  amount: Amount;
  /** Default `holesky`, or `PAYMENT_NETWORK` of the worker. */
  network: string;
  /** Default `erc20`, or `PAYMENT_DRIVER` of the worker. */
  driver: string;
  /** Default `glm` on `mainnet` and `polygon`, else `tglm`. */
  token: string;
  /** Default `finish`. */
  onLow: OnLow;
  /** The most that is ever reserved. Given with `topUp`, and only with it. */
  max?: Amount;
  /** Who decides and pays instead of our yagna, out of what it was prepaid. */
  payer?: NamedBroker;
  /** A funded contract that pays for what our yagna accepts. */
  deposit?: ContractDeposit;
}

/** A deposit in a contract, as yagna's allocations take one. */
export interface ContractDeposit {
  /** A number of up to 256 bits in hex. */
  id: string;
  /** Address of the contract. */
  contract: string;
}

/** How far a provider's claims may be off before a document counts as wrong. */
export interface ToleranceSpec {
  /** Seconds that a claimed usage may exceed what we measured. Default 10. */
  usageSec: number;
  /** Share by which a claimed usage may exceed what we measured. Default 0.05. */
  usageRatio: number;
}

/** A job spec, checked and complete. */
export interface JobSpec {
  image: ImageSpec;
  connection: string;
  budget: BudgetSpec;
  demand: DemandSpec;
  pricing: PricingSpec;
  providers: ProvidersSpec;
  /** Commands run once in each VM after it started, before its first task. */
  setup: TaskCommand[];
  /** Empty where they are in a file. */
  tasks: TaskSpec[];
  taskFile?: TaskFile;
  /** True: no tasks of its own; scripts come by the rental's `executeScript` Update. */
  interactive: boolean;
  /** Of an interactive job: VMs that scripts may have at the same time under its agreement. Default 1. */
  vmsAtOnce?: number;
  /** stdout and stderr kept of each command, bytes; the rest is cut with a mark. Default 65536, less when there are many tasks. */
  outputLimitBytes: number;
  /** How long the settlement waits for a missing final invoice, seconds. Default 86400. */
  invoiceWaitSec: number;
  tolerance: ToleranceSpec;
  /** Whose signatures the job and its rentals ask for; absent where everybody controls them. */
  control?: ControlSpec;
  /** Signal by which a parent workflow is told of progress. */
  notify?: { signal: string };
}

/** Who this installation is on yagna, found out once by the worker. */
export interface Installation {
  /** Names this installation in marks; default the Temporal namespace's id. */
  owner: string;
  /** Longest time in which a request of the worker's to yagna can still take effect. */
  requestLifetimeMs: number;
  /** For so long money is reserved at a time; extended when half of it is over. */
  allocationLifeSec: number;
  /** The namespace has the search attributes of `model/search-attributes.ts`. */
  searchAttributes?: true;
}

/** Payment platform token, such as `erc20-holesky-tglm`. */
export function paymentPlatform(budget: Pick<BudgetSpec, 'driver' | 'network' | 'token'>): string {
  return `${budget.driver}-${budget.network}-${budget.token}`.toLowerCase();
}
