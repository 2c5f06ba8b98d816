/** Decisions of jobs and settlements, without Temporal: pure functions over plain state. */
import type { AgreementSoFar, Decision, DocumentRef } from '../activities/contract';
import { appendEvents, emptyEventLog, EVENTS_KEPT, readEvents, type NewEvent } from '../model/events';
import type { TaskSpec } from '../model/job';
import type { TaskResult } from '../model/result';
import { cutOutput, fitScriptResults, fitTaskResults } from '../model/result-size';
import type { Assignment, AssignmentOutcome, RentalUpdate } from '../workflows/protocol';
import { BrokenStarts } from '../workflows/state/broken-starts';
import {
  addRental,
  allTasksOver,
  applyOutcome,
  applyRentalUpdate,
  assign,
  cancelOpenTasks,
  countTasks,
  forgivableProviders,
  forgive,
  getsOn,
  isUseful,
  newJobState,
  providersToAvoid,
  rentalProgress,
  rentalsToClose,
  rentalsWanted,
  taskResults,
  type JobState,
  type RentalEntry,
} from '../workflows/state/job-state';
import {
  acceptedOf,
  agreementsOf,
  awaitingPayment,
  book,
  bookNotePayments,
  bookPayment,
  entryOf,
  giveUpWaiting,
  isSettled,
  moneyOf,
  newLedger,
  soFar,
  type Ledger,
} from '../workflows/state/ledger';
import {
  addUndecided,
  decided,
  failedToDecide,
  isDeciding,
  nextDueMs,
  takeDue,
  type Undecided,
  type UndecidedDocument,
} from '../workflows/state/undecided';

const AT = '2026-01-01T00:00:00.000Z';
const LATER = '2026-01-01T00:01:00.000Z';
const NOW_MS = Date.parse(AT);

