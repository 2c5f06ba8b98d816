/**
 * One agreement with one provider and the VM under it: signs, creates, deploys, runs setup and then scripts as
 * they come, and ends both. It decides nothing about the job; it reports how each script ended.
 */
import {
  CancellationScope,
  allHandlersFinished,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Duration } from '@temporalio/common';
import type { RentalEnded, ScriptCommand, SignedAgreement } from '../activities/contract';
import { appendEvents, emptyEventLog, readEvents, type NewEvent } from '../model/events';
import { settlementId, type BatchId, type GolemActivityId, type Timestamp } from '../model/ids';
import { MOST_VMS } from '../model/rental-limits';
import type { ProviderInfo, RentalProgress, RentalState } from '../model/result';
import { cleanUp, dropping, rentalWatch, signing, vmCreation } from './activity-options';
import { rentalDetails } from './current-details';
import { namedFailure, type NamedFailure } from './failure-type';
import { OutsideScripts } from './outside-scripts';
import {
  assignmentOutcomeSignal,
  assignmentSignal,
  closeRentalSignal,
  eventsQuery,
  ownerClosedSignal,
  rentalProgressQuery,
  rentalUpdateSignal,
  terminateUpdate,
  type Assignment,
  type AssignmentOutcome,
  type RentalInput,
  type RentalUpdate,
  type RentalResult,
} from './protocol';
import { faultOf, ScriptRunner, type EndedScript, type Vm } from './script-runner';
import { checkTerminate, isAssignment, isCloseRequest, sound } from './signal-input';
import { faultOfEnd, type Fault } from './state/broken-faith';
import { unlessStopped } from './unless-stopped';

/** A rental that is over so soon needs no watch: until then, that of its script tells when the VM is lost. */
const WATCH_AFTER = '5 s';
/** Longest time for deploy, start and setup together. Images of gigabytes on slow lines need a good part of it. */
const DEPLOY_TIMEOUT_SEC = 1800;
/** When so many VMs have died under one agreement, another provider is better. */
const MAX_DEATHS = 2;
/** Most providers sign in less, and what is signed is ended at once and by name: nobody has to look for it. */
const SIGNING_GRACE = '5 s';

interface Close {
  reason: string;
  /** GAP-3's `golem.requestor.code`, when the agreement ends for one of its reasons. */
  code?: string;
}

/** Why a rental can do nothing more. */
interface Loss extends NamedFailure {
  fault?: Fault;
}

