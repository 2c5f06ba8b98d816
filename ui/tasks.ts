/**
 * The tasks of a job as far as they are known: while it runs from the scripts that were sent for them, in the end from
 * its result. Of tasks that were not begun yet only the count is known.
 */
import type { JobEvent } from '../client/index';
import type { Timestamp } from '../model/ids';
import type { JobResult, ProviderInfo, RentalProgress, TaskResult } from '../model/result';
import { agreementOf, textIn } from './event-fields';

export interface TaskRow {
  name: string;
  /** While the job runs, how its newest script ended: a failed one may be tried again. */
  state: 'running' | 'done' | 'failed' | 'cancelled';
  attempts: number;
  provider?: ProviderInfo;
  startedAt?: Timestamp;
  finishedAt?: Timestamp;
  /** Why it failed, one line. */
  failure?: string;
}

export interface Tasks {
  /** `events`: not all of a running job's; `result`: all of them, or of a file's those that could not be written. */
  from: 'events' | 'result';
  rows: TaskRow[];
  /** Of tasks in a file: how many parts of results were written. */
  parts?: number;
}

export function tasksOf(
  events: readonly JobEvent[],
  rentals: readonly RentalProgress[],
  result: JobResult | undefined,
): Tasks {
  if (!result) return { from: 'events', rows: rowsOfEvents(events, rentals) };
  const { tasks, results } = result;
  if (!results) return { from: 'result', rows: tasks.map(rowOf) };
  const told = new Map([...results.firstFailed, ...tasks].map((task) => [task.name, rowOf(task)]));
  const seen = rowsOfEvents(events, rentals).filter(({ name }) => !told.has(name));
  return { from: 'events', rows: [...told.values(), ...seen], parts: results.parts };
}

/** Tasks by the batch ids of their scripts. */
export function tasksByBatch(result: JobResult | undefined): Map<string, string> {
  const tasks = new Map<string, string>();
  for (const { name, attempts } of result?.tasks ?? [])
    for (const { batchId, earlierBatches = [] } of attempts)
      for (const id of [...earlierBatches, batchId]) if (id !== undefined) tasks.set(id, name);
  return tasks;
}

function rowOf({ name, state, attempts, provider, startedAt, finishedAt, failure }: TaskResult): TaskRow {
  return {
    ...{ name, state, attempts: attempts.length, provider, startedAt, finishedAt },
    failure: failure && `${failure.type}: ${failure.message}`,
  };
}

function rowsOfEvents(events: readonly JobEvent[], rentals: readonly RentalProgress[]): TaskRow[] {
  const rows = new Map<string, TaskRow>();
  const running = new Map<string, TaskRow>();
  const providers = new Map(rentals.map(({ agreementId, provider }) => [agreementId, provider]));
  for (const event of events) {
    const { name, at, details } = event;
    const task = textIn(details, 'task');
    const batchId = textIn(details, 'batchId');
    if (batchId === undefined) continue;
    if (name === 'ScriptSent' && task !== undefined) {
      const before = rows.get(task);
      const row: TaskRow = {
        ...{ name: task, state: 'running', attempts: (before?.attempts ?? 0) + 1 },
        provider: providers.get(agreementOf(event)),
        startedAt: before?.startedAt ?? at,
      };
      rows.set(task, row);
      running.set(batchId, row);
    }
    const ended = name === 'ScriptExecuted' ? running.get(batchId) : undefined;
    if (!ended) continue;
    running.delete(batchId);
    ended.state = details.success === true ? 'done' : 'failed';
    ended.finishedAt = at;
  }
  return [...rows.values()];
}
