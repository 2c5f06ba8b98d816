/** What the parts of a rental share: its record, why it is to end, and its words to its job. */
import {
  ApplicationFailure,
  condition,
  getExternalWorkflowHandle,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { Duration } from '@temporalio/common';
import type { RentalEnded } from '../activities/contract';
import { detachedMessage, type Detached } from '../model/attach';
import type { NewEvent } from '../model/events';
import type { GolemActivityId } from '../model/ids';
import { MOST_VMS } from '../model/rental-limits';
import { jsonSize } from '../model/result-size';
import type { RentalState } from '../model/result';
import { Control } from './control';
import { rentalDetails } from './current-details';
import { keepEvents } from './event-log';
import type { NamedFailure } from './failure-type';
import { isLong } from './long-history';
import { OutsideScripts } from './outside-scripts';
import {
  assignmentOutcomeSignal,
  rentalUpdateSignal,
  type Assignment,
  type AssignmentOutcome,
  type CloseRequest,
  type RentalUpdate,
} from './protocol';
import { faultOf, ScriptRunner } from './script-runner';
import { faultOfEnd, type Fault } from './state/broken-faith';
import { isCarriable, moreVms, queueOf, type RentalRecord } from './state/rental-record';
import { earlierOf } from './state/script-parts';
import { unlessStopped } from './unless-stopped';

/** Why a rental can do nothing more. */
export interface Loss extends NamedFailure {
  fault?: Fault;
  /** The agreement's own time was over. */
  expired?: boolean;
}

export const VM_DIED: NamedFailure = { type: 'VmLost', message: 'the VM is gone' };

export function lossBy(end: RentalEnded): Loss {
  const { ended, reason: message, expired } = end;
  if (ended === 'agreement') return { type: 'AgreementEnded', message, fault: faultOfEnd(end), expired };
  return { type: 'VmLost', message, fault: faultOf(ended === 'silent' ? 'silent' : 'dead', message) };
}

/**
 * A script that is soon over is waited for: where something happens in the very moment when a run ends, Temporal makes
 * the workflow think again, and an Update that was just being answered fails.
 */
export const LEEWAY = 60;

/** With so much to tell it does not wait for more. */
const UNTOLD_JSON = 200_000;

export class Rental {
  close?: CloseRequest;
  /** A user told it to end, not its job or what pays for it. */
  isTerminated = false;
  lost?: Loss;
  /** Why the VM that was up died. */
  died?: string;
  /** It takes and runs nothing more. */
  over = false;
  /** Somebody asked for it to be left as it is. */
  isDetached = false;
  /** What they were told. */
  detached?: Detached;
  /** Nothing was done to what it was to take over, and nothing is to be. */
  isForsaken = false;
  /** It goes on as a new run as soon as its handlers are done. */
  leaving = false;
  /** Length of the history when a new run was asked for first. */
  private suggestedAt?: number;
  /** Scripts that are watched in VMs beside the first one. */
  following = 0;
  /** VMs beside the first one that come up, or are sent to. */
  private under = 0;
  private isCreating = false;
  /** What the job is told together with the next outcome. */
  private news?: RentalUpdate;
  /** How tasks ended, which the job is told together with the next. */
  private untold: AssignmentOutcome[] = [];
  /** What the job is being told while the rental goes on. */
  private readonly saying = new Set<Promise<void>>();
  readonly outside: OutsideScripts;
  readonly control: Control;
  readonly runner: ScriptRunner;
  private readonly job;

  constructor(readonly record: RentalRecord) {
    const { job, n, outputLimitBytes, vmsAtOnce = 1, isAttached } = record.terms;
    this.job = getExternalWorkflowHandle(job.jobId);
    this.control = new Control(record, (events) => this.note(events));
    this.outside = new OutsideScripts(record, {
      guard: (operation, argument) => this.control.guard(operation, argument),
      ...{ vmsAtOnce, isAttached },
      enqueue: (script, vm) => queueOf(record, vm).push(script),
      isOver: () => this.over || this.close !== undefined || this.isDetached,
      isLeaving: () => this.leaving,
      ended: () => this.ended(),
    });
    this.runner = new ScriptRunner({
      ...{ job, rental: n, outputLimitBytes, note: (events) => this.note(events) },
      isClosing: () => this.close !== undefined,
      isCalledOff: () => this.isDetached || this.isToGoOn(LEEWAY),
      onSent: (script) => {
        record.running = script;
        record.progress.currentBatch = script.batchId;
        this.outside.sent(script.id);
      },
    });
  }

  /** VMs that are there, as far as is known. */
  get vms(): GolemActivityId[] {
    const { progress, named, ended } = this.record;
    const all = [progress.activityId, ...named.map(({ activityId }) => activityId)];
    return all.filter((id) => id !== undefined && !ended.includes(id)) as GolemActivityId[];
  }

  /** The first VM is up: where a provider has room for one only, none beside it may take its place. */
  isFirstUp(): boolean {
    const { vm, ended } = this.record;
    return vm !== undefined && !ended.includes(vm);
  }

  /** Why no VM can be made, beside those that are there or in place of one of them. */
  whyNoMoreVms(isBeside: boolean): NamedFailure | undefined {
    const type = 'VmNotCreated';
    const { vmsAtOnce = 1 } = this.record.terms;
    if (isBeside && this.vms.length >= vmsAtOnce) return { type, message: moreVms(vmsAtOnce) };
    const made = this.record.ended.length + this.vms.length;
    if (made < MOST_VMS) return undefined;
    return { type, message: `${made} VMs were made under the agreement, and there may be ${MOST_VMS}` };
  }

  /** Creating a VM and sending to it are not cut short for a new run of the rental. */
  async comingUp<T>(act: () => Promise<T>): Promise<T> {
    this.under += 1;
    try {
      return await act();
    } finally {
      this.under -= 1;
    }
  }

  /** One VM is created at a time: what a lost request has made is found by its being the only new one. */
  async creating<T>(act: () => Promise<T>): Promise<T> {
    // Several may wait for the same moment.
    while (this.isCreating) await condition(() => !this.isCreating);
    this.isCreating = true;
    try {
      return await act();
    } finally {
      this.isCreating = false;
    }
  }

  /** A VM beside the first one may just be created. */
  isMaking(): boolean {
    return this.under > 0;
  }

  /** Nothing beside the first VM is under way that the next run could not go on with. */
  isAtRest(): boolean {
    const isAllSaid = this.saying.size === 0 && !this.hasUntold();
    return this.under === 0 && this.following === 0 && isAllSaid;
  }

  isClosing(): boolean {
    return this.close !== undefined;
  }

  /** Why it is to end, unless it was told to. */
  loss(): Loss | undefined {
    return this.lost;
  }

  /** Why the VM that was up died, if it did since it was buried last. */
  death(): string | undefined {
    return this.died;
  }

  isStopped(): boolean {
    return this.close !== undefined || this.lost !== undefined || this.died !== undefined;
  }

  /** No script is to be begun, or waited for, any more. */
  isInterrupted(): boolean {
    return this.isStopped() || this.isDetached;
  }

  /** Why nobody gets an answer from it any more. */
  ended(): ApplicationFailure {
    const { isDetached, close, record } = this;
    if (isDetached && !this.isStopped()) {
      const { activityId } = record.progress;
      const message = detachedMessage(activityId ?? '', record.grants !== undefined);
      return ApplicationFailure.nonRetryable(message, 'RentalDetached');
    }
    const reason = close?.reason ?? record.progress.reason ?? this.lost?.message ?? 'closed';
    return ApplicationFailure.nonRetryable(`the rental has ended: ${reason}`, 'AgreementEnded');
  }

  /**
   * It has gone on for long enough to continue as a new run, and nothing keeps it from that.
   * @param leeway - so many events more may be written before. Default: none
   */
  isToGoOn(leeway = 0): boolean {
    const { historyLength } = workflowInfo();
    if (!isLong() || this.isInterrupted()) return false;
    this.suggestedAt ??= historyLength;
    return historyLength >= this.suggestedAt + leeway && this.under === 0 && isCarriable(this.record);
  }

  /** Whatever ends the rental or its VM ends what is under way; undefined then. */
  async unlessStopped<T>(act: () => Promise<T>, grace?: Duration): Promise<T | undefined> {
    return await unlessStopped(() => this.isStopped(), act, grace);
  }

  note(events: readonly NewEvent[]): void {
    keepEvents(this.record.terms.job.jobId, this.record.log, events);
  }

  show(): void {
    setCurrentDetails(rentalDetails(this.record.progress));
  }

  async enter(
    state: RentalState,
    reason?: string,
    broken?: NamedFailure,
    more: Pick<RentalUpdate, 'fault' | 'vmsDied' | 'isTerminated'> = {},
  ): Promise<void> {
    const failure = broken && { type: broken.type, message: broken.message };
    const news = this.takeNews();
    const update = this.become(state, { ...more, reason, failure });
    await Promise.all([this.tellUpdate(news), this.tellUpdate(update)]);
  }

  /** The same; where work is at hand, the job is told with the outcome of that. */
  enterWithWork(state: RentalState): void {
    const { terms, queue } = this.record;
    if (terms.interactive || queue.length === 0) this.announce(state);
    else this.news = this.become(state);
  }

  private become(state: RentalState, more: Partial<RentalUpdate> = {}): RentalUpdate {
    const { record } = this;
    const { progress, setupFailed, terms: ofJob } = record;
    progress.state = state;
    progress.reason = more.reason ?? progress.reason;
    this.show();
    const { agreementId, activityId, terms, reason } = progress;
    record.seq += 1;
    const now = { rental: ofJob.n, seq: record.seq, state, agreementId, activityId, terms };
    return { ...now, setupFailed, ...more, reason };
  }

  private async tellUpdate(update: RentalUpdate | undefined): Promise<void> {
    if (!update || this.record.terms.isAttached || this.close?.jobEnds) return;
    await this.tell(() => this.job.signal(rentalUpdateSignal, update));
  }

  /** The same, while a VM comes up: that does not wait for the job to have heard of it. */
  announce(state: RentalState): void {
    this.say(() => this.enter(state));
  }

  /** No new run begins before it is said, and nothing else waits for it. */
  say(words: () => Promise<void>): void {
    const said = words().finally(() => this.saying.delete(said));
    this.saying.add(said);
  }

  async giveBackQueue(why: Loss, vmsDied?: number): Promise<void> {
    for (const task of this.record.queue.splice(0)) {
      // One that goes on in another part has begun already.
      const begun = task.since && { startedAt: task.since.startedAt, ...earlierOf(task.parts) };
      await this.giveBack(task, why, { vmsDied, ...begun });
    }
  }

  /**
   * Tells the job that a task is without its VM. One that had not begun has not failed; what an end that was agreed means for
   * one that had is the job's to say.
   * @param more.startedAt - when the task began, if it did
   */
  async giveBack(
    { id, task }: Pick<Assignment, 'id' | 'task'>,
    why: Loss,
    more: Partial<AssignmentOutcome> = {},
  ): Promise<void> {
    const isLost = more.startedAt !== undefined;
    const expired = isLost && why.expired ? true : undefined;
    const isOfJob = await this.tellOutcome({
      ...this.returned({ id, task }, why.message, more),
      ...(isLost && { fault: why.fault, state: 'lost' }),
      expired,
    });
    if (more.vmsDied === undefined) this.record.told = this.record.everReady && isOfJob;
  }

  private returned(
    { id, task }: Pick<Assignment, 'id' | 'task'>,
    reason: string,
    more: Partial<AssignmentOutcome>,
  ): AssignmentOutcome {
    const at = new Date().toISOString();
    return {
      ...{ rental: this.record.terms.n, id, task, results: [] },
      ...{ activityId: this.record.progress.activityId, startedAt: at, finishedAt: at },
      ...more,
      ...{ reason, fault: undefined, state: 'returned' },
    };
  }

  /**
   * @param mayWait - the next one is soon to be told, too: see {@link hasMoreInHand}. Default false
   * @returns false when it was the outcome of a script from outside
   */
  async tellOutcome(outcome: AssignmentOutcome, mayWait = false): Promise<boolean> {
    if (this.outside.finish(outcome)) return false;
    this.untold.push(outcome);
    if (!mayWait || jsonSize(this.untold) > UNTOLD_JSON) await this.tellOutcomes();
    return true;
  }

  /** Whatever waits to be told. */
  async tellOutcomes(): Promise<void> {
    const news = this.takeNews();
    const [first, ...more] = this.untold.splice(0);
    if (!first) await this.tellUpdate(news);
    else await this.tell(() => this.job.signal(assignmentOutcomeSignal, { ...first, news }, ...more));
  }

  private takeNews(): RentalUpdate | undefined {
    const { news } = this;
    this.news = undefined;
    return news;
  }

  hasUntold(): boolean {
    return this.news !== undefined || this.untold.length > 0;
  }

  /** Tasks of its job that wait for those before them, and were not begun. */
  private get inHand(): Assignment[] {
    return this.record.queue.filter(({ scriptId, since }) => scriptId === undefined && since === undefined);
  }

  get hasMoreInHand(): boolean {
    return this.inHand.length > 0;
  }

  /** It takes longer than was thought to do all that it has in hand: the job is told what is done, and others do the rest. */
  async partWithHand(): Promise<void> {
    const { inHand } = this;
    const { queue } = this.record;
    queue.splice(0, queue.length, ...queue.filter((each) => !inHand.includes(each)));
    this.untold.push(
      ...inHand.map((task) => this.returned(task, 'a task before it takes long', { isOvertaken: true })),
    );
    await this.tellOutcomes();
  }

  /** One that is gone needs no telling. */
  async tell(send: () => Promise<void>): Promise<void> {
    try {
      await send();
    } catch {
      // What is left by one that was lost is the settlement's, or reconcile's.
    }
  }
}
