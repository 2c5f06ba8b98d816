/**
 * What workflows and activities say to each other: the input and output of every Temporal activity.
 * Types only, so that workflows import nothing that runs.
 */
import type {
  AgreementId,
  AllocationId,
  Amount,
  BatchId,
  DebitNoteId,
  DemandId,
  GolemActivityId,
  InvoiceId,
  ProposalId,
  ProviderId,
  Timestamp,
} from '../model/ids';
import type { AgreedTerms } from '../model/agreed-terms';
import type { AttachSpec, DetachedVm } from '../model/attach';
import type { Breach } from '../model/avoid';
import type { ATTACH, ControlClaim, ControlKey, ControlSpec, Operation, Refusal } from '../model/control';
import type {
  BudgetSpec,
  ContractDeposit,
  Installation,
  JobSpec,
  TaskCommand,
  TaskFile,
  TaskSpec,
  ToleranceSpec,
} from '../model/job';
import type { EstimatedSpec } from '../model/estimate';
import type { NewEvent } from '../model/events';
import type { Estimate, EstimateInput, YagnaInput, YagnaReport } from '../model/inspect';
import type { NamedBroker } from '../model/payer';
import type { Orphan, ReconcileInput } from '../model/reconcile';
import type { RentalCalls } from '../model/rental-calls';
import type { CommandResult, DetachedAgreement, ProviderInfo, TaskResult } from '../model/result';

/** Which job on which yagna: what every activity needs to find what is the job's. */
export interface JobRef {
  connection: string;
  /** `golemJob`'s workflow id. */
  jobId: string;
  /** Run id of the job's first run. */
  jobUuid: string;
  /** Owner of the marks, see {@link Installation.owner}. */
  owner: string;
  /** Agreements that are the job's although they bear no mark of it: other software rented them. */
  agreements?: AgreementId[];
  /** Who controls what the job rents, if only he does: the marks name him by a hash. */
  controlOwner?: ControlKey;
}

export interface PreparedJob {
  spec: JobSpec;
  installation: Installation;
}

export interface ReserveInput {
  job: JobRef;
  amount: Amount;
  platform: string;
  /** Whole second, since the epoch, at which the allocation ends; the mark goes into its microseconds. */
  endsAtSec: number;
  /** One that an earlier settlement of the job made may be there. Default false. */
  mayExist?: boolean;
  /** Who pays instead of our account: then only as much is reserved there as names the platform. */
  payer?: NamedBroker;
  /** A funded contract that pays instead of our account. */
  deposit?: ContractDeposit;
  /** Allocations of the job that lapsed before this one: what was taken from them is not reserved again. */
  replaces?: {
    allocationIds: AllocationId[];
    /** What is accepted as far as we know, for a yagna that does not tell what was taken from an allocation. */
    accepted: Amount;
  };
}

/** Detail of a BudgetNotReserved: the contract holds the deposit no longer than that. */
export interface TooLongForDeposit {
  /** Whole seconds since the epoch: the latest end that an allocation of it can have. */
  depositEndsAtSec: number;
}

export interface Reserved {
  allocationId: AllocationId;
  total: Amount;
  /**
   * yagna's own clock at the reservation, or at the beginning of the oldest agreement that the job was given: the first
   * cursor for events.
   */
  at: Timestamp;
  event: NewEvent;
  /** More than one attempt was made, so an earlier request may still land. */
  retried: boolean;
  /** What was taken from the allocations that it replaces. */
  spentBefore: Amount;
}

export interface AmendInput {
  job: JobRef;
  allocationId: AllocationId;
  /** What it is to hold, what was spent of it included. It is never lowered. */
  total: Amount;
  /** Somebody else pays: what it holds stays as it is. */
  payer?: NamedBroker;
  /** Until when it is to last; its mark is that of the new second. It is never shortened. */
  endsAtSec: number;
  /** Until when it was to last so far. */
  lastsUntilSec: number;
  /** Ends of all allocations that the job ever had: one of them that is not this one is given back. */
  endsAtSecs: number[];
}

export interface Amended {
  /** `lapsed`: its time was over. `released`: it is gone before its time: somebody took the money back. */
  state: 'live' | 'lapsed' | 'released';
  /** What it holds now, what was spent of it included. */
  total: Amount;
  /** More than one attempt was made, so an earlier request may still land. */
  retried: boolean;
}

