/**
 * To call from workflows of your own: runs a Golem job as a child workflow. The job runs on our worker's task queue,
 * so nothing has to be added to your worker.
 */
import {
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  defineSignal,
  executeChild,
  setHandler,
  uuid4,
} from '@temporalio/workflow';
import { DEFAULT_TASK_QUEUE } from '../model/ids';
import type { JobProgress, JobResult } from '../model/result';
import type { WrittenSpec } from '../model/spec-schema';

export type { JobProgress, JobResult, TaskResult } from '../model/result';
export type { WrittenSpec as JobSpec } from '../model/spec-schema';

export interface ExecuteGolemJobOptions {
  /** The job's id. Default: a new one. */
  workflowId?: string;
  /** Task queue of a worker with the Golem workflows. Default `golem`. */
  taskQueue?: string;
  /** Called when something has changed, at most once a second. */
  onProgress?: (progress: JobProgress) => void;
}

const progressSignal = defineSignal<[JobProgress]>('golemProgress');
const listeners = new Map<string, (progress: JobProgress) => void>();

/**
 * Runs a job and waits for its results; what is owed is settled after that, by itself. Cancelling your workflow
 * cancels the job, and waits until it has told its rentals to close.
 *
 * @returns results of all tasks; `state` is `failed` when one of them failed for good
 * @throws ChildWorkflowFailure - its cause is an ApplicationFailure with one of our failure names as type
 */
export async function executeGolemJob(
  spec: WrittenSpec,
  options: ExecuteGolemJobOptions = {},
): Promise<JobResult> {
  const workflowId = options.workflowId ?? `golem-${uuid4()}`;
  const { onProgress } = options;
  if (onProgress) {
    listeners.set(workflowId, onProgress);
    setHandler(progressSignal, (progress) => listeners.get(progress.jobId)?.(progress));
  }
  try {
    return await executeChild<(spec: WrittenSpec) => Promise<JobResult>>('golemJob', {
      workflowId,
      taskQueue: options.taskQueue ?? DEFAULT_TASK_QUEUE,
      args: [onProgress ? { ...spec, notify: { signal: progressSignal.name } } : spec],
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    });
  } finally {
    listeners.delete(workflowId);
  }
}