describe('a job', () => {
  const spec = (name: string, more: Partial<TaskSpec> = {}): TaskSpec => ({
    ...{ name, vm: `own:${name}`, vmShared: false, commands: [{ run: name }] },
    ...{ timeoutSec: 60, maxAttempts: 3, onUncertain: 'freshVm' },
    ...more,
  });
  const provider = (name: string) => ({ id: `0x${name}`, name });

  class Job {
    readonly state: JobState;
    constructor(...tasks: TaskSpec[]) {
      this.state = newJobState(tasks);
    }
    rent(name: string, lifeSec = 1800): RentalEntry {
      const n = this.state.rentals.length + 1;
      return addRental(this.state, n, `job/rental/${n}`, provider(name), NOW_MS + lifeSec * 1000);
    }
    ready(rental: RentalEntry): void {
      this.tell(rental, { state: 'ready' });
    }
    tell(rental: RentalEntry, update: Partial<RentalUpdate>, at = AT): AssignmentOutcome | undefined {
      return applyRentalUpdate(
        this.state,
        { rental: rental.n, seq: rental.seq + 1, state: rental.state, agreementId: 'a', ...update },
        at,
      );
    }
    give(rental: RentalEntry): Assignment | undefined {
      return assign(this.state, rental, AT);
    }
    end(rental: RentalEntry, state: AssignmentOutcome['state'], more: Partial<AssignmentOutcome> = {}) {
      return applyOutcome(this.state, {
        ...{ rental: rental.n, id: rental.currentId ?? '', task: '', state, results: [] },
        ...{ startedAt: AT, finishedAt: LATER },
        ...more,
      });
    }
    get states(): string[] {
      return this.state.tasks.map(({ state }) => state);
    }
  }

  test('wants a rental for each VM, within what is allowed', () => {
    const job = new Job(spec('a'), spec('b'), spec('c', { vm: 'x' }), spec('d', { vm: 'x' }));
    expect(rentalsWanted(job.state, 10, NOW_MS)).toBe(3);
    expect(rentalsWanted(job.state, 2, NOW_MS)).toBe(2);
    job.give(job.rent('p'));
    expect(rentalsWanted(job.state, 10, NOW_MS)).toBe(2);
    // One that is not ready yet, and has no work, will take some.
    job.rent('q');
    expect(rentalsWanted(job.state, 10, NOW_MS)).toBe(1);
  });

  test('gives a rental one task at a time, and the next when that is over', () => {
    const job = new Job(spec('a'), spec('b'));
    const rental = job.rent('p');
    expect(job.give(rental)).toEqual({
      ...{ id: 'a#1', task: 'a', commands: [{ run: 'a' }] },
      ...{ timeoutSec: 60, onUncertain: 'freshVm' },
    });
    expect(job.give(rental)).toBeUndefined();
    job.ready(rental);
    expect(job.end(rental, 'done')).toBe(true);
    expect(job.give(rental)?.task).toBe('b');
    job.end(rental, 'done');
    expect(job.give(rental)).toBeUndefined();
    expect(allTasksOver(job.state)).toBe(true);
    expect(rentalProgress(job.state)).toMatchObject([{ n: 1, tasksDone: 2, state: 'ready' }]);
  });

  test('counts an outcome once, whatever is repeated or comes late', () => {
    const job = new Job(spec('a'), spec('b'));
    const rental = job.rent('p');
    job.give(rental);
    job.ready(rental);
    const outcome = { id: 'a#1', task: 'a' };
    expect(job.end(rental, 'failed', outcome)).toBe(true);
    expect(job.end(rental, 'failed', outcome)).toBe(false);
    job.give(rental);
    expect(job.end(rental, 'done', outcome)).toBe(false);
    expect(job.states).toEqual(['waiting', 'running']);
    expect(job.state.tasks[0]?.attempts).toHaveLength(1);
    expect(job.end({ ...rental, n: 99 }, 'done', outcome)).toBe(false);
  });

  test('an update of a rental that was overtaken changes nothing', () => {
    const job = new Job(spec('a'));
    const rental = job.rent('p');
    job.tell(rental, { seq: 5, state: 'ready', agreementId: 'agreement' });
    job.tell(rental, { seq: 4, state: 'deploying' });
    expect(rental).toMatchObject({ state: 'ready', agreementId: 'agreement' });
    job.tell(rental, { seq: 6, state: 'closed' });
    job.tell(rental, { seq: 7, state: 'ready' });
    expect(rental.state).toBe('closed');
  });

  test('a failed task goes elsewhere, until its attempts are used up', () => {
    const job = new Job(spec('a', { maxAttempts: 2 }));
    const [p, q] = [job.rent('p'), job.rent('q')];
    job.give(p);
    job.ready(p);
    job.ready(q);
    job.end(p, 'failed', { reason: 'exit 1', activityId: 'vm', batchId: 'batch' });
    expect(job.give(p)).toBeUndefined();
    expect(isUseful(job.state, p, NOW_MS)).toBe(false);
    expect(job.give(q)?.id).toBe('a#2');
    job.end(q, 'timedOut', { reason: 'too long' });
    expect(taskResults(job.state)).toMatchObject([
      {
        ...{ name: 'a', state: 'failed', provider: q.provider, finishedAt: LATER },
        failure: { type: 'TaskTimedOut', message: 'too long' },
        attempts: [
          {
            ...{ attempt: 1, state: 'failed', reason: 'exit 1', provider: p.provider },
            ...{ agreementId: 'a', activityId: 'vm', batchId: 'batch', startedAt: AT, finishedAt: LATER },
          },
          { attempt: 2, state: 'failed', reason: 'too long' },
        ],
      },
    ]);
  });

  test('a task that was done after a failure shows no failure', () => {
    const job = new Job(spec('a'));
    const [p, q] = [job.rent('p'), job.rent('q')];
    job.give(p);
    job.end(p, 'failed');
    job.ready(q);
    job.give(q);
    job.end(q, 'done', { results: [{ index: 0, result: 'Ok', stdout: 'x', stderr: null, message: null }] });
    const [result] = taskResults(job.state);
    expect(result).toMatchObject({ state: 'done', results: [{ stdout: 'x' }] });
    expect(result?.failure).toBeUndefined();
  });

  describe('tasks of one VM', () => {
    const group = () => new Job(spec('a', { vm: 'x' }), spec('b', { vm: 'x' }), spec('c', { vm: 'x' }));

    test('run one after the other, on the rental that has their files', () => {
      const job = group();
      const [p, q] = [job.rent('p'), job.rent('q')];
      expect(job.give(p)?.task).toBe('a');
      job.ready(p);
      job.ready(q);
      expect(job.give(q)).toBeUndefined();
      job.end(p, 'done');
      expect(job.give(q)).toBeUndefined();
      expect(job.give(p)?.task).toBe('b');
    });

    test('begin again with the first when the VM is lost', () => {
      const job = group();
      const p = job.rent('p');
      job.give(p);
      job.ready(p);
      job.end(p, 'done');
      job.give(p);
      job.tell(p, { state: 'failed', reason: 'gone' });
      expect(job.states).toEqual(['waiting', 'waiting', 'waiting']);
      expect(job.state.tasks.map(({ attempts }) => attempts.map(({ state }) => state))).toEqual([
        ['done'],
        ['lost'],
        [],
      ]);
      const q = job.rent('q');
      expect(job.give(q)?.id).toBe('a#2');
    });

    test('stay where they are when all of them were done before the VM went', () => {
      const job = group();
      const p = job.rent('p');
      job.ready(p);
      for (const _ of [1, 2, 3]) {
        job.give(p);
        job.end(p, 'done');
      }
      job.tell(p, { state: 'failed' });
      expect(job.states).toEqual(['done', 'done', 'done']);
    });

    test('that were to come after one that failed for good are not run', () => {
      const job = new Job(
        spec('a', { vm: 'x' }),
        spec('b', { vm: 'x', maxAttempts: 1 }),
        spec('c', { vm: 'x' }),
      );
      const p = job.rent('p');
      job.ready(p);
      job.give(p);
      job.end(p, 'done');
      job.give(p);
      job.end(p, 'failed', { reason: 'exit 2' });
      expect(job.states).toEqual(['done', 'failed', 'failed']);
      expect(taskResults(job.state)[2]?.failure?.message).toMatch(/not run: task "b" in the same vm failed/);
      expect(allTasksOver(job.state)).toBe(true);
    });

    test('go on in a fresh VM of the same rental when it is uncertain whether one was started', () => {
      const job = group();
      const [p, q] = [job.rent('p'), job.rent('q')];
      job.ready(p);
      job.ready(q);
      job.give(p);
      job.end(p, 'done');
      job.give(p);
      job.end(p, 'uncertain');
      expect(job.states).toEqual(['waiting', 'waiting', 'waiting']);
      expect(job.give(q)).toBeUndefined();
      expect(job.give(p)?.task).toBe('a');
    });
  });

  test('an uncertain task that must not be repeated fails at once', () => {
    const job = new Job(spec('a', { onUncertain: 'fail' }), spec('b'));
    const p = job.rent('p');
    job.give(p);
    job.end(p, 'uncertain');
    expect(taskResults(job.state)[0]).toMatchObject({
      state: 'failed',
      failure: { type: 'ScriptUncertain' },
    });
  });

  test('an attempt whose rental went without a word began when its VM was ready for it', () => {
    const job = new Job(spec('a'), spec('b'));
    const p = job.rent('p');
    job.give(p);
    const [ready, busy, gone] = ['00:10', '00:20', '00:50'].map((at) => `2026-01-01T00:${at}.000Z`);
    job.tell(p, { state: 'ready' }, ready);
    job.tell(p, { state: 'busy' }, busy);
    job.tell(p, { state: 'failed' }, gone);
    expect(job.state.tasks[0]?.attempts).toMatchObject([{ startedAt: ready, finishedAt: gone }]);
  });

  test('an attempt on a VM that was up began when it was given', () => {
    const job = new Job(spec('a'));
    const p = job.rent('p');
    job.ready(p);
    job.give(p);
    expect(job.tell(p, { state: 'failed', reason: 'gone' }, LATER)).toMatchObject({
      ...{ task: 'a', state: 'lost', reason: 'gone' },
    });
    expect(job.state.tasks[0]?.attempts).toMatchObject([{ startedAt: AT, finishedAt: LATER }]);
  });

  test('a provider that did not come up costs the task no attempt, and is not asked again at once', () => {
    const job = new Job(spec('a', { maxAttempts: 1 }));
    const p = job.rent('p');
    job.give(p);
    job.tell(p, { state: 'failed', reason: 'no VM' });
    expect(job.states).toEqual(['waiting']);
    expect(job.state.tasks[0]?.attempts).toEqual([]);
    expect(providersToAvoid(job.state)).toEqual([p.provider.id]);
    expect(forgivableProviders(job.state)).toEqual([p.provider.id]);
    expect(rentalsWanted(job.state, 1, NOW_MS)).toBe(1);
  });

  test('a rental whose VM will not come up gives its task back when it begins to close, and counts once', () => {
    const job = new Job(spec('a'), spec('b'));
    const p = job.rent('p');
    job.give(p);
    p.closing = true;
    job.tell(p, { state: 'deploying' });
    expect(job.states).toEqual(['running', 'waiting']);
    job.tell(p, { state: 'closing' });
    expect(job.states).toEqual(['waiting', 'waiting']);
    expect(rentalsWanted(job.state, 4, NOW_MS)).toBe(2);
    expect(job.end(p, 'returned', { id: 'a#1' })).toBe(false);
    job.tell(p, { state: 'failed' });
    expect(job.state.failedProviders).toEqual([p.provider.id]);
  });

  test('when nobody else is there, providers that failed are taken again; those at work are not', () => {
    const job = new Job(spec('a'), spec('b'));
    const [p, q] = [job.rent('p'), job.rent('q')];
    job.give(p);
    job.give(q);
    job.ready(p);
    job.ready(q);
    job.end(p, 'failed');
    job.tell(p, { state: 'closed' });
    expect(providersToAvoid(job.state)).toEqual([q.provider.id, p.provider.id]);
    expect(forgivableProviders(job.state)).toEqual([p.provider.id]);
    expect(forgive(job.state)).toBe(true);
    expect(providersToAvoid(job.state)).toEqual([q.provider.id]);
    expect(forgive(job.state)).toBe(false);
  });

  test('an idle rental that may not do what waits makes room for another', () => {
    const job = new Job(spec('a'), spec('b'));
    const [p, q] = [job.rent('p'), job.rent('q')];
    job.give(p);
    job.give(q);
    job.ready(p);
    job.ready(q);
    expect(rentalsToClose(job.state, 2, NOW_MS)).toEqual([]);
    job.end(p, 'failed');
    expect(rentalsToClose(job.state, 2, NOW_MS)).toEqual([p]);
    expect(rentalsToClose(job.state, 3, NOW_MS)).toEqual([]);
    job.end(q, 'done');
    expect(rentalsToClose(job.state, 2, NOW_MS)).toEqual([]);
    expect(job.give(q)?.id).toBe('a#2');
  });

  test('rentals get on when one is at work or will take what waits, not when all idle beside it', () => {
    const job = new Job(spec('a'), spec('b', { timeoutSec: 900 }));
    const [p, q] = [job.rent('p'), job.rent('q', 200)];
    job.ready(p);
    expect(getsOn(job.state, NOW_MS)).toBe(true);
    job.give(p);
    expect(getsOn(job.state, NOW_MS)).toBe(true);
    job.end(p, 'failed');
    // It may still do the other task; the short one of them has not the time.
    expect(getsOn(job.state, NOW_MS)).toBe(true);
    expect(job.give(p)?.task).toBe('b');
    job.end(p, 'failed');
    job.give(q);
    job.end(q, 'failed');
    expect(job.states).toEqual(['waiting', 'waiting']);
    expect(getsOn(job.state, NOW_MS)).toBe(false);
    forgive(job.state);
    expect(getsOn(job.state, NOW_MS)).toBe(true);
    job.tell(q, { state: 'failed' });
    job.tell(p, { state: 'closing' });
    expect(getsOn(job.state, NOW_MS)).toBe(false);
  });

  test('a rental without work that is left is closed; it costs money', () => {
    const job = new Job(spec('a'), spec('b'));
    const [p, q] = [job.rent('p'), job.rent('q')];
    job.give(p);
    job.give(q);
    job.ready(p);
    job.ready(q);
    job.end(p, 'done');
    expect(rentalsToClose(job.state, 4, NOW_MS)).toEqual([p]);
  });

  test('no task is begun on an agreement that ends too soon for it; a fresh one is wanted', () => {
    const job = new Job(spec('long', { timeoutSec: 900 }), spec('short', { timeoutSec: 60 }));
    const rental = job.rent('p', 200);
    expect(job.give(rental)?.task).toBe('short');
    expect(rentalsWanted(job.state, 4, NOW_MS)).toBe(1);
  });

  test('nobody is rented for so short a time that the rental would get no work', () => {
    const draft = (lifeSec: number) => ({ provider: provider('p'), validToMs: NOW_MS + lifeSec * 1000 });
    const long = new Job(spec('long', { timeoutSec: 900 }));
    expect(isUseful(long.state, draft(200), NOW_MS)).toBe(false);
    expect(isUseful(long.state, draft(300), NOW_MS)).toBe(true);
    const short = new Job(spec('short', { timeoutSec: 60 }));
    expect(isUseful(short.state, draft(200), NOW_MS)).toBe(true);
    for (const [job, lifeSec] of [
      [long, 300],
      [short, 200],
    ] as const) {
      expect(job.give(job.rent('p', lifeSec))).toBeDefined();
    }
  });

  test('a task that its rental returned has not failed, and goes elsewhere', () => {
    const job = new Job(spec('a', { maxAttempts: 1 }));
    const p = job.rent('p');
    job.give(p);
    job.ready(p);
    expect(job.end(p, 'returned')).toBe(true);
    expect(job.states).toEqual(['waiting']);
    // The rental is on its way out: it is given nothing more.
    expect(job.give(p)).toBeUndefined();
    expect(job.give(job.rent('q'))?.id).toBe('a#2');
  });

  test('a provider whose bill was refused gets no more work, whoever else is on the market', () => {
    const job = new Job(spec('a'));
    job.state.refusedProviders = ['0xp'];
    expect(providersToAvoid(job.state)).toEqual(['0xp']);
    expect(forgivableProviders(job.state)).toEqual([]);
    forgive(job.state);
    expect(providersToAvoid(job.state)).toEqual(['0xp']);
  });

  test('a rental that was told to close gets no more work', () => {
    const job = new Job(spec('a'), spec('b'));
    const p = job.rent('p');
    job.ready(p);
    job.tell(p, { state: 'closing' });
    expect(job.give(p)).toBeUndefined();
    expect(rentalsWanted(job.state, 4, NOW_MS)).toBe(2);
  });

  test('ends with what is open cancelled', () => {
    const job = new Job(spec('a'), spec('b'), spec('c', { maxAttempts: 1 }), spec('d'));
    const [p, q] = [job.rent('p'), job.rent('q')];
    job.give(p);
    job.end(p, 'done');
    job.give(p);
    job.give(q);
    job.end(q, 'failed');
    expect(countTasks(job.state)).toEqual({ total: 4, waiting: 1, running: 1, done: 1, failed: 1 });
    cancelOpenTasks(job.state, LATER);
    expect(taskResults(job.state).map(({ state }) => state)).toEqual([
      ...['done', 'cancelled', 'failed', 'cancelled'],
    ]);
    // What a rental still says then changes nothing.
    expect(job.end(p, 'done')).toBe(false);
  });
});

