/** Files of tasks: checked whole before a job begins, read page by page while it runs, and results written in parts. */
import type { JobSpec, TaskFile, TaskSpec } from '../model/job';
import { jsonSize } from '../model/result-size';
import type { UnreadTaskFile } from '../model/spec';
import { outputLimitOfFile, partUrl } from '../model/task-file';
import {
  MAX_FILE_TASKS,
  MAX_LINE_BYTES,
  readTaskLine,
  TaskLinesCheck,
  type TaskLine,
} from '../model/task-lines';
import { attempt } from './attempt';
import type { GolemActivities, ReadTasksInput, TasksPage } from './contract';
import { isSameVersion, linesOf, openFile, putFile, withoutQuery, type FileLine } from './web-file';
import { unservedFileOfTask } from './worker-files';
import { failure } from './yagna';

/** So many mistakes are told at once. */
const MAX_PROBLEMS = 50;
const WRITING_MS = 60_000;

export const taskFileActivities: Pick<GolemActivities, 'golemReadTasks' | 'golemWriteResults'> = {
  /**
   * Reads a file of tasks on from a cursor.
   *
   * Effect: none.
   * @throws TasksChanged - the file is not what it was (not retried)
   * @throws TasksNotFound - (not retried)
   * @throws TasksUnavailable - (retried with backoff)
   */
  async golemReadTasks(input) {
    return await attempt(async ({ signal }) => {
      const stop = new AbortController();
      try {
        return await readPage(input, AbortSignal.any([signal, stop.signal]));
      } finally {
        stop.abort();
      }
    });
  },

  /**
   * Writes one part of the results, a JSON object a line.
   *
   * Effect: the part is there, by HTTP PUT.
   * Retry: writes the same again.
   * @throws ResultsNotWritten - (retried with backoff)
   */
  async golemWriteResults({ to, part, results }) {
    return await attempt(async ({ signal }) => {
      const content = results.map((result) => `${JSON.stringify(result)}\n`).join('');
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(WRITING_MS)]);
      await putFile(partUrl(to, part), content, inTime);
    });
  },
};

/**
 * Reads a file of tasks from its first line to its last, and checks all of it.
 * @throws InvalidJobSpec - every problem with its line, up to some (not retried)
 * @throws TasksNotFound, TasksUnavailable - see {@link openFile}
 */
export async function scanTaskFile(
  { outputLimitBytes, ...unread }: UnreadTaskFile,
  { providers }: Pick<JobSpec, 'providers'>,
  { servesFiles }: { servesFiles: boolean },
  signal: AbortSignal,
): Promise<{ taskFile: TaskFile; outputLimitBytes: number }> {
  const stop = new AbortController();
  const { version, chunks } = await openFile(unread.from, 0, AbortSignal.any([signal, stop.signal]));
  const problems: string[] = [];
  const check = new TaskLinesCheck();
  let size = 0;
  try {
    for await (const line of linesOf(chunks, { offset: 0, line: 1 }, MAX_LINE_BYTES)) {
      size = line.end;
      const read = readLine(line, unread.availableSec);
      if (!read) continue;
      problems.push(...read.problems);
      if (read.task) problems.push(...check.add(read.task, line.line));
      const unserved = read.task && !servesFiles ? unservedFileOfTask(read.task) : undefined;
      if (unserved) problems.push(`tasks line ${line.line}: ${unserved}`);
      if (check.count > MAX_FILE_TASKS)
        problems.push(`tasks: are more than ${MAX_FILE_TASKS}; start several jobs`);
      if (problems.length > MAX_PROBLEMS || check.count > MAX_FILE_TASKS) {
        problems.push(`tasks: what comes after line ${line.line} was not checked`);
        break;
      }
    }
  } finally {
    stop.abort();
  }
  const most = outputLimitOfFile(providers.max, check.mostCommands);
  if (check.count === 0 && problems.length === 0)
    problems.push(`tasks.from: ${withoutQuery(unread.from)} has no tasks; give at least one line`);
  if (outputLimitBytes !== undefined && outputLimitBytes > most)
    problems.push(
      `outputLimitBytes: with ${providers.max} providers and ${check.mostCommands} commands a task at most ${most}; let tasks transfer large outputs`,
    );
  if (problems.length > 0) throw failure('InvalidJobSpec', problems.join('\n'), problems);
  const { etag, lastModified } = version;
  return {
    taskFile: { ...unread, version: { etag, lastModified, size }, count: check.count },
    outputLimitBytes: outputLimitBytes ?? most,
  };
}

/** Undefined where there is nothing in the line. */
function readLine({ text, line }: FileLine, availableSec: number): TaskLine | undefined {
  if (text === undefined) {
    const problem = `tasks line ${line}: is longer than ${MAX_LINE_BYTES} bytes, or no UTF-8`;
    return { problems: [`${problem}; let the task fetch its data by transfer`] };
  }
  return text.trim() === '' ? undefined : readTaskLine(text, line, availableSec);
}

async function readPage(
  { file, cursor, maxTasks, maxJson }: ReadTasksInput,
  signal: AbortSignal,
): Promise<TasksPage> {
  const changed = () =>
    failure('TasksChanged', `${withoutQuery(file.from)} is not the file that it was when the job began`);
  const { version, chunks } = await openFile(file.from, cursor.offset, signal);
  if (!isSameVersion(file.version, version)) throw changed();
  const tasks: TaskSpec[] = [];
  /** Where the page may end: no tasks of one VM are parted. */
  let whole = { count: 0, cursor };
  let json = 0;
  let after = cursor;
  for await (const line of linesOf(chunks, cursor, MAX_LINE_BYTES)) {
    const read = readLine(line, file.availableSec);
    const before = after;
    after = { offset: line.end, line: line.line + 1 };
    if (!read) continue;
    const { task } = read;
    if (!task) throw changed();
    const last = tasks.at(-1);
    const isMate = task.vmShared && last?.vmShared === true && last.vm === task.vm;
    if (!isMate) whole = { count: tasks.length, cursor: before };
    json += jsonSize(task);
    const isFull = json > maxJson || (!isMate && tasks.length >= maxTasks);
    if (isFull && whole.count > 0) {
      return { tasks: tasks.slice(0, whole.count), cursor: whole.cursor, isEnd: false };
    }
    tasks.push(task);
  }
  if (after.offset !== file.version.size) throw changed();
  return { tasks, cursor: after, isEnd: true };
}
