/** Tasks that a rental is given before it is done with the one that it runs: decisions of a job, without Temporal. */
import type { TaskSpec } from '../model/job';
import type { AssignmentOutcome } from '../workflows/protocol';
import {
  addRental,
  applyOutcome,
  applyRentalUpdate,
  assignSeveral,
  countTasks,
  newJobState,
  rentalsToClose,
  taskNow,
  taskResults,
  type JobState,
  type RentalEntry,
} from '../workflows/state/job-state';

const BEGAN_MS = Date.parse('2026-01-01T00:00:00.000Z');
const QUICK_MS = 100;

class Job {
  readonly state: JobState;
  readonly rentals: RentalEntry[];
  private ms = BEGAN_MS;

  /** Its VMs are up. Tasks are named a, b, c and so on. */
  constructor(tasks: number, rentals: number, more: (name: string) => Partial<TaskSpec> = () => ({})) {
    const names = Array.from({ length: tasks }, (_, n) => String.fromCharCode(97 + n));
    const specs = names.map((name) => ({
      ...{ name, vm: `own:${name}`, vmShared: false, commands: [{ run: name }] },
      ...{ timeoutSec: 60, maxAttempts: 3, onUncertain: 'freshVm' as const },
      ...more(name),
    }));
    this.state = newJobState(specs);
    this.rentals = Array.from({ length: rentals }, (_, n) => {
      const provider = { id: `0x${n}`, name: `p${n}` };
      const rental = addRental(this.state, n, `job/rental/${n}`, provider, BEGAN_MS + 1_800_000);
      this.tell(rental, 'ready');
      return rental;
    });
  }
  get now(): string {
    return new Date(this.ms).toISOString();
  }
  tell({ n, seq }: RentalEntry, state: 'ready' | 'failed'): AssignmentOutcome | undefined {
    return applyRentalUpdate(this.state, { rental: n, seq: seq + 1, state, agreementId: 'a' }, this.now);
  }
  give(rental: RentalEntry): string[] {
    return assignSeveral(this.state, rental, this.now).map(({ task }) => task);
  }
  /** What it runs, or the task of that name, has ended in that time. */
  end(
    rental: RentalEntry,
    state: AssignmentOutcome['state'],
    { task, ms = QUICK_MS, ...more }: Partial<AssignmentOutcome> & { ms?: number } = {},
  ): boolean {
    const startedAt = this.now;
    this.ms += ms;
    const id = task === undefined ? (rental.currentId ?? '') : `${task}#1`;
    const ended = {
      rental: rental.n,
      id,
      task: task ?? '',
      state,
      results: [],
      startedAt,
      finishedAt: this.now,
    };
    return applyOutcome(this.state, { ...ended, ...more });
  }
  /** Has done a task in that time. */
  practised(rental: RentalEntry, ms = QUICK_MS): this {
    this.give(rental);
    this.end(rental, 'done', { ms });
    return this;
  }
  stateOf(task: string): string | undefined {
    return taskNow(this.state, task)?.state;
  }
}

function onlyRental(job: Job): RentalEntry {
  const [rental] = job.rentals;
  if (!rental) throw new Error('it has none');
  return rental;
}

/** `b` runs, `c` to `e` are in hand. */
function withHand(): { job: Job; rental: RentalEntry } {
  const job = new Job(9, 1);
  const rental = onlyRental(job);
  expect(job.practised(rental).give(rental)).toEqual(['b', 'c', 'd', 'e']);
  return { job, rental };
}

test('the first task is given alone, whatever waits', () => {
  const job = new Job(9, 1);
  expect(job.give(onlyRental(job))).toEqual(['a']);
});

test.each([
  [100, 4],
  [600, 3],
  [1000, 2],
  [1500, 1],
  [60_000, 1],
])('after one of %i ms come %i', (ms, given) => {
  const job = new Job(20, 1);
  const rental = onlyRental(job);
  expect(job.practised(rental, ms).give(rental)).toHaveLength(given);
});

test('each gets its share: what others have in hand counts', () => {
  const job = new Job(13, 4);
  for (const rental of job.rentals) job.give(rental);
  for (const rental of job.rentals) job.end(rental, 'done');
  // Nine are left, for four.
  expect(job.rentals.map((rental) => job.give(rental).length)).toEqual([3, 2, 2, 2]);
});

test('nobody is given more while it has any', () => {
  const { job, rental } = withHand();
  expect(job.give(rental)).toEqual([]);
  job.end(rental, 'done');
  expect(job.give(rental)).toEqual([]);
});