describe('rentals that break before their VM is ready', () => {
  class Starts extends BrokenStarts {
    private newest = 0;
    /** Opens so many side by side, all of which break. */
    wave(count: number, type: string, setupFailed = false): void {
      const first = this.newest + 1;
      this.newest += count;
      for (let rental = first; rental <= this.newest; rental++) {
        const failure = { type, message: `${type} of ${rental}` };
        this.add({ rental, newest: this.newest, failure, setupFailed }, NOW_MS);
      }
    }
    waves(times: number, type: string, setupFailed = false): this {
      for (let i = 0; i < times; i++) this.wave(8, type, setupFailed);
      return this;
    }
  }

  test('side by side are one failure in a row', () => {
    const starts = new Starts();
    starts.wave(8, 'VmNotCreated', true);
    expect(starts.tooMany).toBeUndefined();
    expect(starts.pauseMs(NOW_MS)).toBe(0);
    expect(new Starts().waves(4, 'VmNotCreated', true).tooMany).toBeUndefined();
    expect(new Starts().waves(9, 'VmNotCreated').tooMany).toBeUndefined();
  });

  test('are too many after five waves of setups or ten of others, by the name of the last failure', () => {
    expect(new Starts().waves(5, 'VmNotCreated', true).tooMany).toEqual({
      type: 'VmNotCreated',
      message: '5 times in a row providers gave no working VM; the last: VmNotCreated of 40',
    });
    const starts = new Starts().waves(9, 'VmNotCreated').waves(1, 'AgreementEnded');
    expect(starts.tooMany).toMatchObject({ type: 'AgreementEnded' });
  });

  test.each(['AgreementRejected', 'YagnaUnavailable'])(
    'by %s are waited for, longer and longer, and never too many',
    (type) => {
      const starts = new Starts().waves(3, type);
      expect(starts.pauseMs(NOW_MS)).toBe(0);
      expect(starts.waves(1, type).pauseMs(NOW_MS)).toBe(8000);
      expect(starts.waves(20, type).pauseMs(NOW_MS + 1000)).toBe(29_000);
      expect(starts.tooMany).toBeUndefined();
      expect(starts.refusal).toMatchObject({ type });
    },
  );

  test('are counted though each wave begins with a refusal', () => {
    const starts = new Starts();
    for (let rental = 1; rental < 20; rental += 2) {
      const broken = { newest: rental + 1, setupFailed: false };
      const failed = (type: string) => ({ type, message: type });
      starts.add({ ...broken, rental, failure: failed('AgreementRejected') }, NOW_MS);
      starts.add({ ...broken, rental: rental + 1, failure: failed('VmNotCreated') }, NOW_MS);
    }
    expect(starts.tooMany).toMatchObject({ type: 'VmNotCreated' });
  });

  test('count anew after a VM came up', () => {
    const starts = new Starts().waves(9, 'VmNotCreated').waves(3, 'AgreementRejected');
    starts.reset();
    expect(starts.pauseMs(NOW_MS)).toBe(0);
    expect(starts.refusal).toBeUndefined();
    expect(starts.waves(9, 'VmNotCreated').tooMany).toBeUndefined();
  });
});

