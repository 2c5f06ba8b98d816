/**
 * Tasks that a rental has in hand, beside the one that it runs. Where tasks take a blink of the eye, most of their cost is what
 * rental and job tell each other: so a rental that was quick is given several at a time. It gives back by itself what it does not come to
 * soon, so that nobody's task waits behind a long one.
 */
import type { Timestamp } from '../../model/ids';
import type { Group, JobState, RentalEntry, TaskState } from './job-state';

export interface InHand {
  /** Index of the task. */
  task: number;
  /** Of its assignment. */
  id: string;
}

/** What is in a rental's hands must not take it longer than that, by its last task. */
const HAND_MS = 2000;
export const MOST_IN_HAND = 4;

/** What is given to it at once must fit into a signal. */
export const HAND_JSON = 100_000;

/**
 * How many tasks a rental may be given at once: no more than it does soon, and than is its share.
 * @param left - tasks that anybody may take
 * @param sharers - rentals that take some
 */
export function sizeOfHand(state: JobState, rental: RentalEntry, left: number, sharers: number): number {
  const { lastTaskMs } = rental;
  if (lastTaskMs === undefined) return 1;
  const all = state.rentals.reduce((sum, { inHand = [] }) => sum + inHand.length, left);
  const share = Math.ceil(all / Math.max(1, sharers));
  return Math.max(1, Math.min(MOST_IN_HAND, share, Math.floor(HAND_MS / Math.max(1, lastTaskMs))));
}

/**
 * Only tasks that nothing else depends on are given together; where a rental is gone without a word, it may have done some of them, and
 * they are done again.
 */
export function mayShareHand(state: JobState, { group, spec }: TaskState): boolean {
  const isAlone = state.groups[group]?.tasks.length === 1;
  return isAlone && !spec.checkpoint && spec.maxAttempts > 1 && spec.onUncertain !== 'fail';
}

/** One that was never tried is given before its turn. */
export function mayBeInHand(state: JobState, task: TaskState, { provider }: RentalEntry): boolean {
  if (!mayShareHand(state, task) || state.groups[task.group]?.avoid.includes(provider.id)) return false;
  return task.state === 'waiting' && task.assigned === 0;
}

/** An assignment is over: takes it from the rental. Undefined for one that is not its own any more. */
export function takeFromHand(
  state: JobState,
  rental: RentalEntry,
  id: string,
  now: Timestamp,
): TaskState | undefined {
  const { inHand = [] } = rental;
  if (rental.current !== undefined && rental.currentId === id) {
    const task = state.tasks[rental.current];
    begin(state, rental, inHand.shift(), now);
    return task;
  }
  const at = inHand.findIndex((each) => each.id === id);
  const [taken] = at < 0 ? [] : inHand.splice(at, 1);
  return taken && state.tasks[taken.task];
}

/** The rental runs what it has in hand now, if anything. */
function begin(state: JobState, rental: RentalEntry, next: InHand | undefined, now: Timestamp): void {
  rental.current = next?.task;
  rental.currentId = next?.id;
  const task = next && state.tasks[next.task];
  if (!task) return;
  rental.currentSince = now;
  task.startedAt ??= now;
  hold(state, rental, state.groups[task.group]);
}

/** The rental's VM holds the files of that group, and of no other. */
export function hold(state: JobState, rental: RentalEntry, held: Group | undefined): void {
  for (const group of state.groups) if (group.rental === rental.n) group.rental = undefined;
  if (held) held.rental = rental.n;
}

/** The rental comes to none of it any more: it waits again for anybody. */
export function emptyHand(state: JobState, rental: RentalEntry): void {
  for (const { task: index } of rental.inHand?.splice(0) ?? []) {
    const task = state.tasks[index];
    if (task?.state === 'running') task.state = 'waiting';
  }
}

/** Tasks that their rentals have yet to come to, though their state is `running`. */
export const tasksInHand = ({ tasks, rentals }: JobState): TaskState[] =>
  rentals
    .flatMap(({ inHand = [] }) => inHand.flatMap(({ task }) => tasks[task] ?? []))
    .filter(({ state }) => state === 'running');
