/**
 * One agreement with one provider and the VM under it: signs, creates, deploys, runs setup and then scripts as
 * they come, and ends both. Or it takes over a VM that runs already; and it may leave one alive. It decides nothing about
 * the job; it reports how each script ended. Its history is kept short: now and then it goes on as a new run, which takes
 * over the VM and the script in it.
 */
import {
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { DraftProposal, SignedAgreement } from '../activities/contract';
import { readEvents, type NewEvent } from '../model/events';
import { settlementId } from '../model/ids';
import { cleanUp, signing, workflowWatch } from './activity-options';
import { attachTo, refuseForged, type Attached } from './attach';
import { describeDetach, detachedEvent, listenForDetach } from './detach';
import { namedFailure, settlementFailureOf, settlementFailureOfClosed } from './failure-type';
import { keepNamedVms } from './named-vms';
import {
  assignmentSignal,
  closeRentalSignal,
  eventsQuery,
  ownerClosedSignal,
  rentalProgressQuery,
  terminateUpdate,
  type Assignment,
  type AttachInput,
  type CloseRequest,
  type OwnerClosed,
  type RentalInput,
  type RentalResult,
} from './protocol';
import { Rental, type Loss } from './rental';
import { VmFailed, type Signed } from './rental-vm';
import { work } from './rental-work';
import { checkTerminate, isAssignment, isCloseRequest, sound } from './signal-input';
import type { Fault } from './state/broken-faith';
import { carriedRecord, learn, namedVms, newRentalRecord, nextInput } from './state/rental-record';

/** Most providers sign in less, and what is signed is ended at once and by name: nobody has to look for it. */
const SIGNING_GRACE = '5 s';
/** Sending a script may take so long. */
const DETACHING_GRACE = '30 s';

export async function golemRental(input: RentalInput | AttachInput): Promise<RentalResult> {
  const { rental, settlement } = await begin(input);
  const { record } = rental;
  listen(rental);
  if (settlement) settlement.result().catch((error: unknown) => forsake(rental, settlementFailureOf(error)));
  else void watchSettlement(rental).catch(() => undefined);
  let failure: Loss | undefined;
  let cancelled: unknown;
  let goesOn = false;
  try {
    if ('proposal' in input) record.signed ??= await sign(rental, input.proposal);
    const { signed } = record;
    if (signed && !rental.isClosing()) {
      rental.show();
      if (record.terms.interactive) void keepNamedVms(rental, signed).catch(() => undefined);
      while (!goesOn && (await work(rental, signed))) goesOn = await isFreeToGo(rental);
    }
  } catch (error) {
    if (isCancellation(error)) cancelled = error;
    else
      failure =
        error instanceof VmFailed
          ? { type: 'VmNotCreated', message: error.message, fault: error.fault }
          : namedFailure(error);
    // Signing that was refused has its events in the failure.
    if (failure?.type === 'AgreementRejected') rental.note((failure.details ?? []) as NewEvent[]);
  }
  if (goesOn) return await continueAsNew<typeof golemRental>(nextInput(input, record));
  return await CancellationScope.nonCancellable(async () => {
    // A script that is just being sent to a VM beside the first one is left with its batch id.
    if (rental.isDetached) await condition(() => !rental.isMaking() || rental.isStopped(), DETACHING_GRACE);
    return rental.isDetached && !rental.isStopped() && !failure && !cancelled
      ? await concludeDetached(rental)
      : await conclude(rental, failure, cancelled);
  });
}

async function begin(input: RentalInput | AttachInput): Promise<{ rental: Rental } & Partial<Attached>> {
  // Anybody may start it, in any language.
  if (typeof input !== 'object' || (input as unknown) === null) {
    const problem = 'expected { attach: { activityId, batchIds?, budget? }, connection? }';
    throw ApplicationFailure.nonRetryable(problem, 'InvalidJobSpec', [problem]);
  }
  const { carried } = input;
  if (carried) {
    refuseForged();
    return { rental: new Rental(carriedRecord(carried)) };
  }
  if ('proposal' in input) {
    return { rental: new Rental(newRentalRecord(input, workflowInfo().workflowId)) };
  }
  const attached = await attachTo(input);
  return { ...attached, rental: new Rental(attached.record) };
}

/** Of the one that an earlier run has started, Temporal tells the end to nobody. */
async function watchSettlement(rental: Rental): Promise<void> {
  const { settlementRunId: runId, terms } = rental.record;
  if (runId === undefined) return;
  const workflows = [{ workflowId: settlementId(terms.job.jobId), runId }];
  const { closed } = await workflowWatch().golemWatchWorkflows({ workflows });
  for (const end of closed) if (end.how !== 'completed') forsake(rental, settlementFailureOfClosed(end));
}

/** Nobody pays. What runs is left as it was found, where nobody ever did. */
function forsake(rental: Rental, why: Loss): void {
  if (rental.over || rental.isStopped()) return;
  // One that was terminated had begun to pay.
  rental.isForsaken = why.type !== 'SettlementEnded';
  rental.lost = why;
}

function listen(rental: Rental): void {
  const { record } = rental;
  setHandler(eventsQuery, (query) => readEvents(record.log, query));
  const { job, isAttached } = record.terms;
  const paidBy = isAttached ? { settlementId: settlementId(job.jobId) } : {};
  setHandler(rentalProgressQuery, () => ({ ...record.progress, vms: namedVms(record), ...paidBy }));
  const onClose = (request: CloseRequest): void => {
    rental.close ??= request;
  };
  setHandler(closeRentalSignal, sound('golemCloseRental', isCloseRequest, onClose));
  const onAssignment = async (...assignments: Assignment[]): Promise<void> => {
    for (const assignment of assignments) {
      if (!learn(record, assignment.id)) continue;
      if (!rental.over) record.queue.push(assignment);
      else await rental.giveBack(assignment, { type: 'AgreementEnded', message: 'the rental has ended' });
    }
  };
  setHandler(assignmentSignal, sound('golemAssignment', isAssignment, onAssignment));
  const terminate = async (request?: { reason?: string }): Promise<void> => {
    await rental.control.guard('terminate', request);
    if (rental.close) return;
    rental.close = { reason: request?.reason ?? 'terminated by request' };
    rental.isTerminated = true;
  };
  setHandler(terminateUpdate, terminate, { validator: checkTerminate });
  listenForDetach(rental);
}

/** Undefined when it took too long for a rental that is to close. */
async function sign(rental: Rental, proposal: DraftProposal): Promise<Signed | undefined> {
  const { job } = rental.record.terms;
  const validTo = new Date(proposal.demand.expiresAtMs).toISOString();
  let attempt: Promise<SignedAgreement> | undefined;
  try {
    const begin = () => (attempt = signing.golemSignAgreement({ job, proposal, validTo }));
    // Called off, it may have come to an end all the same.
    const signed = (await rental.unlessStopped(begin, SIGNING_GRACE)) ?? (await attempt);
    if (!signed) return undefined;
    const { events, ...agreement } = signed;
    rental.record.retried ||= agreement.retried;
    rental.note(events);
    Object.assign(rental.record.progress, {
      agreementId: agreement.agreementId,
      terms: agreement.terms,
      endsAt: new Date(agreement.validToMs).toISOString(),
    });
    return agreement;
  } catch (error) {
    if (rental.isClosing() && isCancellation(error)) return undefined;
    throw error;
  }
}

/**
 * Whoever waits for an answer gets one, which may be that there is none yet. False when there is a reason to stay: some wait
 * for the end itself.
 */
async function isFreeToGo(rental: Rental): Promise<boolean> {
  rental.leaving = true;
  await condition(() => rental.isInterrupted() || (allHandlersFinished() && rental.isAtRest()));
  rental.leaving = rental.isToGoOn() && !CancellationScope.current().consideredCancelled;
  return rental.leaving;
}

async function conclude(
  rental: Rental,
  failure: Loss | undefined,
  cancelled: unknown,
): Promise<RentalResult> {
  const { record, lost, close } = rental;
  const { signed, everReady, progress } = record;
  const reason: CloseRequest = close ?? {
    reason: failure?.message ?? lost?.message ?? (cancelled ? 'cancelled' : 'Finished'),
  };
  const bad = failure !== undefined || (lost !== undefined && !close);
  // An attempt at signing that was cut short may have left an agreement: the settlement finds it by its mark.
  const clean =
    !record.retried && !rental.isMaking() && (signed !== undefined || failure?.type === 'AgreementRejected');
  progress.reason = reason.reason;
  rental.leaving = false;
  rental.over = true;
  await rental.tellOutcomes();
  const why = failure ?? lost ?? { type: 'AgreementEnded', message: reason.reason };
  // Before its work is given back, so that the job knows of the failure when it looks for somebody else.
  const isTerminated = rental.isTerminated || cancelled !== undefined || undefined;
  if (bad && !record.told) {
    await rental.enter('closing', reason.reason, why, { fault: idleFault(why, everReady), isTerminated });
  } else await rental.enter('closing', bad ? reason.reason : undefined, undefined, { isTerminated });
  await rental.giveBackQueue(why);
  if (signed && !rental.isForsaken) await end(rental, signed, reason);
  await rental.enter(bad ? 'failed' : 'closed', bad ? reason.reason : undefined);
  await tellSettlement(rental, { clean });
  await condition(allHandlersFinished);
  if (cancelled) throw cancelled;
  if (rental.isForsaken && lost) throw ApplicationFailure.nonRetryable(lost.message, lost.type);
  return { agreementId: signed?.agreementId, tasksDone: progress.tasksDone, reason: reason.reason };
}

/** Its VM and a script in it go on; all else ends. */
async function concludeDetached(rental: Rental): Promise<RentalResult> {
  const { record } = rental;
  const { progress, signed, retried: isUnclean } = record;
  if (!signed) throw new Error('what is not signed cannot be detached');
  const { agreementId } = signed;
  const reason = 'detached';
  await rental.tellOutcomes();
  const answer = await describeDetach(rental, signed);
  rental.note([detachedEvent(rental, answer)]);
  await tellSettlement(rental, { clean: !isUnclean, detached: [agreementId] });
  await rental.enter('detached', reason);
  rental.leaving = false;
  rental.detached = answer;
  rental.over = true;
  await rental.giveBackQueue({ type: 'RentalDetached', message: 'the rental was detached' });
  await condition(allHandlersFinished);
  return { agreementId, detached: answer.activityId, tasksDone: progress.tasksDone, reason };
}

async function tellSettlement(rental: Rental, closed: Omit<OwnerClosed, 'workflowId'>): Promise<void> {
  const { workflowId } = workflowInfo();
  const settlement = getExternalWorkflowHandle(settlementId(rental.record.terms.job.jobId));
  await rental.tell(() => settlement.signal(ownerClosedSignal, { workflowId, ...closed }));
}

async function end(rental: Rental, { agreementId }: Signed, { reason, code }: CloseRequest): Promise<void> {
  const termination: { message: string; [property: string]: string } = { message: reason };
  if (code) termination['golem.requestor.code'] = code;
  const { job } = rental.record.terms;
  const closed = await cleanUp.golemCloseRental({ job, agreementId, reason: termination });
  rental.note(closed.events);
}

/** What the provider did wrong while no task of the job ran: it may end an agreement then, without blame. */
function idleFault({ type, message, fault }: Loss, everReady: boolean): Fault | undefined {
  if (fault) return fault.kind === 'agreementEnded' ? undefined : fault;
  return everReady && type === 'VmNotCreated' ? { kind: 'vmNotRenewed', message } : undefined;
}
