/** What a job returns and what its pieces tell each other: task results, rentals, money. Plain data. */
import type { AgreedTerms } from './agreed-terms';
import type { Duration } from './duration-classes';
import type { AgreementId, Amount, BatchId, GolemActivityId, ProviderId, Timestamp } from './ids';

/** Outcome of one command, as yagna reports it. */
export interface CommandResult {
  /** Position in the task's `commands`, from 0. */
  index: number;
  result: 'Ok' | 'Error';
  /** Captured output; cut at the spec's `outputLimitBytes` with a mark at its end. Null when there is none. */
  stdout: string | null;
  stderr: string | null;
  /** yagna's message, such as `ExeScript command exited with code 3`. */
  message: string | null;
  /** When the command ended. */
  eventDate?: Timestamp;
}

export interface ProviderInfo {
  id: ProviderId;
  name: string;
}

/** One try of a task on one provider. */
export interface TaskAttempt {
  attempt: number;
  provider: ProviderInfo;
  agreementId: AgreementId;
  activityId?: GolemActivityId;
  batchId?: BatchId;
  /** Of parts before, the newest, where the script was sent in parts: a transfer was tried again, or it has checkpoints. */
  earlierBatches?: BatchId[];
  startedAt: Timestamp;
  finishedAt: Timestamp;
  state: 'done' | 'failed' | 'lost' | 'uncertain';
  /** Why it failed, one line. */
  reason?: string;
}

export interface TaskResult {
  name: string;
  state: 'done' | 'failed' | 'cancelled';
  /** Results of the last attempt, one a command. */
  results: CommandResult[];
  /** Provider of the last attempt. */
  provider?: ProviderInfo;
  attempts: TaskAttempt[];
  startedAt?: Timestamp;
  finishedAt?: Timestamp;
  /** Why the task failed: a failure name and one line. */
  failure?: { type: string; message: string };
}

/** Answer of the Query `task` on a job: a task as it is now. */
export interface TaskNow extends Omit<TaskResult, 'state'> {
  state: 'waiting' | 'running' | TaskResult['state'];
}

/** What became of tasks that were in a file. */
export interface FileResults {
  /** The spec's `resultsTo` without its query, which may hold a signature. Absent in results of earlier versions. */
  to?: string;
  /** Parts written to `resultsTo`, numbered from 1: a {@link TaskResult} a line, of tasks that are done or failed. */
  parts: number;
  tasks: { done: number; failed: number; cancelled: number };
  /** The first 20 that failed, outputs cut; all of them are in the parts. */
  firstFailed: TaskResult[];
}

/** What `golemJob` returns. */
export interface JobResult {
  jobId: string;
  jobUuid: string;
  /** `done`: every task is done. `failed`: at least one failed for good; the others' results are here. */
  state: 'done' | 'failed';
  /**
   * Empty where the job was ended before its spec could be checked. Of tasks in a file, those whose result could not be
   * written.
   */
  tasks: TaskResult[];
  /** There if the tasks were in a file. */
  results?: FileResults;
  /** Why the job ended before all its tasks were over, if so: a failure name and one line. */
  failure?: { type: string; message: string };
  startedAt: Timestamp;
  finishedAt: Timestamp;
  /** Workflow id of the settlement, which goes on alone; there is none where the spec was not checked yet. */
  settlementId: string;
}

/** Money of a job, all in GLM. */
export interface Money {
  /** The most that is ever reserved and accepted; the Update `topUp` raises it. */
  budget: Amount;
  /** What is reserved on yagna, with what was accepted already; `"0"` before it is. */
  reserved: Amount;
  /** Sum of what was accepted: per agreement its invoice, or its newest accepted debit note before that. */
  accepted: Amount;
  /** Sum of what yagna says is paid. */
  paid: Amount;
  platform: string;
  /** Little is left for new work; see `budget.onLow` of the spec. Absent otherwise, and of a settlement. */
  low?: boolean;
}

/** The money of one agreement. */
export interface AgreementMoney {
  agreementId: AgreementId;
  provider: ProviderInfo;
  accepted: Amount;
  paid: Amount;
  invoiceId?: string;
  /** Amount of the final invoice, once it came. */
  invoiceAmount?: Amount;
  /** `open`: no invoice yet. `unpaid`: none came in time, or it was rejected. */
  state: 'open' | 'invoiced' | 'accepted' | 'rejected' | 'settled' | 'unpaid';
  debitNotes: number;
}

