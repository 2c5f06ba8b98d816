/**
 * The state of a job and every decision about it: which task runs where, what a failure leads to, when more
 * providers are needed. Pure functions over plain data; the workflow carries the decisions out.
 *
 * Tasks that share a VM form a group. A group runs on one rental, task after task; when its VM is lost it
 * starts again from its first task, because later ones may need the files of earlier ones.
 */
import { LEAST_LIFE_MS } from '../../model/duration-classes';
import type { AgreedTerms } from '../../model/agreed-terms';
import type { FailureType } from '../../model/failures';
import type { AgreementId, GolemActivityId, ProviderId, Timestamp } from '../../model/ids';
import type { TaskSpec } from '../../model/job';
import type {
  CommandResult,
  JobProgress,
  ProviderInfo,
  RentalProgress,
  RentalState,
  TaskAttempt,
  TaskNow,
  TaskResult,
} from '../../model/result';
import { jsonSize } from '../../model/result-size';
import type { Assignment, AssignmentOutcome, RentalUpdate } from '../protocol';
import { brokeFaith, goodConduct, type Conduct } from './broken-faith';
import {
  emptyHand,
  HAND_JSON,
  hold,
  mayBeInHand,
  mayShareHand,
  sizeOfHand,
  takeFromHand,
  tasksInHand,
  type InHand,
} from './in-hand';

export interface TaskState {
  spec: TaskSpec;
  /** JSON of the spec, where it is one of a file. */
  json?: number;
  /** One of a file, whose result was passed on: it stays so, even where it is run again for others of its VM. */
  isTold?: boolean;
  group: number;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
  attempts: TaskAttempt[];
  /** Attempts that ended badly; compared with `maxAttempts`. */
  failures: number;
  /** Number of assignments made, for their ids. */
  assigned: number;
  /** A checkpoint of it was stored. */
  stored?: boolean;
  /** Seconds that its present attempt took in agreements before, whose time was over. */
  spentSec?: number;
  /** An agreement's end has cut it short, and nothing was stored in that or since. */
  cutShort?: boolean;
  results: CommandResult[];
  provider?: ProviderInfo;
  startedAt?: Timestamp;
  finishedAt?: Timestamp;
  failure?: { type: FailureType; message: string };
}

export interface Group {
  tasks: number[];
  /** Rental whose VM holds the group's files. */
  rental?: number;
  /** Providers on which one of its tasks failed. */
  avoid: ProviderId[];
}

export interface RentalEntry {
  n: number;
  workflowId: string;
  /** First of its runs, once it was started. */
  runId?: string;
  provider: ProviderInfo;
  state: RentalState;
  seq: number;
  agreementId?: AgreementId;
  activityId?: GolemActivityId;
  /** Index of the task it runs. */
  current?: number;
  currentId?: string;
  /** Since when it runs it, as far as the job knows: since it was given, but not before the VM came up. */
  currentSince?: Timestamp;
  /** What it runs after that, the next first. */
  inHand?: InHand[];
  /** How long its last task took, where that was done. */
  lastTaskMs?: number;
  /** True once it was told to close: it gets no more work. */
  closing: boolean;
  /** When its agreement ends at the latest, ms since the epoch. */
  validToMs: number;
  /** What was agreed of debit notes and payments, once it is signed. */
  terms?: AgreedTerms;
  /** Its VM came up once. */
  everReady: boolean;
  /** Its user, not the job, told it to end. */
  isTerminated?: boolean;
  /** It is known that its VM will not come up. */
  gaveUp: boolean;
  tasksDone: number;
  /** How many of its VMs died and were, or will be, made anew. */
  vmsDied: number;
  reason?: string;
}

export interface JobState {
  /** All tasks of the job; of a file's, those that were read and are not over. */
  tasks: TaskState[];
  /** Tasks of a file that were not read yet. */
  ahead: number;
  /** Tasks of a file that are over and were taken out. */
  past: { done: number; failed: number; cancelled: number };
  groups: Group[];
  rentals: RentalEntry[];
  /** With less left of an agreement no task is begun in it that may take as long. */
  leastLifeMs: number;
  /** Providers whose rental broke before it did any work. */
  failedProviders: ProviderId[];
  /** What providers have done wrong; those that broke faith get no more work of this job. */
  conduct: Conduct;
}

