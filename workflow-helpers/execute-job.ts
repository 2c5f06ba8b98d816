/** Runs a Golem job as a child of your own workflow. */
import { ChildWorkflowCancellationType, ParentClosePolicy, executeChild, uuid4 } from '@temporalio/workflow';
import { DEFAULT_TASK_QUEUE } from '../model/ids';
import type { JobProgress, JobResult } from '../model/result';
import type { WrittenSpec } from '../model/spec-schema';
import { told } from './progress';

export interface ExecuteGolemJobOptions {
  /** The job's id. Default: a new one. */
  workflowId?: string;
  /** Task queue of a worker with the Golem workflows. Default `golem`. */
  taskQueue?: string;
  /** Called when something has changed, at most once a second. */
  onProgress?: (progress: JobProgress) => void;
}

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
  const telling = told(workflowId, onProgress);
  try {
    return await executeChild<(spec: WrittenSpec) => Promise<JobResult>>('golemJob', {
      workflowId,
      taskQueue: options.taskQueue ?? DEFAULT_TASK_QUEUE,
      args: [{ ...spec, ...telling.notify }],
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    });
  } finally {
    telling.end();
  }
}
