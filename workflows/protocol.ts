/**
 * What the workflows of a job tell each other, and what users may ask them. Between our own workflows there
 * are only signals, each with an id or a state that makes a repeat harmless.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Adopted, DraftProposal, JobRef, ScriptCommand, SettlementTerms } from '../activities/contract';
import type { AgreedTerms } from '../model/agreed-terms';
import type { AttachSpec, Detached } from '../model/attach';
import type { EventsQuery, GolemEvent } from '../model/events';
import type { AgreementId, AllocationId, Amount, BatchId, GolemActivityId, Timestamp } from '../model/ids';
import type { Bills } from './state/budget';
import type { ControlKey, ControlSpec, Refusal } from '../model/control';
import type { CheckpointSpec, OnUncertain, TaskCommand } from '../model/job';
import type {
  CommandResult,
  JobProgress,
  LastFailure,
  Money,
  ProviderInfo,
  RentalProgress,
  RentalState,
  SettlementPhase,
  SettlementProgress,
  TaskNow,
} from '../model/result';
import type { ExecuteScript, ScriptEnd, ScriptOutcome } from '../model/script';
import type { Fault } from './state/broken-faith';
import type { Parts } from './state/script-parts';
import type { CarriedSettlement } from './state/carried-settlement';
import type { RentalRecord } from './state/rental-record';

export type { ExecuteScript, ScriptEnd, ScriptOutcome } from '../model/script';

export const eventsQuery = defineQuery<GolemEvent[], [EventsQuery?]>('events');
export const jobProgressQuery = defineQuery<JobProgress>('progress');
/** Null where there is no task of that name, or it was one of a file and is over. */
export const taskQuery = defineQuery<TaskNow | null, [string]>('task');
export const rentalProgressQuery = defineQuery<RentalProgress>('progress');
export const settlementProgressQuery = defineQuery<SettlementProgress>('progress');

/** One task, or a script from outside, given to a rental. */
export interface Assignment {
  /** `<task>#<attempt>`: a repeat of the signal is recognised by it. */
  id: string;
  task: string;
  commands: ScriptCommand[];
  timeoutSec: number;
  onUncertain: OnUncertain;
  checkpoint?: CheckpointSpec;
  /** An attempt before may have left a checkpoint. */
  restore?: boolean;
  /** One is known to have been stored: it is waited for, unless its server says that there is none. */
  stored?: boolean;
  /** Of a script from outside: whoever sent it may follow its results by it. */
  scriptId?: string;
  /** Its VM is made anew first. */
  fresh?: boolean;
  /** Of one that is sent in parts: which is next. */
  parts?: Parts;
  /** Of one that is sent in parts: since when it runs and until when it may, ms since the epoch. */
  since?: { startedAt: Timestamp; deadlineMs: number };
  /** It waits so long before it is sent. */
  pauseMs?: number;
  /** How many VMs of the rental had died, as far as the job knew: files of a task before went with them. */
  vmsDied?: number;
}

/**
 * `lost`: the VM went while it ran. `returned`: it never began, which is no failure of the task.
 */
export type AssignmentState = ScriptEnd;

/** Rental → job: how an assignment ended. */
export interface AssignmentOutcome {
  rental: number;
  id: string;
  task: string;
  state: AssignmentState;
  results: CommandResult[];
  reason?: string;
  fault?: Fault;
  /** A VM died, and a fresh one takes its place under the agreement: how many have died by now. */
  vmsDied?: number;
  /** Of one that was returned: only because another one before it takes long. The rental is as good as before. */
  isOvertaken?: boolean;
  activityId?: GolemActivityId;
  batchId?: BatchId;
  /** Of one that was sent in parts: those before, the newest. */
  earlierBatches?: BatchId[];
  /** How many checkpoints were stored while it ran. */
  checkpoints?: number;
  /** It was lost because the agreement's own time was over. */
  expired?: boolean;
  /** What the rental says of itself, which was to be heard before. */
  news?: RentalUpdate;
  startedAt: Timestamp;
  finishedAt: Timestamp;
}