/** @param ahead - tasks that come later, from a file */
export function newJobState(
  tasks: readonly TaskSpec[],
  { ahead = 0, leastLifeMs = LEAST_LIFE_MS }: { ahead?: number; leastLifeMs?: number } = {},
): JobState {
  const state: JobState = {
    ...{ tasks: [], ahead, past: { done: 0, failed: 0, cancelled: 0 } },
    ...{ groups: [], rentals: [], leastLifeMs, failedProviders: [], conduct: goodConduct() },
  };
  for (const spec of tasks) addTask(state, spec);
  return state;
}

function addTask(state: JobState, spec: TaskSpec, json?: number): void {
  const { vm, vmShared } = spec;
  // A user may give a VM the name that a task's own has.
  const mate = state.tasks.findIndex(({ spec: each }) => each.vm === vm && each.vmShared === vmShared);
  const group = state.tasks[mate]?.group ?? state.groups.push({ tasks: [], avoid: [] }) - 1;
  const index = state.tasks.push({
    ...{ spec, json, group, state: 'waiting', attempts: [], failures: 0, assigned: 0, results: [] },
  });
  state.groups[group]?.tasks.push(index - 1);
}

/** Tasks that were read from a file. Those of one VM come together. */
export function addTasks(state: JobState, specs: readonly TaskSpec[]): void {
  for (const spec of specs) addTask(state, spec, jsonSize(spec));
  state.ahead -= specs.length;
}

/** Takes out the tasks of a file that are over, with all of their VM: nothing of theirs is run again. */
export function takeFinished(state: JobState): TaskState[] {
  const over = state.groups.map(({ tasks }) =>
    tasks.every((index) => {
      const task = state.tasks[index];
      return !task || isOver(task);
    }),
  );
  if (!over.includes(true)) return [];
  const isTaken = ({ group }: TaskState): boolean => over[group] === true;
  const finished = state.tasks.filter(isTaken);
  const newIndex = new Map<number, number>();
  state.tasks.forEach((task, index) => {
    if (!isTaken(task)) newIndex.set(index, newIndex.size);
  });
  const newGroup = new Map<number, number>();
  over.forEach((gone, index) => {
    if (!gone) newGroup.set(index, newGroup.size);
  });
  state.tasks = state.tasks
    .filter((task) => !isTaken(task))
    .map((task) => ({ ...task, group: newGroup.get(task.group) ?? 0 }));
  state.groups = state.groups
    .filter((_, index) => !over[index])
    .map((group) => ({ ...group, tasks: group.tasks.flatMap((index) => newIndex.get(index) ?? []) }));
  for (const rental of state.rentals) {
    if (rental.current !== undefined) rental.current = newIndex.get(rental.current);
    if (rental.current === undefined) rental.currentId = undefined;
    rental.inHand = rental.inHand?.map((each) => ({ ...each, task: newIndex.get(each.task) ?? each.task }));
  }
  for (const task of finished) if (isOver(task)) state.past[task.isTold ? 'done' : task.state] += 1;
  return finished.filter(({ isTold }) => !isTold);
}

/** Tasks of a file that are done, while others of their VM are not: their results are passed on, and not held. */
export function tellDone(state: JobState): TaskState[] {
  const done = state.tasks.filter((task) => task.state === 'done' && !task.isTold);
  const told = done.map((task) => ({ ...task }));
  for (const task of done) Object.assign(task, { isTold: true, results: [], attempts: [] });
  // What an attempt printed that is made again is of no interest.
  for (const task of state.tasks) if (task.state === 'waiting') task.results = [];
  return told;
}

const isOver = (task: TaskState): task is TaskState & { state: 'done' | 'failed' | 'cancelled' } =>
  task.state === 'done' || task.state === 'failed' || task.state === 'cancelled';

/** Of those that were read. */
export const openTasksOver = (state: JobState): boolean => state.tasks.every(isOver);

export const allTasksOver = (state: JobState): boolean => state.ahead === 0 && openTasksOver(state);

export const isLive = (rental: RentalEntry): boolean =>
  rental.state !== 'closed' && rental.state !== 'failed' && rental.state !== 'detached';

export const hasSigned = (rental: RentalEntry): boolean => rental.agreementId !== undefined;