/** A provider's offer as far as later steps need it. */
export interface OfferSummary {
  proposalId: ProposalId;
  provider: ProviderInfo;
  cpuThreads: number;
  /** Estimated GLM for one hour on all threads, start price included. */
  pricePerHour: Amount;
  /** Part of it that is paid once for each VM. */
  startPrice: Amount;
  /** Its place among all that a round has left, the best first. */
  rank?: number;
}

/** A counter-proposal of ours that may still be answered: providers who were full come back to it. */
export interface Unanswered {
  /** Of an offer that could not be answered, its own id. */
  counterId: ProposalId;
  summary: OfferSummary;
  /** Nothing was heard to it: a message may be lost. */
  silent?: boolean;
}

export interface NegotiateInput {
  job: JobRef;
  /** What of the spec is asked of the market: the tasks may be large. */
  spec: Pick<JobSpec, 'image' | 'demand' | 'pricing' | 'providers'>;
  allocationId: AllocationId;
  platform: string;
  /** Who decides and pays instead of our yagna. */
  payer?: NamedBroker;
  /** Demand of the round before, if there is one; it is used again while it lives. */
  demand?: SubscribedDemand;
  /** It is not used again, however long it lives: providers do not repeat what got lost under it. */
  renew: boolean;
  /** Number for the mark of the next demand, if one has to be made. */
  nextDemandNumber: number;
  /** Draft proposals wanted. */
  wanted: number;
  /** Offers left over from earlier rounds, best first. */
  leftOver: OfferSummary[];
  /** Counter-proposals of earlier rounds under the same demand. */
  unanswered: Unanswered[];
  /** Drafts of earlier rounds that were not taken. Default: none. */
  spare?: DraftProposal[];
  /** Providers not to be taken now: rented already, or failed before. */
  avoid: ProviderId[];
  /** Those of `avoid` that broke faith with the job, and why. */
  brokeFaith: { id: ProviderId; reason: string }[];
  /** Those of `avoid` that only failed before: when nobody else offers, the round ends early to let them in again. */
  forgivable: ProviderId[];
}

export interface SubscribedDemand {
  demandId: DemandId;
  /** Number in the mark. */
  n: number;
  /** When the demand, and whatever is rented under it, ends: ms since the epoch. */
  expiresAtMs: number;
}

/** A negotiated proposal, ready to be signed. */
export interface DraftProposal extends OfferSummary {
  demand: SubscribedDemand;
}

export interface Negotiated {
  /** Undefined when yagna has forgotten the demand: it was restarted, or somebody ended it. */
  demand?: SubscribedDemand;
  /** Number in the mark of the newest demand. */
  demandNumber: number;
  /** As many as were wanted, best first. */
  drafts: DraftProposal[];
  /** Beyond those: better ones had still to come when they were asked. */
  spare: DraftProposal[];
  leftOver: OfferSummary[];
  unanswered: Unanswered[];
  /** Nobody said anything all the round, though somebody was asked. */
  silent: boolean;
  events: NewEvent[];
  /** Counts of the round, for progress and for the message of a failure. */
  seen: { offers: number; unsuitable: Record<string, number> };
  retried: boolean;
}

export interface SignInput {
  job: JobRef;
  proposal: DraftProposal;
  /** End of the agreement; its microseconds mark the attempt. */
  validTo: Timestamp;
}

export interface SignedAgreement {
  agreementId: AgreementId;
  approvedAt: Timestamp;
  validToMs: number;
  /** As both sides signed them. */
  terms: AgreedTerms;
  events: NewEvent[];
  retried: boolean;
}

export interface CreateVmInput {
  job: JobRef;
  agreementId: AgreementId;
  /** End of the agreement. */
  validToMs: number;
  provider: ProviderInfo;
  /** Golem activities of this agreement that are ended and must not be adopted. */
  ended: GolemActivityId[];
}

export interface CreatedVm {
  activityId: GolemActivityId;
  events: NewEvent[];
  retried: boolean;
}

export type ScriptCommand = { deploy: true } | { start: true } | TaskCommand;

export interface SendScriptInput {
  job: JobRef;
  agreementId: AgreementId;
  activityId: GolemActivityId;
  commands: ScriptCommand[];
  /** Longest time for the script: addresses of the worker's files are good for so long. Default 3600. */
  timeoutSec?: number;
  /** Bytes kept of each stdout and stderr, where the script is over at once. Absent: its end is not waited for. */
  outputLimitBytes?: number;
}

