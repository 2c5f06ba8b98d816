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
import type { ScriptCommand, SignedAgreement } from '../activities/contract';
import { appendEvents, emptyEventLog, readEvents, type NewEvent } from '../model/events';
import { settlementId, type GolemActivityId, type Timestamp } from '../model/ids';
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
  type RentalResult,
} from './protocol';
import { ScriptRunner, type Vm } from './script-runner';
import { checkTerminate, isAssignment, isCloseRequest, sound } from './signal-input';

/** A rental that is over so soon needs no watch: until then, that of its script tells when the VM is lost. */
const WATCH_AFTER = '5 s';
/** Longest time for deploy, start and setup together. Images of gigabytes on slow lines need a good part of it. */
const DEPLOY_TIMEOUT_SEC = 1800;
/** A VM that had to be made anew so often under one agreement is not worth another try. */
const MAX_VMS = 5;

interface Close {
  reason: string;
  /** GAP-3's `golem.requestor.code`, when the agreement ends for one of its reasons. */
  code?: string;
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
  let lost: NamedFailure | undefined;
  /** The outcome of a task told the job already why the VM is lost. */
  let told = false;
  let setupFailed = false;
  let everReady = false;
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
    onSent: (id) => outside.sent(id),
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

  async function enter(state: RentalState, reason?: string, broken?: NamedFailure): Promise<void> {
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
        failure: broken,
        setupFailed,
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
      throw new VmFailed(`${step}: ${watched.reason ?? failed?.message ?? watched.state}${stderr}`);
    }
    await enter('ready');
    everReady = true;
    return vm;
  }

  async function dropVm(vm: Vm): Promise<true> {
    ended.push(vm.activityId);
    const dropped = await dropping.golemDestroyVm({ job, ...vm });
    note(dropped.events);
    progress.activityId = undefined;
    return true;
  }

  /** Whatever ends the rental ends what is under way; undefined then. */
  async function unlessClosed<T>(act: () => Promise<T>): Promise<T | undefined> {
    const scope = new CancellationScope();
    const waiting = new CancellationScope();
    const acting = scope.run(act);
    const stopped = waiting.run(() => condition(() => close !== undefined || lost !== undefined));
    acting.catch(() => undefined);
    stopped.catch(() => undefined);
    const done = await Promise.race([acting, stopped.then(() => undefined)]);
    // Whichever is left would be looked at for as long as the rental lives.
    if (done === undefined) scope.cancel();
    else waiting.cancel();
    return done;
  }

  /** Notices the end of the agreement or of the VM, whatever else is going on. */
  async function watchVm(vm: Vm, validToMs: number): Promise<void> {
    try {
      await sleep(WATCH_AFTER);
      const news = await rentalWatch().golemWatchRental({ job, ...vm, validToMs });
      // A VM that was dropped on purpose is no loss.
      if (news.ended === 'vm' && ended.includes(vm.activityId)) return;
      note(news.events);
      lost ??= { type: news.ended === 'agreement' ? 'AgreementEnded' : 'VmLost', message: news.reason };
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
        if (close || lost) return;
        // Nobody knows what a script whose sending is uncertain does there.
        const dropped = await unlessClosed(() => dropVm(here));
        if (!dropped) return;
        if (ended.length >= MAX_VMS) {
          lost ??= { type: 'VmLost', message: 'too many VMs had to be made anew' };
          return;
        }
        vm = await unlessClosed(() => bringUpVm(agreement, watching));
      }
    } finally {
      watching.cancel();
    }
  }

  /** Runs scripts as they come; returns when the rental is closed or lost, or a fresh VM is needed. */
  async function runScripts(vm: Vm): Promise<void> {
    for (;;) {
      await condition(() => queue.length > 0 || close !== undefined || lost !== undefined);
      const task = close || lost ? undefined : queue.shift();
      if (!task) return;
      const startedAt = new Date().toISOString();
      progress.currentTask = task.task;
      progress.state = 'busy';
      setCurrentDetails(rentalDetails(progress));
      const outcome = await unlessClosed(() => runner.run(vm, task));
      progress.currentTask = undefined;
      if (!outcome) {
        // The job gives the task to somebody else at once; closing may take until a silent provider's agreement ends.
        if (lost) await giveBack(task, lost, startedAt);
        return;
      }
      if (outcome.state === 'done') progress.tasksDone += 1;
      if (!outside.finish(outcome)) await tellJob(() => jobHandle.signal(assignmentOutcomeSignal, outcome));
      if (outcome.state === 'uncertain') return;
      if (outcome.state === 'lost' || outcome.state === 'timedOut') {
        told = true;
        lost ??=
          outcome.state === 'lost'
            ? { type: 'VmLost', message: outcome.reason ?? 'the VM is gone' }
            : { type: 'TaskTimedOut', message: `task ${task.task} ran longer than its ${task.timeoutSec} s` };
        return;
      }
      progress.state = 'ready';
      setCurrentDetails(rentalDetails(progress));
    }
  }

  /**
   * Tells the job that a task is without its VM. One that had not begun, or was cut short by the end of the agreement
   * that was agreed, has not failed.
   */
  async function giveBack(task: Assignment, why: NamedFailure, startedAt?: Timestamp): Promise<void> {
    const at = new Date().toISOString();
    const expired = why.type === 'AgreementEnded' && /\bExpired\b/.test(why.message);
    const outcome: AssignmentOutcome = {
      ...{ rental: n, id: task.id, task: task.task, results: [], reason: why.message },
      ...{ activityId: progress.activityId, startedAt: startedAt ?? at, finishedAt: at },
      state: startedAt !== undefined && !expired ? 'lost' : 'returned',
    };
    told = everReady;
    if (!outside.finish(outcome)) await tellJob(() => jobHandle.signal(assignmentOutcomeSignal, outcome));
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
  let failure: NamedFailure | undefined;
  let cancelled: unknown;
  try {
    signed = await signing.golemSignAgreement({
      job,
      proposal,
      validTo: new Date(proposal.demand.expiresAtMs).toISOString(),
    });
    retried ||= signed.retried;
    note(signed.events);
    progress.agreementId = signed.agreementId;
    if (!close) await work(signed);
  } catch (error) {
    if (isCancellation(error)) cancelled = error;
    else
      failure =
        error instanceof VmFailed ? { type: 'VmNotCreated', message: error.message } : namedFailure(error);
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
    await enter('closing', bad ? reason.reason : undefined, bad && !told ? why : undefined);
    for (const task of queue.splice(0)) await giveBack(task, why);
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

class VmFailed extends Error {}