/**
 * An interactive job lives as long as its rental: until one ended that had a VM, or that its user wants no more. In place of
 * any other it rents another one.
 */
export const isInteractiveOver = (state: JobState): boolean =>
  state.rentals.some((rental) => !isLive(rental) && (rental.everReady || rental.isTerminated === true));

/** Groups with work to do that no rental holds. */
export function freeGroups(state: JobState): Group[] {
  return state.groups.filter((group) => group.rental === undefined && nextTask(state, group) !== undefined);
}

function nextTask(state: JobState, group: Group): number | undefined {
  return group.tasks.find((index) => state.tasks[index]?.state === 'waiting');
}

const suits = (group: Group, provider: ProviderInfo): boolean => !group.avoid.includes(provider.id);

/** Rentals that will take a free group as soon as they can. */
function openRentals(state: JobState): RentalEntry[] {
  return state.rentals.filter((rental) => {
    if (!isLive(rental) || rental.closing || rental.state === 'closing' || rental.current !== undefined)
      return false;
    const held = state.groups.find((group) => group.rental === rental.n);
    return !held || nextTask(state, held) === undefined;
  });
}

/** What makes a rental fit for a task, told by a draft as well as by a rental. */
type Fitness = Pick<RentalEntry, 'provider' | 'validToMs'>;

/** Whether the rental lives long enough for the group's next task to be begun. */
function hasTime(state: JobState, group: Group, rental: Fitness, nowMs: number): boolean {
  const index = nextTask(state, group);
  const task = index === undefined ? undefined : state.tasks[index];
  return !task || rental.validToMs - nowMs >= Math.min(state.leastLifeMs, task.spec.timeoutSec * 1000);
}

const serves = (state: JobState, group: Group, rental: Fitness, nowMs: number): boolean =>
  suits(group, rental.provider) && hasTime(state, group, rental, nowMs);

/** Whether the rentals at hand get on: one is at work, or will take some of what waits as soon as it can. */
export function getsOn(state: JobState, nowMs: number): boolean {
  const idle = openRentals(state);
  const waiting = freeGroups(state);
  return state.rentals.some((rental) => {
    if (!isLive(rental) || rental.closing) return false;
    return !idle.includes(rental) || waiting.some((group) => serves(state, group, rental, nowMs));
  });
}

/** How many more rentals the waiting work asks for, within `max`. */
export function rentalsWanted(state: JobState, max: number, nowMs: number): number {
  const live = state.rentals.filter((rental) => isLive(rental) && !rental.closing).length;
  const open = openRentals(state);
  let unserved = 0;
  for (const group of freeGroups(state)) {
    const at = open.findIndex((rental) => serves(state, group, rental, nowMs));
    if (at >= 0) open.splice(at, 1);
    else unserved += 1;
  }
  return Math.max(0, Math.min(unserved, max - live));
}

/**
 * Idle rentals that had better be closed: those that may do nothing of what waits, as many as are in the way of others
 * when every place is taken, and all when nothing waits.
 */
export function rentalsToClose(state: JobState, max: number, nowMs: number): RentalEntry[] {
  const live = state.rentals.filter((rental) => isLive(rental) && !rental.closing);
  const open = openRentals(state);
  const waiting = freeGroups(state);
  const useless = open.filter((rental) => !waiting.some((group) => serves(state, group, rental, nowMs)));
  // What others have in hand may come back.
  if (waiting.length === 0) return tasksInHand(state).length > 0 ? [] : useless;
  if (live.length < max) return [];
  const stranded = waiting.filter((group) => !open.some((rental) => serves(state, group, rental, nowMs)));
  return useless.slice(0, stranded.length);
}

/** True when a provider, rented now, would get any of the work that waits for a rental. */
export function isUseful(state: JobState, draft: Fitness, nowMs: number): boolean {
  return freeGroups(state).some((group) => serves(state, group, draft, nowMs));
}

/** Providers not to be asked now: those rented at the moment, those that broke, those no waiting group may use. */
export function providersToAvoid(state: JobState): ProviderId[] {
  const { failed, broken } = state.conduct;
  const avoid = new Set([...state.failedProviders, ...failed, ...broken.map(({ provider }) => provider.id)]);
  for (const rental of state.rentals) if (isLive(rental)) avoid.add(rental.provider.id);
  const groups = freeGroups(state);
  const [first, ...rest] = groups;
  for (const id of first?.avoid ?? []) if (rest.every((group) => group.avoid.includes(id))) avoid.add(id);
  return [...avoid];
}