/** Rental → job: where it stands. Later ones (greater `seq`) replace earlier ones. */
export interface RentalUpdate {
  rental: number;
  seq: number;
  state: RentalState;
  agreementId?: AgreementId;
  activityId?: GolemActivityId;
  /** What was agreed of debit notes and payments, once it is signed. */
  terms?: AgreedTerms;
  reason?: string;
  /** What broke it, by the failure's name. Absent when its end follows from a task's own failure. */
  failure?: { type: string; message: string };
  /** What its provider did wrong, if no outcome of a task has told it. */
  fault?: Fault;
  /** A VM died idle, and a fresh one will take its place when there is work: how many have died by now. */
  vmsDied?: number;
  /** A user told it to end: he wants none in its place. */
  isTerminated?: boolean;
  /** A command of the job's setup ended with an error: other providers are not likely to do better. */
  setupFailed?: boolean;
}

/** Settlement → job. Later ones replace earlier ones. */
export interface SettlementUpdate {
  /** Whose settlement says it: the workflow id of a job may be used again while an earlier one is settled. */
  jobUuid: string;
  seq: number;
  phase: SettlementPhase;
  allocationId?: AllocationId;
  money: Money;
  failure?: LastFailure;
  /** Providers whose bill was refused, and why. */
  refusedProviders: { provider: ProviderInfo; reason: string }[];
  bills: Bills;
  /** Answers to the newest requests. */
  reservations: ReservationAnswer[];
}

/** Job → settlement: something about what is reserved for it. A repeat, by its id, is answered alike. */
export interface ReservationRequest {
  id: string;
  /**
   * `topUp`: raise the budget by `amount`, and reserve that. `reserve`: reserve `amount` more, within the budget.
   * `check`: the allocation seems to be gone.
   */
  kind: 'topUp' | 'reserve' | 'check';
  amount?: Amount;
  /** Id of a workflow other than the job, which is told the answer by `golemReservationAnswer`. */
  answerTo?: string;
}

export interface ReservationAnswer {
  id: string;
  /** What is reserved then, and the budget. */
  reserved: Amount;
  budget: Amount;
  /** Why it could not be done; nothing has changed. */
  failure?: { type: string; message: string };
}

/** Job or rental → settlement: it has closed, and ran its own clean-up. */
export interface OwnerClosed {
  workflowId: string;
  /** False when a request of it may still take effect on yagna. */
  clean: boolean;
  /** Agreements that it leaves alive on purpose: the settlement pays for them until they end. */
  detached?: AgreementId[];
}

/**
 * Rental → settlement: from now on that workflow, a `golemRental` started with `attach`, looks after the agreement. Its end is
 * told by `golemOwnerClosed`, and asked of Temporal all the same.
 */
export interface OwnerAttached {
  workflowId: string;
  agreementId: AgreementId;
  /** Of the owner's signature for it, which is taken once. */
  nonce?: string;
}

/** Whoever refused it → settlement: somebody without the right has tried to take over what it pays for. */
export interface ControlRefusal {
  /** Workflow that was refused. */
  workflowId: string;
  operation: string;
  refusal: Refusal;
  /** Whose signature it had. */
  key?: ControlKey;
}

export interface CloseRequest {
  reason: string;
  /** GAP-3's `golem.requestor.code`, when the agreement ends for one of its reasons. */
  code?: string;
  /** The job itself ends, and nobody is there to be told how this goes on. */
  jobEnds?: boolean;
}

/** One or several, the first to be run first. */
export const assignmentSignal = defineSignal<[Assignment, ...Assignment[]]>('golemAssignment');
export const closeRentalSignal = defineSignal<[CloseRequest]>('golemCloseRental');
/** One or several, the earliest first. */
export const assignmentOutcomeSignal =
  defineSignal<[AssignmentOutcome, ...AssignmentOutcome[]]>('golemAssignmentOutcome');