describe('documents that are not decided', () => {
  const LIFETIME_MS = 20_000;
  /** Such as `a n1` and `a i1`: a note and an invoice of agreement a; `?` is an agreement that nobody knows. */
  const the = (id: string): DocumentRef => {
    const [agreementId, kind] = id.split(' ');
    return {
      ...{ kind: kind?.startsWith('i') ? 'invoice' : 'debitNote', id, eventDate: AT },
      agreementId: agreementId === '?' ? undefined : agreementId,
    };
  };
  const queue = (...ids: string[]): Undecided => {
    const undecided: Undecided = [];
    for (const id of ids) addUndecided(undecided, the(id));
    return undecided;
  };
  const taken = (undecided: Undecided, nowMs = 0) =>
    takeDue(undecided, nowMs).map(({ document }) => document.id);
  const entry = (undecided: Undecided, id: string): UndecidedDocument => {
    const found = undecided.find(({ document }) => document.id === id);
    if (!found) throw new Error(`${id} is not there`);
    return found;
  };

  test('of different agreements are decided at the same time, those of one after each other', () => {
    const undecided = queue('a n1', 'a n2', 'b n1', 'c i1');
    expect(taken(undecided)).toEqual(['a n1', 'b n1', 'c i1']);
    expect(taken(undecided)).toEqual([]);
    expect(nextDueMs(undecided)).toBe(Infinity);
    decided(undecided, entry(undecided, 'a n1'));
    expect(taken(undecided)).toEqual(['a n2']);
  });

  test('are decided before others are tried again, later and later', () => {
    const undecided = queue('a n1');
    for (const waitSec of [10, 20, 40, 80, 160, 300, 300]) {
      expect(taken(undecided)).toEqual(['a n1']);
      failedToDecide(entry(undecided, 'a n1'), 0, LIFETIME_MS);
      expect(nextDueMs(undecided)).toBe(waitSec * 1000);
      entry(undecided, 'a n1').dueMs = 0;
    }
    addUndecided(undecided, the('a n2'));
    expect(taken(undecided)).toEqual(['a n2']);
  });

  test.each([
    ['i1', 'i2', LIFETIME_MS],
    ['n1', 'i1', LIFETIME_MS],
    ['i1', 'n1', LIFETIME_MS],
    ['n1', 'n2', 0],
  ])('after a failed %s, %s waits until that can have no effect any more', (first, second, startsMs) => {
    const undecided = queue(`a ${first}`);
    takeDue(undecided, 0);
    failedToDecide(entry(undecided, `a ${first}`), 0, LIFETIME_MS);
    entry(undecided, `a ${first}`).dueMs = Infinity;
    addUndecided(undecided, the(`a ${second}`));
    addUndecided(undecided, the('b i1'));
    expect(taken(undecided)).toEqual(startsMs === 0 ? [`a ${second}`, 'b i1'] : ['b i1']);
    if (startsMs === 0) return;
    decided(undecided, entry(undecided, 'b i1'));
    expect(nextDueMs(undecided)).toBe(startsMs);
    expect(taken(undecided, startsMs)).toEqual([`a ${second}`]);
  });

  test('of an agreement that nobody knows are decided alone', () => {
    const undecided = queue('a n1', '? i1');
    expect(taken(undecided)).toEqual(['a n1']);
    decided(undecided, entry(undecided, 'a n1'));
    expect(taken(undecided)).toEqual(['? i1']);
    addUndecided(undecided, the('b n1'));
    expect(taken(undecided)).toEqual([]);
  });

  test('are decided like others once their agreement is told', () => {
    const undecided = queue('a n1', '? i1');
    addUndecided(undecided, { ...the('? i1'), agreementId: 'b' });
    expect(taken(undecided)).toEqual(['a n1', '? i1']);
  });

  test('are decided a few at a time, however many there are', () => {
    const undecided = queue(...Array.from({ length: 60 }, (_, n) => `a${n} n1`));
    expect(taken(undecided)).toHaveLength(50);
    expect(nextDueMs(undecided)).toBe(Infinity);
    expect(isDeciding(undecided)).toBe(true);
  });
});