/** Those to be avoided only because something went wrong with them; see {@link forgive}. */
export function forgivableProviders(state: JobState): ProviderId[] {
  const rented = state.rentals
    .filter((rental) => isLive(rental) && !rental.closing)
    .map(({ provider }) => provider.id);
  return providersToAvoid(state).filter((id) => !rented.includes(id) && !brokeFaith(state.conduct, id));
}

/** Nobody else is on the market: allow the providers that failed before once more. */
export function forgive(state: JobState): boolean {
  const failed = [
    ...state.failedProviders,
    ...state.conduct.failed,
    ...freeGroups(state).flatMap(({ avoid }) => avoid),
  ];
  const any = failed.some((id) => !brokeFaith(state.conduct, id));
  state.failedProviders = [];
  state.conduct.failed = [];
  for (const group of freeGroups(state)) group.avoid = [];
  return any;
}

/** Rentals that are over and still shown, the newest. */
const ENDED_SHOWN = 100;

function forgetOldRentals(state: JobState): void {
  const ended = state.rentals.filter((rental) => !isLive(rental));
  if (ended.length <= ENDED_SHOWN) return;
  const old = new Set(ended.slice(0, -ENDED_SHOWN));
  state.rentals = state.rentals.filter((rental) => !old.has(rental));
}

export function addRental(
  state: JobState,
  n: number,
  workflowId: string,
  provider: ProviderInfo,
  validToMs: number,
): RentalEntry {
  const rental: RentalEntry = {
    ...{ n, workflowId, provider, state: 'signing', seq: 0 },
    ...{ validToMs, closing: false, everReady: false, gaveUp: false, tasksDone: 0, vmsDied: 0 },
  };
  forgetOldRentals(state);
  state.rentals.push(rental);
  return rental;
}

/** Gives a rental its next task, if there is one for it. */
export function assign(state: JobState, rental: RentalEntry, now: Timestamp): Assignment | undefined {
  if (!isLive(rental) || rental.closing || rental.current !== undefined) return undefined;
  const nowMs = Date.parse(now);
  const held = state.groups.find((each) => each.rental === rental.n && nextTask(state, each) !== undefined);
  if (held && !hasTime(state, held, rental, nowMs)) restart(state, held, undefined);
  const group =
    held?.rental === rental.n ? held : freeGroups(state).find((each) => serves(state, each, rental, nowMs));
  const index = group && nextTask(state, group);
  const task = index === undefined ? undefined : state.tasks[index];
  if (!group || !task) return undefined;
  hold(state, rental, group);
  task.startedAt ??= now;
  const assignment = give(task, rental);
  rental.current = index;
  rental.currentId = assignment.id;
  rental.currentSince = now;
  return assignment;
}

function give(task: TaskState, rental: RentalEntry): Assignment {
  task.state = 'running';
  task.assigned += 1;
  task.provider = rental.provider;
  const { name, commands, onUncertain, checkpoint } = task.spec;
  const id = `${name}#${task.assigned}`;
  const timeoutSec = Math.max(1, Math.round(task.spec.timeoutSec - (task.spentSec ?? 0)));
  return {
    ...{ id, task: name, commands, timeoutSec, onUncertain, vmsDied: rental.vmsDied },
    ...(checkpoint ? { checkpoint, restore: task.assigned > 1, stored: task.stored } : {}),
  };
}

/** Gives a rental that has nothing to do its next task, and more behind it where it is quick and enough is left for all. */
export function assignSeveral(
  state: JobState,
  rental: RentalEntry,
  now: Timestamp,
  atMost = Infinity,
): Assignment[] {
  const first = assign(state, rental, now);
  if (!first) return [];
  const assignments = [first];
  rental.inHand = [];
  const own = rental.current === undefined ? undefined : state.tasks[rental.current];
  if (!own || !mayShareHand(state, own)) return assignments;
  const waiting = freeGroups(state);
  const sharers = state.rentals.filter((each) => isLive(each) && !each.closing).length;
  const most = Math.min(atMost, sizeOfHand(state, rental, waiting.length + 1, sharers));
  let json = jsonSize(first);
  for (const group of waiting) {
    if (assignments.length >= most) break;
    const [index] = group.tasks;
    const task = index === undefined ? undefined : state.tasks[index];
    if (!task || index === undefined || !mayBeInHand(state, task, rental)) continue;
    if (!hasTime(state, group, rental, Date.parse(now))) continue;
    json += jsonSize(task.spec);
    if (json > HAND_JSON) break;
    const assignment = give(task, rental);
    rental.inHand.push({ task: index, id: assignment.id });
    assignments.push(assignment);
  }
  return assignments;
}

