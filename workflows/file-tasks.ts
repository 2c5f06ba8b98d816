/**
 * The tasks of a job that are in a file, and their results: reads the next page when few are left to begin, writes what
 * is finished in parts, and begins no more than it can keep the results of. What it holds does not grow with the file.
 */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { TasksCursor } from '../activities/contract';
import { backoffMs } from '../model/backoff';
import type { TaskFile } from '../model/job';
import type { JobResult, TaskResult } from '../model/result';
import { fitTasks, jsonSize } from '../model/result-size';
import {
  ATTEMPTS_TOLD,
  PAGE_JSON,
  PAGE_TASKS,
  PART_JSON,
  PART_TASKS,
  RESULTS_JSON,
  resultJson,
} from '../model/task-file';
import { readingTasks, writingLastResults, writingResults } from './activity-options';
import { namedFailure, type NamedFailure } from './failure-type';
import {
  addTasks,
  allTasksOver,
  freeGroups,
  openTasksOver,
  takeFinished,
  tellDone,
  taskResult,
  type JobState,
  type TaskState,
} from './state/job-state';

/** What the next run of the job is given. Plain data. */
export interface CarriedFileTasks {
  cursor: TasksCursor;
  /** Why no more can be read. */
  failure?: NamedFailure;
  /** Finished and not written. */
  kept: TaskResult[];
  /** Parts that were written. */
  parts: number;
  /** How many of `kept` are the part that is being written: it stays the same, however often it is tried. */
  partTasks: number;
  firstFailed: TaskResult[];
  /** Since when all tasks are over, ms since the epoch. */
  overSinceMs?: number;
  /** The last part could not be written for so long that it is not tried any more. */
  gaveUp: boolean;
}

export interface FileTasksOwner {
  file: TaskFile;
  /** Most rentals at a time. */
  rentals: number;
  outputLimitBytes: number;
  state: JobState;
  /** The job has to look again. */
  changed(): void;
  failed(type: string, message: string): void;
}

const FAILED_TOLD = 20;
/** Of each of them: that much JSON of outputs, and the results of that many commands, the last. */
const FAILED_JSON = 3_000;
const FAILED_COMMANDS = 3;
const FIRST_RETRY = { firstMs: 1_000, longestMs: 60_000 };
/** All tasks are over, and their results are not taken. */
const LAST_PART_WAIT_MS = 24 * 3_600_000;

const NOTHING_READ: CarriedFileTasks = {
  ...{ cursor: { offset: 0, line: 1 }, kept: [], parts: 0, partTasks: 0, firstFailed: [], gaveUp: false },
};

export class FileTasks {
  private readonly scope = new CancellationScope();
  private reading = false;
  private writing = false;
  private failures = 0;
  private readonly now: CarriedFileTasks;
  private keptJson: number;

  constructor(
    private readonly owner: FileTasksOwner,
    carried: CarriedFileTasks = NOTHING_READ,
  ) {
    this.now = { ...carried };
    this.keptJson = carried.kept.reduce((sum, result) => sum + jsonSize(result), 0);
  }

  /** To be called whenever something may have changed. */
  tend(): void {
    const { state } = this.owner;
    this.keepFinished();
    if (allTasksOver(state)) this.now.overSinceMs ??= Date.now();
    if (!this.reading && this.wantsMore()) {
      this.reading = true;
      void this.scope.run(() => this.read()).catch(() => undefined);
    }
    if (!this.writing && this.isPartDue()) {
      this.writing = true;
      void this.scope.run(() => this.write()).catch(() => undefined);
    }
  }

  /** Whether one more task may begin: its results will find room. */
  get hasRoom(): boolean {
    return this.roomFor(1) > 0;
  }

  /** How many tasks more may begin. */
  roomFor(atMost: number): number {
    const { state } = this.owner;
    const open = state.tasks.filter(({ state: how }) => how === 'running' || how === 'waiting');
    const running = open.filter(({ state: how }) => how === 'running').map((task) => this.roomOf(task));
    const next = Math.max(1, ...open.map((task) => this.roomOf(task)));
    const left = RESULTS_JSON - running.reduce((sum, json) => sum + json, this.keptJson);
    return Math.max(0, Math.min(atMost, Math.floor(left / next)));
  }

  /** More tasks come, so that rentals had better be kept. */
  get hasMore(): boolean {
    return this.owner.state.ahead > 0 && !this.now.failure;
  }

  /** Results are not taken, and nothing can begin before they are. */
  get isStuck(): boolean {
    return this.failures > 0 && !this.hasRoom;
  }

  /** Everything that can be done is done. */
  get isOver(): boolean {
    const { kept, gaveUp } = this.now;
    return this.isRead && (kept.length === 0 || gaveUp);
  }

  /** Why not all tasks can be done, once those that were read are. */
  get failure(): NamedFailure | undefined {
    return this.isOver ? this.now.failure : undefined;
  }

  /** There when results are left that could not be written, after {@link finish}. */
  get unwritten(): NamedFailure | undefined {
    const { length } = this.now.kept;
    if (length === 0) return undefined;
    const message = `results of ${length} tasks could not be written, and are in the result of the job`;
    return { type: 'ResultsNotWritten', message };
  }

