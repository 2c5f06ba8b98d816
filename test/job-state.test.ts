/** Decisions of a job, without Temporal: pure functions over plain state. */
import type { TaskSpec } from '../model/job';
import type { Assignment, AssignmentOutcome, RentalUpdate } from '../workflows/protocol';
import { bookRefusals } from '../workflows/state/broken-faith';
import { BrokenStarts } from '../workflows/state/broken-starts';
import {
  addRental,
  addTasks,
  allTasksOver,
  applyOutcome,
  applyRentalUpdate,
  assign,
  cancelOpenTasks,
  countTasks,
  forgivableProviders,
  forgive,
  getsOn,
  isInteractiveOver,
  isUseful,
  newJobState,
  providersToAvoid,
  rentalProgress,
  rentalsToClose,
  rentalsWanted,
  takeFinished,
  taskResults,
  tellDone,
  type JobState,
  type RentalEntry,
} from '../workflows/state/job-state';

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
    /** Two rentals whose VMs are up, each with a task. */
    twoAtWork(): [RentalEntry, RentalEntry] {
      const [p, q] = [this.rent('p'), this.rent('q')];
      this.give(p);
      this.give(q);
      this.ready(p);
      this.ready(q);
      return [p, q];
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

  test('that is interactive ends with its rental, if that had a VM or its user told it to end', () => {
    const ended = (...updates: Partial<RentalUpdate>[]): boolean => {
      const job = new Job();
      const rental = job.rent('p');
      for (const update of updates) job.tell(rental, update);
      expect(isInteractiveOver(job.state)).toBe(false);
      job.tell(rental, { state: 'closed' });
      return isInteractiveOver(job.state);
    };
    expect(ended({ state: 'deploying' }, { state: 'closing' })).toBe(false);
    expect(ended({ state: 'ready' }, { state: 'closing' })).toBe(true);
    expect(ended({ state: 'deploying' }, { state: 'closing', isTerminated: true })).toBe(true);
    // One that its job gave up before is no user's.
    const job = new Job();
    const rental = job.rent('p');
    rental.closing = true;
    job.tell(rental, { state: 'closing', isTerminated: true });
    job.tell(rental, { state: 'closed' });
    expect(isInteractiveOver(job.state)).toBe(false);
  });

  test('gives a rental one task at a time, and the next when that is over', () => {
    const job = new Job(spec('a'), spec('b'));
    const rental = job.rent('p');
    expect(job.give(rental)).toEqual({
      ...{ id: 'a#1', task: 'a', commands: [{ run: 'a' }] },
      ...{ timeoutSec: 60, onUncertain: 'freshVm', vmsDied: 0 },
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

  test('an attempt whose rental went without a word says in which VM it was', () => {
    const job = new Job(spec('a'));
    const p = job.rent('p');
    job.give(p);
    job.tell(p, { state: 'ready', activityId: 'vm' });
    job.tell(p, { state: 'failed' });
    expect(job.state.tasks[0]?.attempts).toMatchObject([{ state: 'lost', activityId: 'vm' }]);
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
    const [p, q] = job.twoAtWork();
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
    const [p, q] = job.twoAtWork();
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
    const [p] = job.twoAtWork();
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

  describe('a task that the end of an agreement has cut short', () => {
    const checkpoint = { files: ['/golem/work/x'], to: 'files:/x', everySec: 5 };
    const expired = { expired: true, reason: 'agreement Expired' };
    const cut = (job: Job, more: Partial<AssignmentOutcome> = {}): Assignment | undefined => {
      const rental = job.rent(`p${job.state.rentals.length}`);
      const given = job.give(rental);
      job.ready(rental);
      job.end(rental, 'lost', { ...expired, ...more });
      return given;
    };

    test('goes on elsewhere as long as checkpoints are stored, in what is left of its time', () => {
      const job = new Job(spec('a', { maxAttempts: 1, timeoutSec: 150, checkpoint }));
      expect(cut(job, { checkpoints: 2 })).toMatchObject({ timeoutSec: 150, restore: false });
      expect(cut(job, { checkpoints: 1 })).toMatchObject({ timeoutSec: 90, restore: true, stored: true });
      expect(job.give(job.rent('p'))).toMatchObject({ timeoutSec: 30, stored: true });
      expect(job.state.tasks[0]).toMatchObject({ attempts: [], failures: 0 });
    });

    test.each([{ checkpoint }, {}])('and gets nowhere has failed, but for the first time (%j)', (more) => {
      const job = new Job(spec('a', { maxAttempts: 2, ...more }));
      cut(job);
      expect(job.state.tasks[0]).toMatchObject({ state: 'waiting', failures: 0 });
      cut(job);
      expect(job.state.tasks[0]).toMatchObject({ state: 'waiting', failures: 1 });
      expect(cut(job)).toMatchObject({ timeoutSec: 60 });
      expect(job.states).toEqual(['failed']);
      expect(job.state.tasks[0]?.failure?.message).toMatch(/^agreement Expired/);
    });

    test('has all of its time again in an attempt after a failure', () => {
      const job = new Job(spec('a', { timeoutSec: 150, checkpoint }));
      cut(job, { checkpoints: 1 });
      expect(cut(job, { expired: undefined })).toMatchObject({ timeoutSec: 90 });
      expect(job.give(job.rent('q'))).toMatchObject({ timeoutSec: 150, stored: true });
    });
  });

  describe('a VM that died, when a fresh one takes its place', () => {
    const group = () => [spec('a', { vm: 'x' }), spec('b', { vm: 'x' })];

    test('takes the group again from its first task, at the cost of an attempt', () => {
      const job = new Job(...group());
      const p = job.rent('p');
      job.give(p);
      job.ready(p);
      job.end(p, 'done');
      expect(job.give(p)).toMatchObject({ task: 'b', vmsDied: 0 });
      job.end(p, 'lost', { vmsDied: 1 });
      expect(job.states).toEqual(['waiting', 'waiting']);
      expect(job.give(job.rent('q'))).toBeUndefined();
      expect(job.give(p)).toMatchObject({ task: 'a', vmsDied: 1 });
      expect(job.state.tasks.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
    });

    test('idle, takes the group again from its first task, at no cost', () => {
      const job = new Job(...group());
      const p = job.rent('p');
      job.give(p);
      job.ready(p);
      job.end(p, 'done');
      job.tell(p, { state: 'ready', vmsDied: 1 });
      expect(job.give(p)).toMatchObject({ task: 'a', vmsDied: 1 });
      expect(job.state.tasks[0]?.failures).toBe(0);
    });

    test('with a task on its way to it, has that given back, and then begins again', () => {
      const job = new Job(...group());
      const p = job.rent('p');
      job.give(p);
      job.ready(p);
      job.end(p, 'done');
      job.give(p);
      job.tell(p, { state: 'ready', vmsDied: 1 });
      expect(job.states).toEqual(['done', 'running']);
      job.end(p, 'returned', { vmsDied: 1 });
      expect(job.give(p)).toMatchObject({ task: 'a', vmsDied: 1 });
    });

    test('and no fresh one comes, sends the group elsewhere', () => {
      const job = new Job(...group());
      const p = job.rent('p');
      job.give(p);
      job.ready(p);
      job.end(p, 'lost');
      expect(job.give(p)).toBeUndefined();
      expect(job.give(job.rent('q'))).toMatchObject({ task: 'a', vmsDied: 0 });
    });

    test('leaves what is done and needs no more files as it is', () => {
      const job = new Job(spec('a'), spec('b'));
      const p = job.rent('p');
      job.give(p);
      job.ready(p);
      job.end(p, 'done');
      job.tell(p, { state: 'ready', vmsDied: 1 });
      expect(job.states).toEqual(['done', 'waiting']);
      expect(job.give(p)).toMatchObject({ task: 'b', vmsDied: 1 });
    });
  });

  test.each([
    ['after it had signed may have been at its task, which is lost', 'creating', 'lost'],
    ['before it had signed gives its task back', 'signing', undefined],
  ] as const)('a rental that is gone without a word %s', (_, state, how) => {
    const job = new Job(spec('a'));
    const p = job.rent('p');
    job.give(p);
    const signed = state === 'creating' ? { agreementId: 'a' } : { agreementId: undefined };
    job.tell(p, { state, ...signed });
    const gone = { rental: p.n, seq: Number.MAX_SAFE_INTEGER, state: 'failed', reason: 'gone' } as const;
    expect(applyRentalUpdate(job.state, gone, LATER, true)?.state).toBe(how);
    expect(job.states).toEqual(['waiting']);
    expect(taskResults(job.state)[0]?.attempts).toHaveLength(how ? 1 : 0);
  });

  test('a provider whose bill was refused gets no more work, whoever else is on the market', () => {
    const job = new Job(spec('a'));
    bookRefusals(job.state.conduct, [{ provider: { id: '0xp', name: 'p' }, reason: 'too much' }]);
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
    random = 1;
    /** Opens so many side by side, all of which break. */
    wave(count: number, type: string, setupFailed = false): void {
      const first = this.newest + 1;
      this.newest += count;
      for (let rental = first; rental <= this.newest; rental++) {
        const failure = { type, message: `${type} of ${rental}` };
        this.add({ rental, newest: this.newest, failure, setupFailed }, NOW_MS, () => this.random);
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
      starts.random = 0;
      expect(starts.waves(1, type).pauseMs(NOW_MS)).toBe(15_000);
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

describe('tasks of a file', () => {
  const spec = (name: string, vm?: string): TaskSpec => ({
    ...{ name, vm: vm ?? `own:${name}`, vmShared: vm !== undefined, commands: [{ run: name }] },
    ...{ timeoutSec: 60, maxAttempts: 2, onUncertain: 'freshVm' },
  });
  const p = { id: '0xp', name: 'p' };

  function begin(...specs: TaskSpec[]): { state: JobState; rental: RentalEntry } {
    const state = newJobState([], { ahead: specs.length + 5 });
    addTasks(state, specs);
    const rental = addRental(state, 1, 'job/rental/1', p, NOW_MS + 1_800_000);
    applyRentalUpdate(state, { rental: 1, seq: 1, state: 'ready', agreementId: 'a' }, AT);
    return { state, rental };
  }

  function run(state: JobState, rental: RentalEntry, how: AssignmentOutcome['state'], stdout = 'out'): void {
    assign(state, rental, AT);
    const result = { index: 0, result: 'Ok' as const, stdout, stderr: null, message: null };
    applyOutcome(state, {
      ...{ rental: rental.n, id: rental.currentId ?? '', task: '', state: how, results: [result] },
      ...{ startedAt: AT, finishedAt: LATER },
    });
  }

  test('are counted before they are read, and after they are over', () => {
    const { state, rental } = begin(spec('a'), spec('b'), spec('c'));
    expect(countTasks(state)).toEqual({ total: 8, waiting: 8, running: 0, done: 0, failed: 0 });
    run(state, rental, 'done');
    assign(state, rental, AT);
    expect(takeFinished(state).map((task) => task.spec.name)).toEqual(['a']);
    expect(state.tasks.map((task) => task.spec.name)).toEqual(['b', 'c']);
    expect(countTasks(state)).toEqual({ total: 8, waiting: 6, running: 1, done: 1, failed: 0 });
    expect(allTasksOver(state)).toBe(false);
    cancelOpenTasks(state, LATER);
    takeFinished(state);
    expect(countTasks(state)).toEqual({ total: 8, waiting: 0, running: 0, done: 1, failed: 7 });
  });

  test('that run keep their place when others are taken out', () => {
    const { state, rental } = begin(spec('a'), spec('b'));
    run(state, rental, 'done');
    assign(state, rental, AT);
    takeFinished(state);
    applyOutcome(state, {
      ...{ rental: 1, id: 'b#1', task: 'b', state: 'done', results: [] },
      ...{ startedAt: AT, finishedAt: LATER },
    });
    expect(takeFinished(state).map((task) => [task.spec.name, task.state])).toEqual([['b', 'done']]);
  });

  test('of one vm are told as each is done, and no second time when the VM is lost', () => {
    const { state, rental } = begin(spec('a', 'one'), spec('b', 'one'));
    run(state, rental, 'done');
    expect(takeFinished(state)).toEqual([]);
    expect(tellDone(state).map((task) => [task.spec.name, task.results[0]?.stdout])).toEqual([['a', 'out']]);
    expect(state.tasks[0]).toMatchObject({ results: [], attempts: [] });
    run(state, rental, 'lost');
    expect(state.tasks.map((task) => task.state)).toEqual(['waiting', 'waiting']);
    const other = addRental(state, 2, 'job/rental/2', { id: '0xq', name: 'q' }, NOW_MS + 1_800_000);
    applyRentalUpdate(state, { rental: 2, seq: 1, state: 'ready', agreementId: 'b' }, AT);
    run(state, other, 'done');
    expect(tellDone(state)).toEqual([]);
    run(state, other, 'failed');
    expect(takeFinished(state).map((task) => [task.spec.name, task.state])).toEqual([['b', 'failed']]);
    expect(state.past).toEqual({ done: 1, failed: 1, cancelled: 0 });
  });
});
