/**
 * One agreement with one provider and the VM under it: signs, creates, deploys, runs setup and then scripts as
 * they come, and ends both. It decides nothing about the job; it reports how each script ended. Its history is kept
 * short: now and then it goes on as a new run, which takes over the VM and the script in it.
 */
import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { SignedAgreement } from '../activities/contract';
import { readEvents, type NewEvent } from '../model/events';
import { settlementId } from '../model/ids';
import { cleanUp, signing } from './activity-options';
import { keepNamedVms } from './named-vms';
import { namedFailure } from './failure-type';
import {
  assignmentSignal,
  closeRentalSignal,
  eventsQuery,
  ownerClosedSignal,
  rentalProgressQuery,
  terminateUpdate,
  type Assignment,
  type RentalInput,
  type RentalResult,
} from './protocol';
import { Rental, type Close, type Loss } from './rental';
import { VmFailed, type Signed } from './rental-vm';
import { work } from './rental-work';
import { checkTerminate, isAssignment, isCloseRequest, sound } from './signal-input';
import type { Fault } from './state/broken-faith';
import { learn, namedVms, newRentalRecord, nextInput } from './state/rental-record';

/** Most providers sign in less, and what is signed is ended at once and by name: nobody has to look for it. */
const SIGNING_GRACE = '5 s';

export async function golemRental(input: RentalInput): Promise<RentalResult> {
  const record = newRentalRecord(input, workflowInfo().workflowId);
  const rental = new Rental(input, record);
  listen(rental);
  let failure: Loss | undefined;
  let cancelled: unknown;
  let goesOn = false;
  try {
    record.signed ??= await sign(rental);
    const { signed } = record;
    if (signed && !rental.isClosing()) {
      rental.show();
      if (input.interactive) void keepNamedVms(rental, signed);
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
  return await CancellationScope.nonCancellable(() => conclude(rental, failure, cancelled));
}

function listen(rental: Rental): void {
  const { record } = rental;
  setHandler(eventsQuery, (query) => readEvents(record.log, query));
  setHandler(rentalProgressQuery, () => ({ ...record.progress, vms: namedVms(record) }));
  const onClose = (request: Close): void => {
    rental.close ??= request;
  };
  setHandler(closeRentalSignal, sound('golemCloseRental', isCloseRequest, onClose));
  const onAssignment = async (assignment: Assignment): Promise<void> => {
    if (!learn(record, assignment.id)) return;
    if (!rental.over) record.queue.push(assignment);
    else await rental.giveBack(assignment, { type: 'AgreementEnded', message: 'the rental has ended' });
  };
  setHandler(assignmentSignal, sound('golemAssignment', isAssignment, onAssignment));
  const terminate = async (request?: { reason?: string }): Promise<void> => {
    await rental.control.guard('terminate', request);
    rental.close ??= { reason: request?.reason ?? 'terminated by request' };
  };
  setHandler(terminateUpdate, terminate, { validator: checkTerminate });
}

/** Undefined when it took too long for a rental that is to close. */
async function sign(rental: Rental): Promise<Signed | undefined> {
  const { job, proposal } = rental.input;
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
    rental.record.progress.agreementId = agreement.agreementId;
    return agreement;
  } catch (error) {
    if (rental.isClosing() && isCancellation(error)) return undefined;
    throw error;
  }
}

/** Whoever waits for an answer gets one, which may be that there is none yet. False when there is a reason to stay. */
async function isFreeToGo(rental: Rental): Promise<boolean> {
  rental.leaving = true;
  await condition(() => allHandlersFinished() && rental.isAtRest());
  rental.leaving = rental.isToGoOn() && !CancellationScope.current().consideredCancelled;
  return rental.leaving;
}

async function conclude(
  rental: Rental,
  failure: Loss | undefined,
  cancelled: unknown,
): Promise<RentalResult> {
  const { record, lost, close } = rental;
  const { job } = rental.input;
  const { signed, everReady, progress } = record;
  const reason: Close = close ?? {
    reason: failure?.message ?? lost?.message ?? (cancelled ? 'cancelled' : 'Finished'),
  };
  const bad = failure !== undefined || (lost !== undefined && !close);
  // An attempt at signing that was cut short may have left an agreement: the settlement finds it by its mark.
  const clean =
    !record.retried && !rental.isMaking() && (signed !== undefined || failure?.type === 'AgreementRejected');
  progress.reason = reason.reason;
  rental.leaving = false;
  rental.over = true;
  const why = failure ?? lost ?? { type: 'AgreementEnded', message: reason.reason };
  // Before its work is given back, so that the job knows of the failure when it looks for somebody else.
  if (bad && !record.told) {
    await rental.enter('closing', reason.reason, why, { fault: idleFault(why, everReady) });
  } else await rental.enter('closing', bad ? reason.reason : undefined);
  await rental.giveBackQueue(why);
  if (signed) await end(rental, signed, reason);
  await rental.enter(bad ? 'failed' : 'closed', bad ? reason.reason : undefined);
  const { workflowId } = workflowInfo();
  const settlement = getExternalWorkflowHandle(settlementId(job.jobId));
  await rental.tell(() => settlement.signal(ownerClosedSignal, { workflowId, clean }));
  await condition(allHandlersFinished);
  if (cancelled) throw cancelled;
  return { agreementId: signed?.agreementId, tasksDone: progress.tasksDone, reason: reason.reason };
}

async function end(rental: Rental, { agreementId }: Signed, { reason, code }: Close): Promise<void> {
  const termination: { message: string; [property: string]: string } = { message: reason };
  if (code) termination['golem.requestor.code'] = code;
  const { job } = rental.input;
  const closed = await cleanUp.golemCloseRental({ job, agreementId, reason: termination });
  rental.note(closed.events);
}

/** What the provider did wrong while no task of the job ran: it may end an agreement then, without blame. */
function idleFault({ type, message, fault }: Loss, everReady: boolean): Fault | undefined {
  if (fault) return fault.kind === 'agreementEnded' ? undefined : fault;
  return everReady && type === 'VmNotCreated' ? { kind: 'vmNotRenewed', message } : undefined;
}