/** Counts an assignment's outcome, once. Returns false for a repeat or for one that is no longer wanted. */
export function applyOutcome(state: JobState, outcome: AssignmentOutcome): boolean {
  const rental = state.rentals.find((each) => each.n === outcome.rental);
  const task = rental && takeFromHand(state, rental, outcome.id, outcome.finishedAt);
  const group = task && state.groups[task.group];
  if (!rental || !group || task.state !== 'running') return false;
  if (outcome.state !== 'returned') task.startedAt ??= outcome.startedAt;
  rental.lastTaskMs = outcome.state === 'done' ? tookMs(outcome) : undefined;
  // A fresh VM under the same agreement takes the group again.
  const isRenewed = outcome.vmsDied !== undefined;
  if (isRenewed) rental.vmsDied = Math.max(rental.vmsDied, outcome.vmsDied ?? 0);
  // Its VM is no more: it takes no other task while it closes.
  else if (['lost', 'timedOut', 'returned'].includes(outcome.state) && !outcome.isOvertaken)
    rental.closing = true;
  const stays = isRenewed || outcome.state === 'uncertain';
  if (outcome.checkpoints) task.stored = true;
  if (outcome.state === 'returned' || isMove(task, outcome)) {
    restart(state, group, stays ? rental.n : undefined);
    return true;
  }
  task.attempts.push({
    attempt: (task.attempts.at(-1)?.attempt ?? 0) + 1,
    provider: rental.provider,
    agreementId: rental.agreementId ?? '',
    activityId: outcome.activityId,
    batchId: outcome.batchId,
    earlierBatches: outcome.earlierBatches,
    startedAt: outcome.startedAt,
    finishedAt: outcome.finishedAt,
    state: outcome.state === 'timedOut' ? 'failed' : outcome.state,
    reason: outcome.reason,
  });
  task.results = outcome.results;
  task.spentSec = undefined;
  if (outcome.state === 'done') {
    task.state = 'done';
    task.finishedAt = outcome.finishedAt;
    task.failure = undefined;
    rental.tasksDone += 1;
    return true;
  }
  task.failures += 1;
  const inVain = outcome.expired && task.spec.checkpoint ? ': no checkpoint was stored in its time' : '';
  const message = `${outcome.reason ?? outcome.state}${inVain}`;
  task.failure = { type: FAILURE_OF[outcome.state], message };
  const noMore = outcome.state === 'uncertain' && task.spec.onUncertain === 'fail';
  if (noMore || task.failures >= task.spec.maxAttempts) {
    giveUp(state, group, task, outcome.finishedAt);
    return true;
  }
  restart(state, group, stays ? rental.n : undefined);
  if (!stays) group.avoid.push(rental.provider.id);
  return true;
}

/**
 * A task that the end of an agreement has cut short goes on elsewhere in the same attempt where a checkpoint was stored.
 * Another one had begun too late, which happens once; one that never gets anywhere must not be paid for for ever.
 */
function isMove(
  task: TaskState,
  { state, expired, checkpoints, startedAt, finishedAt }: AssignmentOutcome,
): boolean {
  if (state !== 'lost' || !expired) return false;
  const isFree = Boolean(checkpoints) || !task.cutShort;
  task.cutShort = !checkpoints;
  const tookSec = (tookMs({ startedAt, finishedAt }) ?? 0) / 1000;
  // Without checkpoints it begins at zero, with all of its time.
  if (isFree && task.spec.checkpoint) task.spentSec = (task.spentSec ?? 0) + tookSec;
  return isFree;
}