export async function golemRental(input: RentalInput): Promise<RentalResult> {
  const { job, n, proposal } = input;
  const log = emptyEventLog();
  const queue: Assignment[] = input.first ? [input.first] : [];
  const known = new Set(queue.map((assignment) => assignment.id));
  const ended: GolemActivityId[] = [];
  const progress: RentalProgress = {
    n,
    workflowId: workflowInfo().workflowId,
    provider: proposal.provider,
    state: 'signing',
    tasksDone: 0,
  };
  let close: Close | undefined;
  let lost: Loss | undefined;
  /** Why the VM that was up died. */
  let died: string | undefined;
  let deaths = 0;
  /** Of the script under way. */
  let sentBatch: BatchId | undefined;
  /** The outcome of a task told the job already why the VM is lost. */
  let told = false;
  let setupFailed = false;
  let everReady = false;
  let upVm: GolemActivityId | undefined;
  let retried = false;
  let over = false;
  let seq = 0;

  setHandler(eventsQuery, (query) => readEvents(log, query));
  setHandler(rentalProgressQuery, () => progress);
  const onClose = (request: Close): void => {
    close ??= request;
  };
  setHandler(closeRentalSignal, sound('golemCloseRental', isCloseRequest, onClose));
  const onAssignment = async (assignment: Assignment): Promise<void> => {
    if (known.has(assignment.id)) return;
    known.add(assignment.id);
    if (over) await giveBack(assignment, { type: 'AgreementEnded', message: 'the rental has ended' });
    else queue.push(assignment);
  };
  setHandler(assignmentSignal, sound('golemAssignment', isAssignment, onAssignment));

  const terminate = (request?: { reason?: string }): void => {
    close ??= { reason: request?.reason ?? 'terminated by request' };
  };
  setHandler(terminateUpdate, terminate, { validator: checkTerminate });

  const note = (events: NewEvent[]): void => appendEvents(log, events);
  const outside = new OutsideScripts({
    enqueue: (script) => queue.push(script),
    isOver: () => over || close !== undefined,
    reason: () => close?.reason ?? progress.reason ?? 'closed',
  });
  const runner = new ScriptRunner({
    ...{ job, rental: n, outputLimitBytes: input.outputLimitBytes, note },
    isClosing: () => close !== undefined,
    onSent: (id, batchId) => {
      sentBatch = batchId;
      outside.sent(id);
    },
  });

  const jobHandle = getExternalWorkflowHandle(job.jobId);

  /** Tells the job; a job that is gone needs no telling. */
  async function tellJob(send: () => Promise<void>): Promise<void> {
    try {
      await send();
    } catch {
      // The settlement closes what a lost job left, this rental among it.
    }
  }

  async function enter(
    state: RentalState,
    reason?: string,
    broken?: NamedFailure,
    more: Pick<RentalUpdate, 'fault' | 'vmsDied'> = {},
  ): Promise<void> {
    progress.state = state;
    progress.reason = reason ?? progress.reason;
    setCurrentDetails(rentalDetails(progress));
    const { agreementId, activityId } = progress;
    seq += 1;
    await tellJob(() =>
      jobHandle.signal(rentalUpdateSignal, {
        rental: n,
        seq,
        state,
        agreementId,
        activityId,
        reason: progress.reason,
        failure: broken && { type: broken.type, message: broken.message },
        setupFailed,
        ...more,
      }),
    );
  }

  /** Creates, deploys and starts a VM and runs the setup in it. Throws a named failure when it does not come up. */
  async function bringUpVm(
    { agreementId, validToMs }: SignedAgreement,
    watching: CancellationScope,
  ): Promise<Vm> {
    await enter('creating');
    const { provider } = proposal;
    const created = await vmCreation.golemCreateVm({ job, agreementId, validToMs, provider, ended });
    retried ||= created.retried;
    note(created.events);
    const vm: Vm = { agreementId, activityId: created.activityId };
    progress.activityId = vm.activityId;
    void watching.run(() => watchVm(vm, validToMs));
    await enter('deploying');
    const commands: ScriptCommand[] = [{ deploy: true }, { start: true }, ...input.setup];
    const batchId = await runner.send(vm, commands);
    const watched = await runner.watch(vm, batchId, commands.length, DEPLOY_TIMEOUT_SEC);
    const isStarted = watched.results.some(({ index, result }) => index === 1 && result === 'Ok');
    if (isStarted) note([vmReady(vm, proposal.provider)]);
    if (watched.state !== 'done') {
      const failed = watched.results.find((result) => result.result === 'Error');
      // A step that never ended has no result.
      const index = failed?.index ?? watched.results.length;
      const step = ['deploy', 'start'][index] ?? `setup[${index - 2}]`;
      setupFailed = watched.state === 'failed' && step.startsWith('setup');
      const stderr = failed?.stderr ? ` (${failed.stderr.trim().slice(-300)})` : '';
      const why = `${step}: ${watched.reason ?? failed?.message ?? watched.state}${stderr}`;
      throw new VmFailed(why, watched.vm === 'dead' ? undefined : faultOf(watched.vm, why));
    }
    upVm = vm.activityId;
    await enter('ready');
    everReady = true;
    return vm;
  }

  /** Undefined when it took too long for a rental that is to close. */
  async function sign(): Promise<SignedAgreement | undefined> {
    const validTo = new Date(proposal.demand.expiresAtMs).toISOString();
    let signed: Promise<SignedAgreement> | undefined;
    try {
      const begin = () => (signed = signing.golemSignAgreement({ job, proposal, validTo }));
      // Called off, it may have come to an end all the same.
      return (await unlessClosed(begin, SIGNING_GRACE)) ?? (await signed);
    } catch (error) {
      if (close && isCancellation(error)) return undefined;
      throw error;
    }
  }

  async function dropVm(vm: Vm): Promise<true> {
    ended.push(vm.activityId);
    const dropped = await dropping.golemDestroyVm({ job, ...vm });
    if (!lost) note(dropped.events);
    if (dropped.ended) lost ??= lossBy(dropped.ended);
    progress.activityId = undefined;
    return true;
  }

  /**
   * The VM died by itself. What is left of it is ended, so that a fresh one may be made; where that cannot be, or its
   * agreement is over as well, the rental is lost.
   */
  async function buryVm(vm: Vm, task?: string): Promise<void> {
    const reason = died ?? 'the VM is gone';
    died = undefined;
    deaths += 1;
    const loss: Loss = { type: 'VmLost', message: reason, fault: faultOf('dead', reason, task) };
    // What was in the VM of an interactive job is its user's, and not to be replaced by stealth.
    if (input.interactive || deaths >= MAX_DEATHS) {
      lost ??= loss;
      return;
    }
    try {
      await unlessClosed(() => dropVm(vm));
    } catch (error) {
      if (isCancellation(error)) throw error;
      lost ??= loss;
    }
  }

  const isStopped = (): boolean => close !== undefined || lost !== undefined || died !== undefined;

  /** Whatever ends the rental or its VM ends what is under way; undefined then. */
  async function unlessClosed<T>(act: () => Promise<T>, grace?: Duration): Promise<T | undefined> {
    return await unlessStopped(isStopped, act, grace);
  }

  /** Notices the end of the agreement or of the VM, whatever else is going on. */
  async function watchVm(vm: Vm, validToMs: number): Promise<void> {
    try {
      await sleep(WATCH_AFTER);
      const news = await rentalWatch().golemWatchRental({ job, ...vm, validToMs });
      // A VM that was dropped on purpose is no loss.
      if (news.ended === 'vm' && ended.includes(vm.activityId)) return;
      if (lost) return;
      note(news.events);
      if (news.ended === 'vm' && vm.activityId === upVm) died ??= news.reason;
      else lost ??= lossBy(news);
    } catch (error) {
      if (!isCancellation(error)) lost ??= namedFailure(error);
    }
  }

  /** One script after the other, until the rental is closed or lost. */
  async function work(agreement: SignedAgreement): Promise<void> {
    const watching = new CancellationScope();
    try {
      let vm = await unlessClosed(() => bringUpVm(agreement, watching));
      while (vm) {
        const here = vm;
        await runScripts(here);
        if (died !== undefined && !close && !lost) await mournIdleVm(here);
        if (close || lost) return;
        // Nobody knows what a script whose sending is uncertain does there.
        if (!ended.includes(here.activityId) && !(await unlessClosed(() => dropVm(here)))) return;
        // One that had to be made anew so often is not worth another try.
        if (ended.length >= MOST_VMS) {
          lost ??= { type: 'VmLost', message: 'too many VMs had to be made anew' };
        }
        // A VM costs its start price: none is made without work for it.
        progress.state = 'ready';
        if (!input.interactive) await condition(() => queue.length > 0 || isStopped());
        if (isStopped()) return;
        vm = await unlessClosed(() => bringUpVm(agreement, watching));
      }
      // It died in the very moment when it was up.
      if (died !== undefined) lost ??= { ...VM_DIED, message: died, fault: faultOf('dead', died) };
    } finally {
      watching.cancel();
    }
  }

  /** Runs scripts as they come; returns when the rental is closed or lost, or a fresh VM is needed. */
  async function runScripts(vm: Vm): Promise<void> {
    for (;;) {
      await condition(() => queue.length > 0 || isStopped());
      const task = isStopped() ? undefined : queue.shift();
      if (!task) return;
      // Its job did not know yet that the files of tasks before it went with a VM.
      if ((task.vmsDied ?? deaths) !== deaths) {
        await giveBack(task, VM_DIED, { vmsDied: deaths });
        continue;
      }
      const startedAt = new Date().toISOString();
      sentBatch = undefined;
      progress.currentTask = task.task;
      progress.state = 'busy';
      setCurrentDetails(rentalDetails(progress));
      const done = await unlessClosed(() => runner.run(vm, task));
      progress.currentTask = undefined;
      if (!done && close) return;
      if (done?.vm === 'dead') died ??= done.outcome.reason;
      if (!done || done.vm === 'dead') {
        if (!lost) await loseVm(vm, task, startedAt, done);
        // The job gives the task to somebody else at once; closing may take until a silent provider's agreement ends.
        else await giveBack(task, lost, { startedAt, batchId: sentBatch });
        return;
      }
      const { outcome } = done;
      if (outcome.state === 'done') progress.tasksDone += 1;
      const isOfJob = await tellOutcome(outcome);
      if (outcome.state === 'uncertain') return;
      if (outcome.state === 'lost' || done.vm !== undefined) {
        told = isOfJob;
        const message = outcome.reason ?? 'the VM is gone';
        lost ??=
          outcome.state === 'timedOut'
            ? { type: 'TaskTimedOut', message: `task ${task.task} ran longer than its ${task.timeoutSec} s` }
            : { type: 'VmLost', message, fault: outcome.fault };
        return;
      }
      progress.state = 'ready';
      setCurrentDetails(rentalDetails(progress));
    }
  }

  /** The VM died under a task. Its job begins the task's group again, in a fresh VM if there may be one. */
  async function loseVm(vm: Vm, task: Assignment, startedAt: Timestamp, done?: EndedScript): Promise<void> {
    const message = died ?? VM_DIED.message;
    await buryVm(vm, task.task);
    const why: Loss = { ...VM_DIED, message, fault: faultOf('dead', message, task.task) };
    const more = { activityId: vm.activityId, batchId: sentBatch, ...done?.outcome, startedAt };
    if (lost?.type === 'AgreementEnded') await giveBack(task, lost, more);
    else if (lost || close) await giveBack(task, why, more);
    else {
      await giveBack(task, why, { ...more, vmsDied: deaths });
      await giveBackQueue(VM_DIED, deaths);
    }
  }

  async function mournIdleVm(vm: Vm): Promise<void> {
    const message = died ?? VM_DIED.message;
    await buryVm(vm);
    if (lost || close) return;
    await giveBackQueue({ ...VM_DIED, message }, deaths);
    await enter('ready', undefined, undefined, { vmsDied: deaths, fault: faultOf('dead', message) });
  }

  async function giveBackQueue(why: Loss, vmsDied?: number): Promise<void> {
    for (const task of queue.splice(0)) await giveBack(task, why, { vmsDied });
  }

  /**
   * Tells the job that a task is without its VM. One that had not begun, or was cut short by the end of the agreement
   * that was agreed, has not failed.
   * @param more.startedAt - when the task began, if it did
   */
  async function giveBack(task: Assignment, why: Loss, more: Partial<AssignmentOutcome> = {}): Promise<void> {
    const at = new Date().toISOString();
    const { startedAt } = more;
    const expired = why.type === 'AgreementEnded' && /\bExpired\b/.test(why.message);
    const isLost = startedAt !== undefined && !expired;
    const isOfJob = await tellOutcome({
      ...{ rental: n, id: task.id, task: task.task, results: [] },
      ...{ activityId: progress.activityId, startedAt: at, finishedAt: at },
      ...more,
      ...{ reason: why.message, fault: isLost ? why.fault : undefined, state: isLost ? 'lost' : 'returned' },
    });
    if (more.vmsDied === undefined) told = everReady && isOfJob;
  }

  /** @returns false when it was the outcome of a script from outside */
  async function tellOutcome(outcome: AssignmentOutcome): Promise<boolean> {
    if (outside.finish(outcome)) return false;
    await tellJob(() => jobHandle.signal(assignmentOutcomeSignal, outcome));
    return true;
  }

  async function end(signed: SignedAgreement, reason: Close): Promise<void> {
    const termination: { message: string; [property: string]: string } = { message: reason.reason };
    if (reason.code) termination['golem.requestor.code'] = reason.code;
    const closed = await cleanUp.golemCloseRental({
      job,
      agreementId: signed.agreementId,
      reason: termination,
    });
    note(closed.events);
  }

  let signed: SignedAgreement | undefined;
  let failure: Loss | undefined;
  let cancelled: unknown;
  try {
    signed = await sign();
    if (signed) {
      retried ||= signed.retried;
      note(signed.events);
      progress.agreementId = signed.agreementId;
      if (!close) await work(signed);
    }
  } catch (error) {
    if (isCancellation(error)) cancelled = error;
    else
      failure =
        error instanceof VmFailed
          ? { type: 'VmNotCreated', message: error.message, fault: error.fault }
          : namedFailure(error);
    // Signing that was refused has its events in the failure.
    if (failure?.type === 'AgreementRejected') note((failure.details ?? []) as NewEvent[]);
  }
  return await CancellationScope.nonCancellable(async () => {
    const reason: Close = close ?? {
      reason: failure?.message ?? lost?.message ?? (cancelled ? 'cancelled' : 'Finished'),
    };
    const bad = failure !== undefined || (lost !== undefined && !close);
    // An attempt at signing that was cut short may have left an agreement: the settlement finds it by its mark.
    const clean = !retried && (signed !== undefined || failure?.type === 'AgreementRejected');
    progress.reason = reason.reason;
    over = true;
    const why = failure ?? lost ?? { type: 'AgreementEnded', message: reason.reason };
    // Before its work is given back, so that the job knows of the failure when it looks for somebody else.
    if (bad && !told) await enter('closing', reason.reason, why, { fault: idleFault(why, everReady) });
    else await enter('closing', bad ? reason.reason : undefined);
    await giveBackQueue(why);
    if (signed) await end(signed, reason);
    await enter(bad ? 'failed' : 'closed', bad ? reason.reason : undefined);
    await tellJob(() =>
      getExternalWorkflowHandle(settlementId(job.jobId)).signal(ownerClosedSignal, {
        workflowId: workflowInfo().workflowId,
        clean,
      }),
    );
    await condition(allHandlersFinished);
    if (cancelled) throw cancelled;
    return { agreementId: signed?.agreementId, tasksDone: progress.tasksDone, reason: reason.reason };
  });
}

function vmReady({ activityId, agreementId }: Vm, provider: ProviderInfo): NewEvent {
  const details = { id: activityId, agreementId, provider, state: 'Ready' };
  return { name: 'ActivityStateChanged', at: new Date().toISOString(), details };
}

const VM_DIED: NamedFailure = { type: 'VmLost', message: 'the VM is gone' };

function lossBy(end: RentalEnded): Loss {
  const { ended, reason: message } = end;
  if (ended === 'agreement') return { type: 'AgreementEnded', message, fault: faultOfEnd(end) };
  return { type: 'VmLost', message, fault: faultOf(ended === 'silent' ? 'silent' : 'dead', message) };
}

/** What the provider did wrong while no task of the job ran: it may end an agreement then, without blame. */
function idleFault({ type, message, fault }: Loss, everReady: boolean): Fault | undefined {
  if (fault) return fault.kind === 'agreementEnded' ? undefined : fault;
  return everReady && type === 'VmNotCreated' ? { kind: 'vmNotRenewed', message } : undefined;
}

class VmFailed extends Error {
  constructor(
    message: string,
    readonly fault?: Fault,
  ) {
    super(message);
  }
}