describe('a ledger', () => {
  const provider = { id: '0x1', name: 'p' };
  const decision = (kind: 'debitNote' | 'invoice', id: string, more: Partial<Decision> = {}): Decision => ({
    ...{ document: { kind, id, eventDate: AT }, agreementId: 'a', provider, amount: '0', payable: false },
    ...{ decision: 'accepted', settled: false, events: [] },
    ...(kind === 'debitNote' ? { activityId: 'vm' } : {}),
    ...more,
  });
  const open = (...decisions: Decision[]): Ledger => {
    const ledger = newLedger('5', 'erc20-holesky-tglm');
    for (const each of decisions) book(ledger, each);
    return ledger;
  };

  test('counts debit notes by the newest of each activity, to the last digit', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1' }),
      decision('debitNote', 'n2', { amount: '0.300000000000000001' }),
      decision('debitNote', 'n3', { activityId: 'vm2', amount: '0.200000000000000002' }),
      decision('debitNote', 'n4', { agreementId: 'b', activityId: 'vm3', amount: '0.4' }),
    );
    expect(moneyOf(ledger)).toEqual({
      ...{ budget: '5', reserved: '0', platform: 'erc20-holesky-tglm' },
      ...{ accepted: '0.900000000000000003', paid: '0' },
    });
    expect(agreementsOf(ledger)).toMatchObject([
      { agreementId: 'a', accepted: '0.500000000000000003', debitNotes: 3, state: 'open' },
      { agreementId: 'b', accepted: '0.4', debitNotes: 1 },
    ]);
  });

  test('books a document once, however often it is decided', () => {
    const note = decision('debitNote', 'n1', { amount: '0.1', lastUsage: [1, 2] });
    const ledger = open(note, note, { ...note, amount: '0.2' });
    expect(moneyOf(ledger).accepted).toBe('0.1');
    expect(soFar(ledger)).toEqual<Record<string, AgreementSoFar>>({
      a: {
        acceptedByActivity: { vm: '0.1' },
        notes: { vm: { all: 1, payable: 0 } },
        lastUsage: { vm: [1, 2] },
        invoiceAccepted: false,
      },
    });
  });

  test('tells a decision of its own agreement, and of all where that is not known', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1' }),
      decision('debitNote', 'n2', { agreementId: 'b', amount: '0.2' }),
    );
    expect(Object.keys(soFar(ledger, 'b'))).toEqual(['b']);
    expect(soFar(ledger, 'c')).toEqual({});
    expect(Object.keys(soFar(ledger))).toEqual(['a', 'b']);
  });

  test('a note that comes late does not lower what was accepted', () => {
    const ledger = open(
      decision('debitNote', 'n2', { amount: '0.3' }),
      decision('debitNote', 'n1', { amount: '0.1' }),
    );
    expect(moneyOf(ledger).accepted).toBe('0.3');
  });

  test('writes an amount one way, however yagna does', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.100000000000000000' }),
      decision('invoice', 'i1', { agreementId: 'b', amount: '0.250000000000000000' }),
    );
    expect(agreementsOf(ledger)).toMatchObject([
      { accepted: '0.1' },
      { accepted: '0.25', invoiceAmount: '0.25' },
    ]);
  });

  test('a payable note is paid when yagna says so, not when it is accepted', () => {
    const ledger = open(decision('debitNote', 'n1', { amount: '0.1', payable: true }));
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0.1', paid: '0' });
    bookNotePayments(ledger, ['n1']);
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0.1', paid: '0.1' });
  });

  test('only payable notes are paid before the invoice', () => {
    const ledger = open(
      decision('debitNote', 'n2', { amount: '0.3' }),
      decision('debitNote', 'n1', { amount: '0.1', payable: true, settled: true }),
    );
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0.3', paid: '0.1' });
  });

  test('counts the final invoice in place of its notes, and once', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.3' }),
      decision('invoice', 'i1', { amount: '0.35' }),
      decision('invoice', 'i2', { amount: '9' }),
    );
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0.35', paid: '0' });
    expect(awaitingPayment(ledger)).toEqual(['i1']);
    expect(isSettled(ledger)).toBe(false);
    bookPayment(ledger, 'a');
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0.35', paid: '0.35' });
    expect(awaitingPayment(ledger)).toEqual([]);
    expect(isSettled(ledger)).toBe(true);
    expect(agreementsOf(ledger)).toMatchObject([
      { invoiceId: 'i1', invoiceAmount: '0.35', state: 'settled' },
    ]);
  });

  test('an invoice that is paid when it is accepted, such as one of zero, is settled at once', () => {
    const ledger = open(decision('invoice', 'i1', { settled: true }));
    expect(isSettled(ledger)).toBe(true);
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0', paid: '0' });
  });

  test('a rejected invoice leaves what was accepted before, and says why', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1', payable: true, settled: true }),
      decision('debitNote', 'n2', { amount: '0.2' }),
      decision('invoice', 'i1', { amount: '9', decision: 'refused', reason: 'too much' }),
    );
    expect(agreementsOf(ledger)).toMatchObject([{ state: 'rejected', accepted: '0.2', paid: '0.1' }]);
    expect(ledger.entries[0]?.refusal).toBe('too much');
    expect(isSettled(ledger)).toBe(true);
  });

  test('an invoice after a rejected one may still be right', () => {
    const ledger = open(
      decision('invoice', 'i1', { amount: '9', decision: 'refused', reason: 'too much' }),
      decision('invoice', 'i2', { amount: '0.2' }),
    );
    expect(agreementsOf(ledger)).toMatchObject([{ state: 'accepted', accepted: '0.2', invoiceId: 'i2' }]);
  });

  test('a refused note counts as seen, not as accepted; a superseded one changes no money', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1' }),
      decision('debitNote', 'n2', { amount: '7', decision: 'refused', reason: 'impossible' }),
      decision('invoice', 'i1', { amount: '0.15' }),
      decision('debitNote', 'n3', { amount: '0.2', decision: 'superseded' }),
    );
    expect(moneyOf(ledger).accepted).toBe('0.15');
    expect(agreementsOf(ledger)).toMatchObject([{ debitNotes: 3, accepted: '0.15' }]);
  });

  test('a document of somebody else is not booked', () => {
    expect(agreementsOf(open(decision('invoice', 'i1', { decision: 'foreign', amount: '3' })))).toEqual([]);
  });

  test('when no invoice comes in time, what is open stays unpaid but for its payable notes', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1', payable: true, settled: true }),
      decision('debitNote', 'n2', { amount: '0.25' }),
    );
    entryOf(ledger, 'b', provider);
    giveUpWaiting(ledger);
    expect(agreementsOf(ledger)).toMatchObject([
      { agreementId: 'a', state: 'unpaid', accepted: '0.25', paid: '0.1' },
      { agreementId: 'b', state: 'unpaid', accepted: '0', paid: '0' },
    ]);
    expect(isSettled(ledger)).toBe(true);
    expect(acceptedOf(entryOf(ledger, 'a', provider))).toBe('0.25');
  });

  test('a job without agreements has nothing to settle', () => {
    expect(isSettled(newLedger('1', 'p'))).toBe(true);
  });
});