test('what is in hand waits until its turn has come, and has begun then', () => {
  const { job, rental } = withHand();
  expect(countTasks(job.state)).toEqual({ total: 9, waiting: 7, running: 1, done: 1, failed: 0 });
  expect(['b', 'c'].map((task) => job.stateOf(task))).toEqual(['running', 'waiting']);
  expect(taskNow(job.state, 'c')?.startedAt).toBeUndefined();
  job.end(rental, 'done');
  expect(countTasks(job.state)).toEqual({ total: 9, waiting: 6, running: 1, done: 2, failed: 0 });
  expect(taskNow(job.state, 'c')).toMatchObject({ state: 'running', startedAt: job.now });
});

test('each is done once, whichever order its outcomes come in', () => {
  const { job, rental } = withHand();
  for (const task of ['c', 'b', 'e', 'd']) expect(job.end(rental, 'done', { task })).toBe(true);
  expect(job.end(rental, 'done', { task: 'c' })).toBe(false);
  expect(rental).toMatchObject({ tasksDone: 5, current: undefined });
  expect(taskResults(job.state).map(({ attempts }) => attempts.length)).toEqual([1, 1, 1, 1, 1, 0, 0, 0, 0]);
  expect(job.give(rental)).toEqual(['f', 'g', 'h', 'i']);
});

test('what comes back behind a long task waits for anybody, and the rental goes on, one at a time', () => {
  const { job, rental } = withHand();
  for (const task of ['c', 'd', 'e']) job.end(rental, 'returned', { task, isOvertaken: true });
  expect(countTasks(job.state)).toMatchObject({ waiting: 7, running: 1 });
  const other = addRental(job.state, 7, 'job/rental/7', { id: '0x7', name: 'p7' }, BEGAN_MS + 1_800_000);
  expect(job.give(other)).toEqual(['c']);
  expect(job.end(rental, 'done', { ms: 5000 })).toBe(true);
  expect(job.give(rental)).toEqual(['d']);
});

test('with the end of its rental only the task that ran is lost', () => {
  const { job, rental } = withHand();
  expect(job.tell(rental, 'failed')).toMatchObject({ id: 'b#1', state: 'lost' });
  expect(countTasks(job.state)).toEqual({ total: 9, waiting: 8, running: 0, done: 1, failed: 0 });
  expect(taskResults(job.state).map(({ attempts }) => attempts.length)).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0]);
});

test('where a fresh VM takes the place of one that died, all of it is done there', () => {
  const { job, rental } = withHand();
  job.end(rental, 'lost', { vmsDied: 1 });
  for (const task of ['c', 'd', 'e']) job.end(rental, 'returned', { task, vmsDied: 1 });
  expect(countTasks(job.state)).toMatchObject({ waiting: 8, running: 0, done: 1 });
  const done: string[] = [];
  for (let given = job.give(rental); given.length > 0; given = job.give(rental))
    for (const task of given) {
      done.push(task);
      job.end(rental, 'done');
    }
  expect(done.sort()).toEqual(['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']);
});

test.each<[string, Partial<TaskSpec>]>([
  ['share a VM', { vm: 'one', vmShared: true }],
  ['have checkpoints', { checkpoint: {} as TaskSpec['checkpoint'] }],
  ['may be tried once only', { maxAttempts: 1 }],
  ['must not run when they may have run', { onUncertain: 'fail' }],
])('tasks that %s come alone', (_, more) => {
  const job = new Job(9, 1, () => more);
  const rental = onlyRental(job);
  expect(job.practised(rental).give(rental)).toEqual(['b']);
});

test('one that shares its VM comes alone, and its mate after it, whatever else waits', () => {
  const mates = { vm: 'one', vmShared: true };
  const job = new Job(9, 2, (name) => (name === 'b' || name === 'e' ? mates : {}));
  const [rental, other] = job.rentals;
  if (!rental || !other) throw new Error('it has none');
  job.practised(rental);
  expect(job.give(rental)).toEqual(['b']);
  job.end(rental, 'done');
  job.practised(other);
  expect(job.give(other)).not.toContain('e');
  expect(job.give(rental)).toEqual(['e']);
});

test('those that are too large to travel together come in parts', () => {
  const job = new Job(9, 1, (name) => ({ commands: [{ run: name.padEnd(30_000, ' ') }] }));
  const rental = onlyRental(job);
  expect(job.practised(rental).give(rental)).toHaveLength(3);
});

test('no idle rental is closed while others may give something back', () => {
  const job = new Job(5, 2);
  const [quick, idle] = job.rentals;
  if (!quick || !idle) throw new Error('it has none');
  job.give(idle);
  job.practised(quick);
  expect(job.give(quick)).toEqual(['c', 'd']);
  job.end(idle, 'done', { ms: 60_000 });
  expect(job.give(idle)).toEqual(['e']);
  job.end(idle, 'done');
  expect(rentalsToClose(job.state, 2, BEGAN_MS)).toEqual([]);
  job.end(quick, 'done');
  expect(rentalsToClose(job.state, 2, BEGAN_MS)).toEqual([idle]);
});