/** Undefined where what a rental tells is no time. */
function tookMs({
  startedAt,
  finishedAt,
}: Pick<AssignmentOutcome, 'startedAt' | 'finishedAt'>): number | undefined {
  const ms = Date.parse(finishedAt) - Date.parse(startedAt);
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

export const FAILURE_OF = {
  failed: 'CommandFailed',
  timedOut: 'TaskTimedOut',
  lost: 'VmLost',
  uncertain: 'ScriptUncertain',
} as const satisfies Record<Exclude<AssignmentOutcome['state'], 'done' | 'returned'>, FailureType>;

function giveUp(state: JobState, group: Group, task: TaskState, at: Timestamp): void {
  task.state = 'failed';
  task.finishedAt = at;
  group.rental = undefined;
  for (const index of group.tasks) {
    const mate = state.tasks[index];
    if (!mate || mate.state !== 'waiting') continue;
    mate.state = 'failed';
    mate.failure = {
      type: task.failure?.type ?? 'CommandFailed',
      message: `not run: task "${task.spec.name}" in the same vm failed`,
    };
  }
}

/** All tasks of the group wait again: the files of those that were done went with the VM. */
function restart(state: JobState, group: Group, rental: number | undefined): void {
  group.rental = rental;
  for (const index of group.tasks) {
    const task = state.tasks[index];
    if (task && (task.state === 'running' || task.state === 'done')) task.state = 'waiting';
  }
}

/**
 * Takes over what a rental says of itself. When it ended, or ends without a VM, its work is given back.
 * @param isWithoutWord - it is the job that says so of one that is gone, whose VM may have been up for a moment. Default false
 * @returns how the task ended that was lost with it
 */
export function applyRentalUpdate(
  state: JobState,
  update: RentalUpdate,
  now: Timestamp,
  isWithoutWord = false,
): AssignmentOutcome | undefined {
  const rental = state.rentals.find((each) => each.n === update.rental);
  if (!rental || !isLive(rental) || update.seq <= rental.seq) return undefined;
  const activityId = update.activityId ?? rental.activityId;
  rental.seq = update.seq;
  rental.state = update.state;
  rental.agreementId = update.agreementId ?? rental.agreementId;
  rental.terms = update.terms ?? rental.terms;
  rental.activityId = update.activityId;
  rental.reason = update.reason ?? rental.reason;
  const ending = update.state === 'closing' || !isLive(rental);
  if (update.isTerminated && !rental.closing) rental.isTerminated = true;
  if (ending) rental.closing = true;
  if (update.state === 'ready' || update.state === 'busy') rental.everReady = true;
  // A VM came up, the first or a fresh one: what it was given before begins now.
  if (update.state === 'ready') rental.currentSince = now;
  if ((update.vmsDied ?? 0) > rental.vmsDied) onIdleVmDied(state, rental, update.vmsDied ?? 0);
  const mayHaveBegun = isWithoutWord && rental.agreementId !== undefined && rental.current !== undefined;
  if (ending && !rental.everReady && !rental.gaveUp && !mayHaveBegun) {
    rental.gaveUp = true;
    if (!state.failedProviders.includes(rental.provider.id)) state.failedProviders.push(rental.provider.id);
    takeBack(state, rental);
  }
  if (isLive(rental)) return undefined;
  emptyHand(state, rental);
  if (rental.state === 'detached') {
    leaveTask(state, rental, now);
    return undefined;
  }
  let lost: AssignmentOutcome | undefined;
  if (rental.current !== undefined && rental.currentId !== undefined) {
    lost = {
      rental: rental.n,
      id: rental.currentId,
      task: state.tasks[rental.current]?.spec.name ?? '',
      state: 'lost',
      results: [],
      reason: rental.reason ?? 'the rental ended',
      activityId,
      startedAt: rental.currentSince ?? now,
      finishedAt: now,
    };
    if (!applyOutcome(state, lost)) lost = undefined;
  }
  for (const group of state.groups) {
    if (group.rental !== rental.n) continue;
    if (nextTask(state, group) === undefined) group.rental = undefined;
    else restart(state, group, undefined);
  }
  return lost;
}

/** Files went with the VM: what was done with them is to be done again in the next. A task under way is given back. */
function onIdleVmDied(state: JobState, rental: RentalEntry, vmsDied: number): void {
  rental.vmsDied = vmsDied;
  if (rental.current !== undefined) return;
  for (const group of state.groups) {
    if (group.rental !== rental.n) continue;
    if (nextTask(state, group) === undefined) group.rental = undefined;
    else restart(state, group, rental.n);
  }
}

/** Its script goes on in a VM that is nobody's any more: whoever attaches to that gets its results. */
function leaveTask(state: JobState, rental: RentalEntry, now: Timestamp): void {
  const task = rental.current === undefined ? undefined : state.tasks[rental.current];
  rental.current = undefined;
  rental.currentId = undefined;
  if (!task || task.state !== 'running') return;
  task.state = 'cancelled';
  task.finishedAt = now;
  task.attempts.push({
    ...{
      attempt: task.attempts.length + 1,
      provider: rental.provider,
      agreementId: rental.agreementId ?? '',
    },
    ...{ activityId: rental.activityId, startedAt: rental.currentSince ?? now, finishedAt: now },
    ...{ state: 'lost', reason: 'detached' },
  });
}

/** Work that never began because the provider did not come up is no failed attempt of the task. */
function takeBack(state: JobState, rental: RentalEntry): void {
  const task = rental.current === undefined ? undefined : state.tasks[rental.current];
  rental.current = undefined;
  rental.currentId = undefined;
  if (!task || task.state !== 'running') return;
  task.state = 'waiting';
  const group = state.groups[task.group];
  if (group) group.rental = undefined;
}

export function cancelOpenTasks(state: JobState, at: Timestamp): void {
  for (const task of state.tasks) {
    if (isOver(task)) continue;
    task.state = 'cancelled';
    task.finishedAt = at;
  }
  state.past.cancelled += state.ahead;
  state.ahead = 0;
}

/** The tasks without the commands of groups that are over: they are not run again. */
export function withoutDoneWork(state: JobState): TaskState[] {
  const isGroupOver = ({ tasks }: Group): boolean =>
    tasks.every((index) => {
      const task = state.tasks[index];
      return !task || isOver(task);
    });
  const over = new Set(state.groups.filter(isGroupOver).flatMap(({ tasks }) => tasks));
  return state.tasks.map((task, index) =>
    over.has(index) ? { ...task, spec: { ...task.spec, commands: [] } } : task,
  );
}

export const taskResults = (state: JobState): TaskResult[] => state.tasks.map(taskResult);

export function taskResult(task: TaskState): TaskResult {
  return {
    name: task.spec.name,
    state: task.state === 'done' || task.state === 'failed' ? task.state : 'cancelled',
    results: task.results,
    provider: task.provider,
    attempts: task.attempts,
    startedAt: task.startedAt,
    finishedAt: task.finishedAt,
    failure: task.state === 'failed' ? task.failure : undefined,
  };
}

/** Undefined where there is none of that name, or none any more. */
export function taskNow(state: JobState, name: unknown): TaskNow | undefined {
  const task = state.tasks.find(({ spec }) => spec.name === name);
  // Whoever asks is told that a task runs only where its rental is at it.
  return task && { ...taskResult(task), state: tasksInHand(state).includes(task) ? 'waiting' : task.state };
}

export function countTasks(state: JobState): JobProgress['tasks'] {
  const { tasks, ahead, past } = state;
  const inHand = tasksInHand(state).length;
  const count = (...states: TaskState['state'][]): number =>
    tasks.filter((task) => states.includes(task.state)).length;
  const over = past.done + past.failed + past.cancelled;
  return {
    total: tasks.length + ahead + over,
    waiting: count('waiting') + inHand + ahead,
    running: count('running') - inHand,
    done: count('done') + past.done,
    failed: count('failed', 'cancelled') + past.failed + past.cancelled,
  };
}

export function rentalProgress(state: JobState): RentalProgress[] {
  return state.rentals.map((rental) => ({
    n: rental.n,
    workflowId: rental.workflowId,
    provider: rental.provider,
    agreementId: rental.agreementId,
    activityId: rental.activityId,
    state: rental.state === 'ready' && rental.current !== undefined ? 'busy' : rental.state,
    currentTask: rental.current === undefined ? undefined : state.tasks[rental.current]?.spec.name,
    tasksDone: rental.tasksDone,
    endsAt: new Date(rental.validToMs).toISOString(),
    terms: rental.terms,
    reason: rental.reason,
  }));
}