/** What became of the oldest of very many agreements: all of them are paid. */
export interface EarlierAgreements {
  agreements: number;
  accepted: Amount;
  paid: Amount;
  debitNotes: number;
}

/** What `golemSettlement` returns. */
export interface SettlementResult {
  jobId: string;
  jobUuid: string;
  /** `settled`: all invoices decided and paid, allocation released. `unpaid`: an invoice never came or was rejected. */
  state: 'settled' | 'unpaid';
  money: Money;
  agreements: AgreementMoney[];
  /** Beside these, where there were thousands. */
  earlier?: EarlierAgreements;
}

/**
 * `attaching`: it looks for what it is to take over. `detached`: it is over, and its VM and agreement live on.
 */
export type RentalState =
  | 'attaching'
  | 'signing'
  | 'creating'
  | 'deploying'
  | 'ready'
  | 'busy'
  | 'closing'
  | 'closed'
  | 'failed'
  | 'detached';

export interface RentalProgress {
  n: number;
  workflowId: string;
  provider: ProviderInfo;
  agreementId?: AgreementId;
  activityId?: GolemActivityId;
  state: RentalState;
  currentTask?: string;
  /** Batch id of the script under way, once it was sent. */
  currentBatch?: BatchId;
  /** VMs beside it that scripts have asked for by name. */
  vms?: { name: string; activityId?: GolemActivityId; currentTask?: string; currentBatch?: BatchId }[];
  /**
   * Of a rental that attached: other Golem activities that lived under the agreement then. It looks after none of them, and
   * its end ends them; until then they are billed.
   */
  siblings?: GolemActivityId[];
  tasksDone: number;
  /** When its agreement ends at the latest. */
  endsAt?: Timestamp;
  /** What both sides have agreed of debit notes and payments, seconds. */
  terms?: AgreedTerms;
  /** Why it ended, when it ended badly. */
  reason?: string;
  /** What its user should know of a VM that was taken over. */
  note?: string;
  /** Workflow that pays for a VM that was taken over; only where the rental itself is asked. */
  settlementId?: string;
}

export type JobPhase =
  | 'validating'
  | 'reserving'
  | 'negotiating'
  | 'running'
  | 'paused'
  | 'closing'
  | 'done'
  | 'failed'
  | 'cancelled';

export interface LastFailure {
  type: string;
  message: string;
  at: Timestamp;
}

/** Answer of the Query `progress` on a job. */
export interface JobProgress {
  jobId: string;
  phase: JobPhase;
  tasks: { total: number; waiting: number; running: number; done: number; failed: number };
  rentals: RentalProgress[];
  money: Money;
  /** What somebody has to do for the job to go on, one line; only while it is `paused`. */
  waitingFor?: string;
  cost: CostProgress;
  /** How long the job's rentals may last, and what they promise for it, seconds; absent before the spec is checked. */
  duration?: Duration;
  lastFailure?: LastFailure;
  startedAt: Timestamp;
}

/** `detached`: job and rentals are gone, and an agreement was left alive on purpose: it is paid for until it ends. */
export type SettlementPhase =
  'reserving' | 'open' | 'detached' | 'closing' | 'settling' | 'settled' | 'unpaid' | 'failed';

/** An agreement that was left alive on purpose, and nobody looks after. */
export interface DetachedAgreement {
  agreementId: AgreementId;
  /** Its Golem activity, where there is one. */
  activityId?: GolemActivityId;
  /** When it ends by itself. */
  validTo: Timestamp;
}

/** What a job costs at a moment, reckoned from prices and accepted debit notes; at most, where no note came yet. */
export interface CostProgress {
  at: Timestamp;
  /** GLM owed by then beyond the debit notes that were accepted. */
  accrued: Amount;
  /** GLM by the hour. */
  perHour: Amount;
  /** For so long the budget lasts at that pace, seconds; absent where nothing costs anything. */
  budgetLastsSec?: number;
}

/** Answer of the Query `progress` on a settlement. */
export interface SettlementProgress {
  jobId: string;
  phase: SettlementPhase;
  allocationId?: string;
  money: Money;
  agreements: AgreementMoney[];
  /** Beside these, where there were thousands. */
  earlier?: EarlierAgreements;
  /** Agreements that were left alive on purpose; absent where there are none. */
  detached?: DetachedAgreement[];
  lastFailure?: LastFailure;
}