  /** Takes what is finished out of the job's state before. */
  carry(): CarriedFileTasks {
    this.keepFinished();
    return { ...this.now };
  }

  /** Ends what is under way: the next run can begin it anew. */
  stop(): void {
    this.scope.cancel();
  }

  /** Writes the rest, at the end of the job, if that can be done in short time. */
  async finish(): Promise<void> {
    this.stop();
    this.keepFinished();
    try {
      while (this.now.kept.length > 0 && !this.now.gaveUp) await this.writePart(writingLastResults);
    } catch (error) {
      const { type, message } = namedFailure(error);
      this.owner.failed(type, message);
    }
  }

  /** Results that could not be written, and what became of all tasks. */
  result(): Required<Pick<JobResult, 'tasks' | 'results'>> {
    const { kept, parts, firstFailed } = this.now;
    const { file, state } = this.owner;
    return {
      tasks: kept,
      results: { to: file.resultsTo.split('?')[0], parts, tasks: { ...state.past }, firstFailed },
    };
  }

  private get isRead(): boolean {
    const { state } = this.owner;
    return allTasksOver(state) || (this.now.failure !== undefined && openTasksOver(state));
  }

  private roomOf({ spec }: TaskState): number {
    return resultJson(spec, this.owner.outputLimitBytes);
  }

  private wantsMore(): boolean {
    const { state, rentals } = this.owner;
    if (!this.hasMore) return false;
    const json = state.tasks.reduce((sum, task) => sum + (task.json ?? 0), 0);
    return json <= PAGE_JSON && freeGroups(state).length < 2 * rentals;
  }

  private async read(): Promise<void> {
    const { file, state, changed } = this.owner;
    try {
      const page = await readingTasks.golemReadTasks({
        ...{ file, cursor: this.now.cursor, maxTasks: PAGE_TASKS, maxJson: PAGE_JSON },
      });
      addTasks(state, page.tasks);
      this.now.cursor = page.cursor;
      if (page.isEnd !== (state.ahead === 0))
        this.now.failure = { type: 'TasksChanged', message: 'the file of tasks has other tasks than before' };
    } catch (error) {
      if (isCancellation(error)) throw error;
      this.now.failure = namedFailure(error);
    }
    this.reading = false;
    const { failure } = this.now;
    if (failure) this.owner.failed(failure.type, failure.message);
    changed();
  }

  private keepFinished(): void {
    const { state } = this.owner;
    for (const task of takeFinished(state)) this.keep(task);
    for (const task of tellDone(state)) this.keep(task);
  }

  /** A result takes no more room than was kept for it. */
  private keep(task: TaskState): void {
    if (task.state === 'cancelled') return;
    const told = { ...taskResult(task), attempts: task.attempts.slice(-ATTEMPTS_TOLD) };
    const json = this.roomOf(task);
    const [result] = fitTasks([told], { json, frameJson: json });
    if (!result) return;
    this.now.kept = [...this.now.kept, result];
    this.keptJson += jsonSize(result);
    if (result.state !== 'failed' || this.now.firstFailed.length >= FAILED_TOLD) return;
    const short = { ...result, results: result.results.slice(-FAILED_COMMANDS) };
    const fitting = fitTasks([short], { json: FAILED_JSON, frameJson: FAILED_JSON });
    this.now.firstFailed = [...this.now.firstFailed, ...fitting];
  }

  private isPartDue(): boolean {
    const { kept, partTasks, gaveUp } = this.now;
    if (kept.length === 0 || gaveUp) return false;
    return partTasks > 0 || kept.length >= PART_TASKS || this.keptJson >= PART_JSON || this.isRead;
  }

  /** Writes one part, however long it takes. */
  private async write(): Promise<void> {
    for (;;) {
      try {
        await this.writePart(writingResults);
        this.failures = 0;
        this.writing = false;
        this.owner.changed();
        return;
      } catch (error) {
        if (isCancellation(error)) throw error;
        this.failures += 1;
        const { type, message } = namedFailure(error);
        this.owner.failed(type, message);
        const { overSinceMs = Infinity } = this.now;
        if (Date.now() - overSinceMs > LAST_PART_WAIT_MS) this.now.gaveUp = true;
        this.writing = !this.now.gaveUp;
        this.owner.changed();
        if (!this.writing) return;
        await sleep(backoffMs(this.failures - 1, FIRST_RETRY, Math.random));
      }
    }
  }

  private async writePart(writing: typeof writingResults): Promise<void> {
    const { kept, parts } = this.now;
    this.now.partTasks ||= Math.min(kept.length, PART_TASKS);
    const results = kept.slice(0, this.now.partTasks);
    await writing.golemWriteResults({ to: this.owner.file.resultsTo, part: parts + 1, results });
    this.now.parts += 1;
    this.now.partTasks = 0;
    // More may have come meanwhile.
    this.now.kept = this.now.kept.slice(results.length);
    this.keptJson -= results.reduce((sum, result) => sum + jsonSize(result), 0);
  }
}
