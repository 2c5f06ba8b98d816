/** What a job has come to, as lines to read: how each task ended, and the end of what it printed. */
import { foreignText } from '../model/foreign-text';
import type { JobResult, TaskResult } from '../model/result';
import { partUrl } from '../model/task-file';
import { CliError } from './failure';

/** Lines of a task's output that are shown; all of it is in the result. */
const LINES_SHOWN = 10;
/** Of more tasks only those that failed are named, so many of them. */
const TASKS_SHOWN = 50;
const FAILED_SHOWN = 10;

/** How each task ended, and below it the end of what its commands printed. */
export function resultLines({ tasks, results }: JobResult): string[] {
  const { to, parts = 0, tasks: count, firstFailed = [] } = results ?? {};
  const where = to === undefined || parts === 0 ? '' : `: ${partUrls(to, parts)}`;
  const written = count
    ? [
        `${count.done} tasks done, ${count.failed} failed, ${count.cancelled} cancelled: results in ${parts} ${parts === 1 ? 'part' : 'parts'}${where}`,
      ]
    : [];
  return [...linesOfTasks([...tasks, ...firstFailed]), ...written];
}

function linesOfTasks(tasks: readonly TaskResult[]): string[] {
  if (tasks.length <= TASKS_SHOWN) return tasks.flatMap(linesOfTask);
  const states = [...new Set(tasks.map(({ state }) => state))];
  const counts = states.map((state) => `${tasks.filter((task) => task.state === state).length} ${state}`);
  const failed = tasks.filter(({ state }) => state !== 'done').slice(0, FAILED_SHOWN);
  return [...failed.flatMap(linesOfTask), `${tasks.length} tasks: ${counts.join(', ')}`];
}

function linesOfTask(task: TaskResult): string[] {
  const where = task.provider ? ` on ${task.provider.name}` : '';
  const why = task.failure ? `: ${task.failure.type}: ${task.failure.message}` : '';
  const printed = task.results.flatMap(({ stdout, stderr }) => [stdout ?? '', stderr ?? '']);
  const lines = foreignLines(printed.join(''));
  return [
    `${task.name}: ${task.state}${where}${why}`,
    ...lines.slice(-LINES_SHOWN).map((line) => `  ${line}`),
  ];
}

/** What a provider's commands printed, without what would steer the terminal. */
function foreignLines(text: string): string[] {
  return text.trimEnd() === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => foreignText(line));
}

/** @throws CliError - not all of it is done */
export function requireDone(result: JobResult): void {
  if (result.state === 'done') return;
  const { jobId, tasks, results } = result;
  const failed = tasks.filter((task) => task.state !== 'done');
  const count = results?.tasks;
  const bad = count ? count.failed + count.cancelled : failed.length;
  const all = count ? count.done + bad : tasks.length;
  const first = (results?.firstFailed ?? failed)[0]?.failure ?? result.failure;
  const reason = first ? `: ${first.type}: ${first.message}` : '';
  throw new CliError(`job ${jobId} failed, ${bad} of ${all} tasks${reason}`);
}

function partUrls(to: string, parts: number): string {
  if (!to.includes('{part}')) return to;
  return parts === 1 ? partUrl(to, 1) : `${partUrl(to, 1)} to ${partUrl(to, parts)}`;
}