export interface SentScript {
  batchId: BatchId;
  event: NewEvent;
  /** What it came to, where all of it went well within a moment; otherwise somebody has to watch it. */
  quick?: WatchedScript;
}

/** Details of the heartbeats of `golemSendScript`, once the script is sent. */
export type SendingScript = Pick<SentScript, 'batchId'>;

export interface WatchScriptInput {
  job: JobRef;
  agreementId: AgreementId;
  activityId: GolemActivityId;
  batchId: BatchId;
  /** Absent where nobody knows it any more: then the script is over when yagna says so. */
  commandCount?: number;
  /** ms since the epoch after which the script counts as timed out. */
  deadlineMs: number;
  /** Bytes kept of each stdout and stderr. */
  outputLimitBytes: number;
  /** Who follows the script by this id finds its results so far in the heartbeats. */
  scriptId?: string;
  /** Of a part: the position in the script of its first command. What failed in it may be tried again, and is not told yet. */
  offset?: number;
}

/**
 * Why a VM is of no use after a script. `busy`: the script, or what follows in it, may still run. `dead`: it ended.
 * `silent`: the provider does not answer. `unreadable`: its results cannot be read. `untrue`: they cannot be the
 * script's.
 */
export type VmAfterScript = 'busy' | 'dead' | 'silent' | 'unreadable' | 'untrue';

export interface WatchedScript {
  /** `lost`: the VM is gone, or of no use any more. `timedOut`: it still runs. */
  state: 'done' | 'failed' | 'lost' | 'timedOut';
  results: CommandResult[];
  reason?: string;
  vm?: VmAfterScript;
  event?: NewEvent;
}

export interface WatchRentalInput {
  job: JobRef;
  agreementId: AgreementId;
  activityId: GolemActivityId;
  validToMs: number;
}

export interface RentalEnded {
  /** What ended: the agreement (by whom and why) or only the VM; or the provider has not answered for long. */
  ended: 'agreement' | 'vm' | 'silent';
  reason: string;
  /** Who ended the agreement, `Requestor` or `Provider`. */
  terminator?: string;
  /** The provider's `golem.provider.code`, where it gave one. */
  code?: string;
  /** The agreement's own time was over, by our clock: what its provider says alone does not make it so. */
  expired?: boolean;
  /** Its provider said so, and may have believed it: clocks differ by minutes. */
  excused?: boolean;
  events: NewEvent[];
}

export interface DestroyVmInput {
  job: JobRef;
  agreementId: AgreementId;
  activityId: GolemActivityId;
}

export interface DestroyedVm {
  /** Its agreement is over, too. */
  ended?: RentalEnded;
  events: NewEvent[];
}

export interface CloseRentalInput {
  job: JobRef;
  agreementId: AgreementId;
  /** Goes into the agreement's termination: a line for people, and codes such as `golem.requestor.code`. */
  reason: { message: string; [property: string]: string };
  /**
   * The provider broke the agreement: it is terminated at once, which ends its VM, so that nobody who sees the VM end
   * terminates it before, for a lesser reason. Default false: first the VM, then the agreement.
   */
  isBroken?: boolean;
  /** An earlier activity may have ended it, and not told of it. Default false. */
  maybeDone?: boolean;
}

export interface ClosedRental {
  events: NewEvent[];
}

export interface WatchSettlementInput {
  job: JobRef;
  /** Events after these are new. */
  cursor: { debitNotes: Timestamp; invoices: Timestamp };
  /** Invoices that were accepted and are not known to be paid. */
  awaitingPayment: InvoiceId[];
  /** Documents that somebody else decides: that he did is news. */
  decidedElsewhere?: (DebitNoteId | InvoiceId)[];
  /** Agreements whose debit notes are no news any more: they came too often. */
  ignoredNotes?: AgreementId[];
  /** Whose closing to wait for beside the documents. */
  owners: OwnersToWatch;
  /** Workflows that attached to an agreement of the job. */
  attached?: { workflowId: string }[];
  /** Agreements whose end to wait for, too. */
  detached?: AgreementId[];
  /**
   * Payments of debit notes alone are told after so many seconds at the latest: as a rule, with the next note. Default 0.
   */
  paymentsWaitSec?: number;
  /** Greatest number of a rental that has said it closed; Temporal may know it no more. */
  closedRentals: number;
  /** ms since the epoch at which to return even if nothing happened. */
  untilMs?: number;
}

