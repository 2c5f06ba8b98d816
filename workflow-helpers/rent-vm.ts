/**
 * Rents a VM for your own workflow to talk to. It is an interactive job, a child of your workflow; scripts go to it by activities
 * of our worker, since a workflow can send no Update to another one.
 */
import {
  ActivityCancellationType,
  ApplicationFailure,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  isCancellation,
  proxyActivities,
  startChild,
  uuid4,
  type ChildWorkflowHandle,
  type Workflow,
} from '@temporalio/workflow';
import { DEFAULT_TASK_QUEUE, watchQueueOf } from '../model/ids';
import type { RentalCalls } from '../model/rental-calls';
import type { JobResult } from '../model/result';
import type { ExecuteScript, ScriptOutcome } from '../model/script';
import type { WrittenSpec } from '../model/spec-schema';
import type { ExecuteGolemJobOptions } from './execute-job';
import { told } from './progress';

/** A job's spec without tasks. */
export type RentalSpec = Omit<WrittenSpec, 'tasks' | 'interactive' | 'resultsTo'>;

export type ScriptOptions = Omit<ExecuteScript, 'commands'>;

export interface GolemRental {
  readonly jobId: string;
  /** Workflow id of the rental whose VM is up. */
  readonly rentalId: string;
  /**
   * Runs a script in the VM, behind those that were given before, and waits for what it comes to. It is sent once and never run
   * twice, whichever worker dies. One that fails is no error: see `state`. Cancelling the wait leaves it running.
   * @throws ActivityFailure - its cause is an ApplicationFailure: `AgreementEnded` when the VM is gone, `InvalidJobSpec`
   */
  executeScript(commands: ExecuteScript['commands'], options?: ScriptOptions): Promise<ScriptOutcome>;
  /** Ends the VM; what is owed is settled after that, by itself. One that is over already stays so. */
  terminate(reason?: string): Promise<void>;
}

/**
 * Rents a VM and waits until it is up. It is ended by {@link GolemRental.terminate}, when your workflow is cancelled, ends or
 * goes on as a new run, and with its agreement. Not for a spec with `control`: workflows sign nothing.
 *
 * @throws ApplicationFailure - by name why no VM came up, such as `NoProviders`; the job has ended then
 */
export async function rentGolemVm(
  spec: RentalSpec,
  options: ExecuteGolemJobOptions = {},
): Promise<GolemRental> {
  const { workflowId: jobId = `golem-${uuid4()}`, taskQueue = DEFAULT_TASK_QUEUE, onProgress } = options;
  const telling = told(jobId, onProgress);
  const calls = callsOn(taskQueue);
  const job = await startChild<Job>('golemJob', {
    ...{ workflowId: jobId, taskQueue },
    args: [{ ...spec, ...telling.notify, tasks: [], interactive: true }],
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
  void job
    .result()
    .catch(() => undefined)
    .finally(telling.end);
  const { rentalId } = await calls.golemAwaitVm({ jobId }).catch(async (error: unknown) => {
    if (isCancellation(error)) throw error;
    throw await whyNone(job, error);
  });
  return {
    jobId,
    rentalId,
    async executeScript(commands, script = {}) {
      const scriptId = script.scriptId ?? uuid4();
      return await calls.golemRunScript({ rentalId, script: { ...script, commands, scriptId } });
    },
    async terminate(reason) {
      await calls.golemTerminateJob({ jobId, reason });
      await job.result().catch((error: unknown) => {
        if (isCancellation(error)) throw error;
      });
    },
  };
}

type Job = (spec: WrittenSpec) => Promise<JobResult>;

/** Whoever waits for the VM learns why the job ended; it tells more than that it did. */
async function whyNone(job: ChildWorkflowHandle<Job & Workflow>, ended: unknown): Promise<unknown> {
  try {
    const { failure } = await job.result();
    return failure ? ApplicationFailure.nonRetryable(failure.message, failure.type) : ended;
  } catch (error) {
    // An activity's failure lies in that of its workflow.
    for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ApplicationFailure) return at;
    return error;
  }
}

function callsOn(taskQueue: string): RentalCalls {
  return proxyActivities<RentalCalls>({
    taskQueue: watchQueueOf(taskQueue),
    // They end with what they wait for: the VM that comes up, the script's own time.
    startToCloseTimeout: '365 days',
    // A worker's death must show in seconds.
    heartbeatTimeout: '6 s',
    retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '30 s' },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}
