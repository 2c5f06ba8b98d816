/**
 * One agreement with one provider and the VM under it: signs, creates, deploys, runs setup and then scripts as
 * they come, and ends both. It decides nothing about the job; it reports how each script ended.
 */
import {
  ApplicationFailure,
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
import type { ScriptCommand, SignedAgreement, WatchedScript } from '../activities/contract';
import { appendEvents, emptyEventLog, readEvents, type NewEvent } from '../model/events';
import { settlementId, type BatchId, type GolemActivityId } from '../model/ids';
import type { RentalProgress, RentalState } from '../model/result';
import { cleanUp, rentalWatch, scriptWatch, sending, signing, vmCreation } from './activity-options';
import { rentalDetails } from './current-details';
import { namedFailure, type NamedFailure } from './failure-type';
import { checkScript, scriptCommands } from './script-input';
import {
  assignmentOutcomeSignal,
  assignmentSignal,
  closeRentalSignal,
  eventsQuery,
  ownerClosedSignal,
  rentalProgressQuery,
  executeScriptUpdate,
  rentalUpdateSignal,
  scriptResultUpdate,
  terminateUpdate,
  type Assignment,
  type AssignmentOutcome,
  type ScriptOutcome,
  type RentalInput,
  type RentalResult,
} from './protocol';

/** Longest time for deploy, start and setup together. Images of gigabytes on slow lines need a good part of it. */
const DEPLOY_TIMEOUT_SEC = 1800;
/** A VM that had to be made anew so often under one agreement is not worth another try. */
const MAX_VMS = 5;

/** Outcomes of scripts from outside that are kept for `scriptResult`. */
const SCRIPTS_KEPT = 20;
const LONGEST_WAIT_SEC = 30;

/** A script from outside: sent once it has a batch id, over once it has an outcome. */
interface OutsideScript {
  sent: boolean;
  outcome?: ScriptOutcome;
}

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
  const scripts = new Map<string, OutsideScript>();
  let close: Close | undefined;
  let lost: NamedFailure | undefined;
  /** The outcome of a task told the job already why the VM is lost. */
  let told = false;
  let retried = false;
  let over = false;
  let forgotten = 0;
  let seq = 0;

  setHandler(eventsQuery, (query) => readEvents(log, query));
  setHandler(rentalProgressQuery, () => progress);
  setHandler(closeRentalSignal, (request) => {
    close ??= request;
  });
  setHandler(assignmentSignal, (assignment) => {
    if (known.has(assignment.id)) return;
    known.add(assignment.id);
    queue.push(assignment);
  });

  setHandler(
    executeScriptUpdate,
    async (script) => {
      const scriptId = `script-${scripts.size + 1 + forgotten}`;
      const entry: OutsideScript = { sent: false };
      scripts.set(scriptId, entry);
      queue.push({
        ...{ id: scriptId, task: scriptId, commands: scriptCommands(script.commands) },
        ...{ timeoutSec: script.timeoutSec ?? 3600, onUncertain: script.onUncertain ?? 'fail' },
      });
      await condition(() => entry.sent || entry.outcome !== undefined || over);
      if (!entry.sent && entry.outcome === undefined) throw rentalEnded();
      return { scriptId };
    },
    {
      validator: (script) => {
        checkScript(script);
        if (over || close) throw rentalEnded();
      },
    },
  );
  setHandler(scriptResultUpdate, async ({ scriptId, waitSec }) => {
    const entry = scripts.get(scriptId);
    if (!entry)
      throw ApplicationFailure.nonRetryable(`no script "${scriptId}" in this rental`, 'UnknownScript');
    const wait = Math.max(0, Math.min(waitSec ?? LONGEST_WAIT_SEC, LONGEST_WAIT_SEC));
    await condition(() => entry.outcome !== undefined || over, `${wait} s`);
    if (over && !entry.outcome) throw rentalEnded();
    return entry.outcome ?? { scriptId, state: 'running', results: [] };
  });
  setHandler(terminateUpdate, (request) => {
    close ??= { reason: request?.reason ?? 'terminated by request' };
  });

  function rentalEnded(): ApplicationFailure {
    return ApplicationFailure.nonRetryable(
      `the rental has ended: ${progress.reason ?? 'closed'}`,
      'AgreementEnded',
    );
  }

  /** Keeps what a script from outside came to; the oldest is forgotten. */
  function finishScript(outcome: AssignmentOutcome): boolean {
    const entry = scripts.get(outcome.id);
    if (!entry) return false;
    const { id: scriptId, state, results, reason } = outcome;
    entry.outcome = { scriptId, state, results, reason };
    if (scripts.size > SCRIPTS_KEPT) {
      for (const [oldest, { outcome: done }] of scripts) {
        if (!done) continue;
        scripts.delete(oldest);
        forgotten += 1;
        break;
      }
    }
    return true;
  }

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
      }),
    );
  }

  const note = (events: NewEvent[]): void => appendEvents(log, events);

  /** Sends a script; a request that certainly had no effect is sent again, any other failure is thrown. */
  async function send(
    activityId: GolemActivityId,
    agreementId: string,
    commands: ScriptCommand[],
  ): Promise<BatchId> {
    for (let wait = 1; ; wait = Math.min(wait * 2, 30)) {
      try {
        const sent = await sending.golemSendScript({ job, agreementId, activityId, commands });
        note([sent.event]);
        return sent.batchId;
      } catch (error) {
        if (isCancellation(error) || namedFailure(error).type !== 'YagnaUnavailable' || close) throw error;
        await sleep(`${wait} s`);
      }
    }
  }

  async function watch(
    activityId: GolemActivityId,
    agreementId: string,
    batchId: BatchId,
    commandCount: number,
    timeoutSec: number,
  ): Promise<WatchedScript> {
    const watched = await scriptWatch().golemWatchScript({
      ...{ job, agreementId, activityId, batchId, commandCount },
      deadlineMs: Date.now() + timeoutSec * 1000,
      outputLimitBytes: input.outputLimitBytes,
    });
    if (watched.event) note([watched.event]);
    return watched;
  }

  /** Creates, deploys and starts a VM and runs the setup in it. Throws a named failure when it does not come up. */
  async function bringUpVm(signed: SignedAgreement): Promise<GolemActivityId> {
    const { agreementId } = signed;
    await enter('creating');
    const created = await vmCreation.golemCreateVm({ job, agreementId, provider: proposal.provider, ended });
    retried ||= created.retried;
    note(created.events);
    progress.activityId = created.activityId;
    await enter('deploying');
    const commands: ScriptCommand[] = [{ deploy: true }, { start: true }, ...input.setup];
    const batchId = await send(created.activityId, agreementId, commands);
    const watched = await watch(
      created.activityId,
      agreementId,
      batchId,
      commands.length,
      DEPLOY_TIMEOUT_SEC,
    );
    if (watched.state !== 'done') {
      const failed = watched.results.find((result) => result.result === 'Error');
      const step = ['deploy', 'start'][failed?.index ?? 0] ?? `setup[${(failed?.index ?? 2) - 2}]`;
      const stderr = failed?.stderr ? ` (${failed.stderr.trim().slice(-300)})` : '';
      throw new VmFailed(`${step}: ${watched.reason ?? failed?.message ?? watched.state}${stderr}`);
    }
    await enter('ready');
    return created.activityId;
  }

  async function dropVm(agreementId: string, activityId: GolemActivityId): Promise<void> {
    ended.push(activityId);
    const dropped = await cleanUp.golemDestroyVm({ job, agreementId, activityId });
    note(dropped.events);
    progress.activityId = undefined;
  }

  async function run(
    agreementId: string,
    activityId: GolemActivityId,
    task: Assignment,
  ): Promise<AssignmentOutcome> {
    const startedAt = new Date().toISOString();
    const base = { rental: n, id: task.id, task: task.task, activityId, startedAt };
    const ended = (
      rest: Pick<AssignmentOutcome, 'state' | 'results' | 'reason' | 'batchId'>,
    ): AssignmentOutcome => ({
      ...base,
      ...rest,
      finishedAt: new Date().toISOString(),
    });
    for (let reruns = 0; ; reruns++) {
      let batchId: BatchId;
      try {
        batchId = await send(activityId, agreementId, task.commands);
      } catch (error) {
        if (isCancellation(error)) throw error;
        const { type, message } = namedFailure(error);
        if (SURELY_NOT_SENT.includes(type)) return ended({ state: 'lost', results: [], reason: message });
        if (task.onUncertain === 'rerun' && reruns < MAX_RERUNS) continue;
        return ended({ state: 'uncertain', results: [], reason: message });
      }
      const script = scripts.get(task.id);
      if (script) script.sent = true;
      try {
        const watched = await watch(activityId, agreementId, batchId, task.commands.length, task.timeoutSec);
        return ended({ state: watched.state, results: watched.results, reason: watched.reason, batchId });
      } catch (error) {
        if (isCancellation(error)) throw error;
        return ended({ state: 'lost', results: [], reason: namedFailure(error).message, batchId });
      }
    }
  }

  /** Whatever ends the rental ends what is under way; undefined then. */
  async function unlessClosed<T>(act: () => Promise<T>): Promise<T | undefined> {
    const scope = new CancellationScope();
    const acting = scope.run(act);
    acting.catch(() => undefined);
    const stopped = condition(() => close !== undefined || lost !== undefined).then(() => undefined);
    const done = await Promise.race([acting, stopped]);
    if (done === undefined) scope.cancel();
    return done;
  }

  async function work(signed: SignedAgreement): Promise<void> {
    const { agreementId } = signed;
    let activityId = await unlessClosed(() => bringUpVm(signed));
    if (activityId === undefined) return;
    const watching = new CancellationScope();
    const watchVm = (id: GolemActivityId): void => {
      void watching.run(async () => {
        try {
          const news = await rentalWatch().golemWatchRental({
            ...{ job, agreementId, activityId: id },
            validToMs: signed.validToMs,
          });
          // A VM that was dropped on purpose is no loss.
          if (news.ended === 'vm' && ended.includes(id)) return;
          note(news.events);
          lost ??= { type: news.ended === 'agreement' ? 'AgreementEnded' : 'VmLost', message: news.reason };
        } catch (error) {
          if (!isCancellation(error)) lost ??= namedFailure(error);
        }
      });
    };
    watchVm(activityId);
    try {
      for (;;) {
        await condition(() => queue.length > 0 || close !== undefined || lost !== undefined);
        if (close || lost) return;
        const task = queue.shift();
        if (!task) continue;
        progress.currentTask = task.task;
        progress.state = 'busy';
        setCurrentDetails(rentalDetails(progress));
        const vm = activityId;
        const outcome = await unlessClosed(() => run(agreementId, vm, task));
        progress.currentTask = undefined;
        if (!outcome) return;
        if (outcome.state === 'done') progress.tasksDone += 1;
        if (!finishScript(outcome)) await tellJob(() => jobHandle.signal(assignmentOutcomeSignal, outcome));
        if (outcome.state === 'lost') {
          told = true;
          lost ??= { type: 'VmLost', message: outcome.reason ?? 'the VM is gone' };
          return;
        }
        if (outcome.state === 'timedOut') {
          told = true;
          const message = `task ${task.task} ran longer than its ${task.timeoutSec} s`;
          lost ??= { type: 'TaskTimedOut', message };
          return;
        }
        if (outcome.state === 'uncertain') {
          await dropVm(agreementId, activityId);
          if (ended.length >= MAX_VMS) {
            lost ??= { type: 'VmLost', message: 'too many VMs had to be made anew' };
            return;
          }
          activityId = await unlessClosed(() => bringUpVm(signed));
          if (activityId === undefined) return;
          watchVm(activityId);
        } else progress.state = 'ready';
        setCurrentDetails(rentalDetails(progress));
      }
    } finally {
      watching.cancel();
    }
  }

  async function end(signed: SignedAgreement, reason: Close, failed: boolean): Promise<void> {
    await enter('closing', failed ? reason.reason : undefined);
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
    if (signed) await end(signed, reason, bad);
    await enter(
      bad ? 'failed' : 'closed',
      bad ? reason.reason : undefined,
      told ? undefined : (failure ?? lost),
    );
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

class VmFailed extends Error {}

/** Failures of sending a script after which it certainly does not run; after any other it may. */
const SURELY_NOT_SENT = [
  'VmLost',
  'YagnaUnavailable',
  'YagnaUnauthorized',
  'YagnaIncompatible',
  'UnknownConnection',
];
/** A script that may be rerun is sent so often when its answers get lost. */
const MAX_RERUNS = 3;