export interface DocumentRef {
  kind: 'debitNote' | 'invoice';
  id: DebitNoteId | InvoiceId;
  eventDate: Timestamp;
  /** Absent where it was not asked for, or yagna did not show the document. */
  agreementId?: AgreementId;
}

export interface SettlementNews {
  documents: DocumentRef[];
  cursor: { debitNotes: Timestamp; invoices: Timestamp };
  /** Accepted invoices that yagna now says are paid. */
  settled: { invoiceId: InvoiceId; agreementId: AgreementId; amount: Amount; event: NewEvent }[];
  /** Debit notes that yagna now says are paid. */
  settledNotes: DebitNoteId[];
  /** Those of `decidedElsewhere` that yagna tells something new of. */
  heardOf?: (DebitNoteId | InvoiceId)[];
  owners?: OwnersState;
  /** Those of `detached` that have ended. */
  ended?: { agreementId: AgreementId; events: NewEvent[] }[];
}

/**
 * `job`: return when the job has closed. `rentals`: when all its rentals have, too. `attached`: when those that attached
 * have. `none`: they are closed.
 */
export type OwnersToWatch = 'job' | 'rentals' | 'attached' | 'none';

/** Whether the workflows that make costs are closed. */
export interface OwnersState {
  /** Workflow ids of rentals that still run. */
  liveRentals: string[];
  /** True when one of them ended without having run its clean-up (terminated, timed out). */
  abrupt: boolean;
  /** Of `attached`: workflow ids of those that have closed; others go on. */
  closed?: string[];
}

export interface DecideInput {
  job: JobRef;
  document: DocumentRef;
  allocationId: AllocationId;
  tolerance: ToleranceSpec;
  /** VMs that may run at the same time under an agreement. Default 1. */
  vmsAtOnce?: number;
  /** Least payment timeout that a provider may have countered with. Default: what was asked for. */
  leastPaymentTimeoutSec?: number;
  /** What the ledger knows of the document's agreement; of all where that is not known. */
  ledger: Record<AgreementId, AgreementSoFar>;
}

/** What was decided before for one agreement. */
export interface AgreementSoFar {
  /** Total accepted per Golem activity by debit notes. */
  acceptedByActivity: Record<GolemActivityId, Amount>;
  /** Debit notes seen per Golem activity, and payable ones among them. */
  notes: Record<GolemActivityId, { all: number; payable: number }>;
  /** Usage of the newest accepted note of each Golem activity. */
  lastUsage: Record<GolemActivityId, number[]>;
  /** When that note came, by our yagna's clock. */
  lastNoteAt: Record<GolemActivityId, Timestamp>;
  invoiceAccepted: boolean;
  /** Its invoice was rejected: yagna then takes the acceptance of a note, and pays nothing for it. */
  invoiceRejected?: boolean;
}

export interface Decision {
  document: DocumentRef;
  agreementId: AgreementId;
  activityId?: GolemActivityId;
  provider: ProviderInfo;
  amount: Amount;
  payable: boolean;
  /**
   * `superseded`: a debit note after the accepted invoice or a newer note; `foreign`: not this job's document; `awaited`:
   * somebody else decides it, who pays, and has not yet.
   */
  decision: 'accepted' | 'refused' | 'superseded' | 'foreign' | 'awaited';
  /** yagna says it is paid already (a zero invoice, or a decision made in an attempt before). */
  settled: boolean;
  /** Usage as an accepted debit note told it. */
  lastUsage?: number[];
  reason?: string;
  /** Why nothing is paid: the document is wrong, or the budget is used up. */
  failure?: 'PaymentRefused' | 'BudgetExhausted';
  /** The allocation that it was to be paid from is not there any more. */
  allocationGone?: boolean;
  /** An invoice beside the accepted one of its agreement: the books go by that. */
  secondInvoice?: boolean;
  /** GAP-3's `golem.requestor.code`, when the refusal has one. */
  requestorCode?: string;
  events: NewEvent[];
}

export interface CleanUpInput {
  job: JobRef;
  /** Start of the job by yagna's clock: older invoices are of other jobs. */
  since: Timestamp;
  /** Agreements that are not ended. */
  keep?: AgreementId[];
}