describe('a log of events', () => {
  const events = (count: number): NewEvent[] =>
    Array.from({ length: count }, (_, i) => ({ name: 'ScriptSent', at: AT, details: { i } }));

  test('numbers events from 1 and gives those after a cursor, the oldest first', () => {
    const log = emptyEventLog();
    appendEvents(log, events(2));
    appendEvents(log, events(3));
    expect(readEvents(log).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(readEvents(log, { after: 2, limit: 2 }).map(({ seq }) => seq)).toEqual([3, 4]);
    expect(readEvents(log, { after: 5 })).toEqual([]);
  });

  test('keeps the newest, and a cursor stays true when older ones are dropped', () => {
    const log = emptyEventLog();
    appendEvents(log, events(EVENTS_KEPT + 7));
    const kept = readEvents(log);
    expect(kept).toHaveLength(EVENTS_KEPT);
    expect(kept[0]?.seq).toBe(8);
    appendEvents(log, events(1));
    expect(readEvents(log, { after: EVENTS_KEPT + 7 }).map(({ seq }) => seq)).toEqual([EVENTS_KEPT + 8]);
  });
});

describe('results are cut to what travels', () => {
  const result = (stdout: string, stderr: string | null = null) => ({
    ...{ index: 0, result: 'Ok' as const, stdout, stderr, message: null },
  });
  const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

  test('at the limit in bytes, never within a character', () => {
    expect(cutOutput(null, 5)).toBeNull();
    expect(cutOutput('hello', 5)).toBe('hello');
    expect(cutOutput('hello!', 5)).toBe('hello\n… [1 bytes cut]');
    expect(cutOutput('añ€😀', 4)).toBe('añ\n… [7 bytes cut]');
    expect(cutOutput('añ€😀', 9)).toBe('añ€\n… [4 bytes cut]');
    expect(cutOutput('añ€😀', 10)).toBe('añ€😀');
  });

  test.each(['\u0001', '"', '\n', 'x', '€', '😀', '\ud800', '\u007f', '\u000b'])(
    'a script of many commands fits, were all its output %j',
    (character) => {
      const text = character.repeat(70_000);
      const results = Array.from({ length: 200 }, () => result(text, text));
      const fitted = fitScriptResults(results, 65_536);
      expect(size(fitted)).toBeLessThan(1_250_000);
      expect(size(fitted)).toBeGreaterThan(1_000_000);
      for (const { stdout } of fitted) expect(stdout).toMatch(/\n… \[\d+ bytes cut\]$/);
    },
  );

  test('short outputs stay whole beside long ones, and a cut is told once and rightly', () => {
    const results = [result('short'), result('y'.repeat(3_000_000)), result('also short')];
    const [short, long, other] = fitScriptResults(results, 2_000_000);
    expect([short?.stdout, other?.stdout]).toEqual(['short', 'also short']);
    const [, kept = '', cut] = /^(y+)\n… \[(\d+) bytes cut\]$/.exec(long?.stdout ?? '') ?? [];
    expect(kept.length + Number(cut)).toBe(3_000_000);
    expect(kept.length).toBeGreaterThan(1_000_000);
  });

  test('the largest of jobs fits into one payload, whatever it prints and however often it fails', () => {
    const line = 'x'.repeat(500);
    const attempt = {
      ...{ attempt: 1, provider: { id: `0x${'a'.repeat(40)}`, name: 'n'.repeat(100) } },
      ...{ agreementId: 'a'.repeat(64), activityId: 'b'.repeat(32), batchId: 'c'.repeat(32) },
      ...{ startedAt: AT, finishedAt: AT, state: 'failed' as const, reason: line },
    };
    const tasks = Array.from({ length: 500 }, (_, i): TaskResult => ({
      ...{ name: `task-${i}`, state: 'failed', provider: attempt.provider, startedAt: AT, finishedAt: AT },
      results: [0, 1, 2].map((index) => ({ ...result('\u0001'.repeat(512), '\u0002'.repeat(512)), index })),
      attempts: Array.from({ length: 100 }, (_each, n) => ({ ...attempt, attempt: n + 1 })),
      failure: { type: 'CommandFailed', message: line },
    }));
    const fitted = fitTaskResults(tasks);
    expect(size(fitted)).toBeLessThan(2_000_000);
    expect(fitted).toHaveLength(500);
    expect(fitted[0]?.results).toHaveLength(3);
    expect(fitted[0]?.attempts.at(-1)?.attempt).toBe(100);
  });

  test('a job of ordinary size is left as it is', () => {
    const task: TaskResult = {
      name: 'a',
      state: 'done',
      results: [result('x'.repeat(60_000))],
      attempts: [],
    };
    expect(fitTaskResults([task])).toEqual([task]);
  });
});
