/** Runs `golemReconcile` once, and has Temporal run it again and again. */
import { randomUUID } from 'node:crypto';
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  WorkflowFailedError,
  type Client,
} from '@temporalio/client';
import { DEFAULT_CONNECTION, DEFAULT_TASK_QUEUE } from '../model/ids';
import type { ReconcileInput, ReconcileResult } from '../model/reconcile';
import { namedCause } from './errors';

export interface ReconcileTarget {
  client: Client;
  /** Of the worker whose yagna is meant. Default `golem`. */
  taskQueue?: string;
}

/** Of a run that a schedule has missed, because Temporal was down, only one this new is made up for. */
const CATCH_UP_MS = 60_000;

/** Of a schedule's run: while one is under way no other begins, and one that hung would be the last. */
const RUN_LIMIT = '2 h';

/**
 * Looks once for what yagna holds of jobs that nobody looks after, and has it closed unless `dryRun` is set.
 * @returns what was found, and the workflow ids of the settlements that close it: they go on alone
 * @throws ApplicationFailure by its type - `UnknownConnection`: the worker has no such connection
 */
export async function reconcile(
  { client, taskQueue = DEFAULT_TASK_QUEUE }: ReconcileTarget,
  input: ReconcileInput = {},
): Promise<ReconcileResult> {
  try {
    return (await client.workflow.execute('golemReconcile', {
      workflowId: `golem-reconcile-${randomUUID()}`,
      taskQueue,
      args: [input],
    })) as ReconcileResult;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    throw namedCause(error) ?? error;
  }
}

/** Id of the schedule; one for each connection of each task queue. */
export function scheduleId({ taskQueue = DEFAULT_TASK_QUEUE }: ReconcileTarget, connection?: string): string {
  const parts = [
    'golem-reconcile',
    ...(taskQueue === DEFAULT_TASK_QUEUE ? [] : [taskQueue]),
    ...(connection === undefined || connection === DEFAULT_CONNECTION ? [] : [connection]),
  ];
  return parts.join('/');
}

/**
 * Has it run every so often, on a Temporal Schedule; one that is there is changed.
 * @returns the schedule's id
 */
export async function scheduleReconcile(
  target: ReconcileTarget,
  everyMs: number,
  input: Omit<ReconcileInput, 'dryRun'> = {},
): Promise<string> {
  const { client, taskQueue = DEFAULT_TASK_QUEUE } = target;
  const id = scheduleId(target, input.connection);
  const schedule = {
    spec: { intervals: [{ every: everyMs }] },
    action: {
      ...{ type: 'startWorkflow' as const, workflowType: 'golemReconcile', workflowId: id },
      ...{ taskQueue, args: [input], workflowExecutionTimeout: RUN_LIMIT },
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP_MS },
  };
  try {
    await client.schedule.create({ scheduleId: id, ...schedule });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await client.schedule.getHandle(id).update(({ state }) => ({ ...schedule, state }));
  }
  return id;
}

/** Takes the schedule away. @returns its id, and false when there was none */
export async function unscheduleReconcile(
  target: ReconcileTarget,
  connection?: string,
): Promise<{ id: string; removed: boolean }> {
  const id = scheduleId(target, connection);
  try {
    await target.client.schedule.getHandle(id).delete();
    return { id, removed: true };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return { id, removed: false };
    throw error;
  }
}