export interface CleanedUp {
  /** All agreements of the job that were ever approved. */
  agreements: { agreementId: AgreementId; provider: ProviderInfo; state: string }[];
  /** Their invoices that nobody has decided yet. */
  invoices: DocumentRef[];
  /** Those of `keep` that live. */
  kept: DetachedAgreement[];
  /** True when this look found nothing left to end. */
  empty: boolean;
  /** What could not be ended yet, one line each. */
  stuck: string[];
  events: NewEvent[];
}

export interface ReleaseInput {
  job: JobRef;
  /** Ends of all allocations that the job ever had. */
  endsAtSecs: number[];
}

export interface Released {
  events: NewEvent[];
  /** True when no allocation of the job was there any more. */
  empty: boolean;
}

/** How a settlement decides and pays. */
export interface SettlementTerms {
  budget: BudgetSpec;
  platform: string;
  invoiceWaitSec: number;
  /** Time agreed for accepting debit notes, if any. */
  acceptanceTimeoutSec?: number;
  /** Time between debit notes that the demand asks for, if any. */
  debitNoteIntervalSec?: number;
  tolerance: ToleranceSpec;
  /** VMs that may run at the same time under an agreement. Default 1. */
  vmsAtOnce?: number;
  /** Least payment timeout that a provider may have countered with. Default: what was asked for. */
  leastPaymentTimeoutSec?: number;
  /** After so long nothing of a dead attempt can take effect on yagna any more. */
  requestLifetimeMs: number;
  /** The allocation is reserved for so long at a time. */
  allocationLifeSec: number;
  /** As of {@link Installation}. */
  searchAttributes?: true;
}

/** What a settlement takes over from one that is gone. */
export interface Adopted {
  /** End of the allocation to go on with; absent where there is none, and one of `amount` is to be made. */
  endsAtSec?: number;
  /** Ends of further allocations of the job, to be released at the end. */
  otherEnds: number[];
  /** To reserve, if the allocation is not there. */
  amount: Amount;
  /** yagna's time before the first document of the job: the books are made anew from there. */
  since: Timestamp;
  /** Agreements whose invoice has been waited for long enough. */
  overdue: AgreementId[];
}

/** A settlement to be started in the place of one that is gone. */
export interface Revival extends SettlementTerms {
  job: JobRef;
  adopt: Adopted;
}

/** A settlement to be started by a rental that attaches. */
export interface NewSettlement extends SettlementTerms {
  job: JobRef;
  adopt?: Adopted;
}

export interface ResolveAttachInput {
  attach: AttachSpec;
  connection?: string;
  control?: ControlSpec;
  /** The owner's, where the VM has one. */
  authorization?: string;
  /** When the rental was started, ms since the epoch: it may wait for long until it can be asked. */
  askedAtMs: number;
}

/** Beside the name of the refusal in the failure of an attach. */
export interface AttachRefusal {
  /** Whose signature it has. */
  key?: ControlKey;
  /** Workflow that runs and pays for the VM: its events are what the owner reads. */
  settlement?: string;
}

/** The Golem activity that a rental attaches to, as it was found. */
export interface ResolvedAttach {
  /** Whose it is to be: its settlement is `<jobId>/settlement`. */
  job: JobRef;
  /** To be started first; absent where one lives that pays for the agreement already. */
  settlement?: NewSettlement;
  /** GLM that the budget of one that lives lacks of what was asked for. */
  topUp?: Amount;
  agreementId: AgreementId;
  provider: ProviderInfo;
  approvedAt: Timestamp;
  validToMs: number;
  terms: AgreedTerms;
  /** Of the owner's signature, where one was needed. */
  nonce?: string;
  /** Scripts in it that were sent before, the oldest first. */
  batchIds: BatchId[];
  /** All other Golem activities that yagna lists under the agreement. */
  others: GolemActivityId[];
  /** Those of them that live, or whose provider does not say that they have ended. */
  siblings: GolemActivityId[];
  /** What its user should know. */
  note?: string;
}

export interface DescribeDetachInput {
  job: JobRef;
  agreementId: AgreementId;
  activityId: GolemActivityId;
  batchId?: BatchId;
  vms?: DetachedVm[];
}

export interface FoundOrphans {
  orphans: Orphan[];
  /** Beyond those listed. */
  more: number;
  revivals: Revival[];
  /** Jobs of which nothing is owed: what they left only has to be ended. */
  cleanUps: CleanUpInput[];
}

export interface ScanInput extends Pick<EstimateInput, 'taskSec' | 'scanSec'> {
  job: JobRef;
  spec: EstimatedSpec & Pick<JobSpec, 'image' | 'pricing'>;
}