export const rentalUpdateSignal = defineSignal<[RentalUpdate]>('golemRentalUpdate');
export const settlementUpdateSignal = defineSignal<[SettlementUpdate]>('golemSettlementUpdate');
export const reservationSignal = defineSignal<[ReservationRequest]>('golemReservation');
export const reservationAnswerSignal = defineSignal<[ReservationAnswer]>('golemReservationAnswer');
export const ownerClosedSignal = defineSignal<[OwnerClosed]>('golemOwnerClosed');
export const attachedSignal = defineSignal<[OwnerAttached]>('golemAttached');
export const controlRefusedSignal = defineSignal<[ControlRefusal]>('golemControlRefused');
/** Settlement: nonces of the owner's signatures that attached to what it pays for, the newest ones. */
export const attachNoncesQuery = defineQuery<string[]>('attachNonces');

/** Runs a script in the rental's VM; returns once it was sent, with the id to ask for its outcome. */
export const executeScriptUpdate = defineUpdate<{ scriptId: string }, [ExecuteScript]>('executeScript');
/** Waits for a script's outcome, at most `waitSec` (30 at the most, default 30). */
export const scriptResultUpdate = defineUpdate<ScriptOutcome, [{ scriptId: string; waitSec?: number }]>(
  'scriptResult',
);
/**
 * Leaves the VM alive, and ends the rental and its job: what is in flight is broken off, a script under way goes on in the
 * VM. Their settlement pays until the agreement ends.
 * @throws NotDetachable - no VM is up
 */
export const detachUpdate = defineUpdate<Detached, [object?]>('detach');
/** Ends a job or a rental in good order; what is not done is not done any more. */
export const terminateUpdate = defineUpdate<void, [{ reason?: string }?]>('terminate');

/**
 * Raises a job's budget by an amount of GLM, which is reserved at once; returns when it is. An Update is done once for
 * its update id, however often it is sent.
 */
export const topUpUpdate = defineUpdate<{ reserved: Amount; budget: Amount }, [{ amount: Amount }]>('topUp');

/** What a rental has to go by. */
export interface RentalTerms {
  job: JobRef;
  /** Number of the rental in its job; 0 where it is of none. */
  n: number;
  provider: ProviderInfo;
  setup: TaskCommand[];
  outputLimitBytes: number;
  /** Scripts come by Update. */
  interactive: boolean;
  /** VMs that may run at the same time under the agreement. Default 1. */
  vmsAtOnce?: number;
  /** Closes it for everybody but the owner and those that hold a grant. */
  control?: ControlSpec;
  /** It took over what was rented before: there is no job to tell. Default false. */
  isAttached?: boolean;
}

export interface RentalInput extends Omit<RentalTerms, 'provider' | 'isAttached'> {
  proposal: DraftProposal;
  /** Work to begin with, so that no signal has to be waited for. */
  first?: Assignment;
  /** What the run before this one knew, when the rental goes on as a new run. */
  carried?: RentalRecord;
}

/** Instead of renting, takes over a Golem activity that runs. The workflow id must be `golem-attach-<activityId>`. */
export interface AttachInput {
  attach: AttachSpec;
  /** Default `default`. */
  connection?: string;
  /** The owner that it was rented by, if it was closed for all others: so it is again. */
  control?: ControlSpec;
  /** The owner's signature of all this, where the Golem activity has one: see `model/control.ts`. */
  authorization?: string;
  /** What the run before this one knew. */
  carried?: RentalRecord;
}

export interface SettlementInput extends SettlementTerms {
  job: JobRef;
  /** There where this settlement takes the place of one that is gone. */
  adopt?: Adopted;
  /** There where an attaching rental starts it: there is no job, and its owners are only those workflows. */
  attached?: OwnerAttached[];
  /** There where it continues an earlier run: what that knew. */
  carried?: CarriedSettlement;
}

/** What `golemRental` returns. */
export interface RentalResult {
  agreementId?: AgreementId;
  /** The VM that it has left alive. */
  detached?: GolemActivityId;
  tasksDone: number;
  reason: string;
}

export const noMoney = (budget: Amount, platform: string): Money => ({
  budget,
  reserved: '0',
  accepted: '0',
  paid: '0',
  platform,
});