export interface AvoidInput {
  job: JobRef;
  provider: ProviderInfo;
  breach: Breach;
  /** What happened, one line. */
  reason: string;
}

export interface VerifyControlInput {
  /** Workflow id of the rental or job that was asked. */
  rental: string;
  /** Id of its first run; absent where it was signed before there was one. */
  run?: string;
  operation: Operation | typeof ATTACH;
  /** The Update's argument without its `authorization`. */
  args: unknown;
  /** A JWS over a {@link ControlClaim}, compact. */
  authorization: string;
}

/** Who signed, and why it is refused all the same; the refusal alone where nobody did. */
export type VerifiedControl =
  | { key: ControlKey; claim: Pick<ControlClaim, 'nonce' | 'exp'>; refusal?: Refusal }
  | { key?: undefined; claim?: undefined; refusal: Refusal };

/** How far a file of tasks was read. */
export interface TasksCursor {
  /** Byte. */
  offset: number;
  /** Number of the line there, from 1. */
  line: number;
}

export interface ReadTasksInput {
  file: TaskFile;
  cursor: TasksCursor;
  /** No task is added once there are so many, or so much JSON of them, but the rest of those that share a VM. */
  maxTasks: number;
  maxJson: number;
}

export interface TasksPage {
  tasks: TaskSpec[];
  /** Where the next page begins. */
  cursor: TasksCursor;
  isEnd: boolean;
}

export interface WriteResultsInput {
  /** The spec's `resultsTo`. */
  to: string;
  /** From 1. */
  part: number;
  results: TaskResult[];
}

/** A workflow and the first of its runs. */
export interface StartedWorkflow {
  workflowId: string;
  runId: string;
}

/** How a workflow ended. */
export interface ClosedWorkflow {
  workflowId: string;
  /** `unknown`: Temporal has deleted it since. */
  how: 'completed' | 'failed' | 'canceled' | 'terminated' | 'timedOut' | 'unknown';
  /** Why it `failed`. */
  failure?: { type: string; message: string };
}

/** The Temporal activities of this package, by the names they are registered under. */
export interface GolemActivities extends RentalCalls {
  golemPrepareJob(input: { spec: unknown }): Promise<PreparedJob>;
  golemReserveAllocation(input: ReserveInput): Promise<Reserved>;
  golemAmendAllocation(input: AmendInput): Promise<Amended>;
  golemNegotiate(input: NegotiateInput): Promise<Negotiated>;
  golemUnsubscribeDemands(input: { job: JobRef }): Promise<{ events: NewEvent[] }>;
  golemSignAgreement(input: SignInput): Promise<SignedAgreement>;
  golemCreateVm(input: CreateVmInput): Promise<CreatedVm>;
  golemSendScript(input: SendScriptInput): Promise<SentScript>;
  golemWatchScript(input: WatchScriptInput): Promise<WatchedScript>;
  golemWatchRental(input: WatchRentalInput): Promise<RentalEnded>;
  golemDestroyVm(input: DestroyVmInput): Promise<DestroyedVm>;
  golemCloseRental(input: CloseRentalInput): Promise<ClosedRental>;
  golemWatchSettlement(input: WatchSettlementInput): Promise<SettlementNews>;
  golemDecideDocument(input: DecideInput): Promise<Decision>;
  golemCleanUp(input: CleanUpInput): Promise<CleanedUp>;
  golemReleaseAllocation(input: ReleaseInput): Promise<Released>;
  golemFindOrphans(input: ReconcileInput): Promise<FoundOrphans>;
  golemScanMarket(input: ScanInput): Promise<{ estimate: Estimate; isClean: boolean }>;
  golemInspectYagna(input: Omit<YagnaInput, 'what'>): Promise<YagnaReport>;
  golemReadTasks(input: ReadTasksInput): Promise<TasksPage>;
  golemWriteResults(input: WriteResultsInput): Promise<void>;
  golemWatchWorkflows(input: { workflows: StartedWorkflow[] }): Promise<{ closed: ClosedWorkflow[] }>;
  golemResolveAttach(input: ResolveAttachInput): Promise<ResolvedAttach>;
  golemDescribeDetach(input: DescribeDetachInput): Promise<{ says: string[] }>;
  golemAvoidProvider(input: AvoidInput): Promise<{ events: NewEvent[] }>;
  golemVerifyControl(input: VerifyControlInput): Promise<VerifiedControl>;
}
