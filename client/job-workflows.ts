/** The workflows of one job as a client sees them: the job, its settlement, its rentals; found by id and memo. */
import { WorkflowNotFoundError } from '@temporalio/common';
import { isGrpcServiceError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import { askedAgain } from '../model/ask-again';
import { isNoAnswer, NoAnswerError, UnknownJobError } from './errors';
import { firstRunIdOf } from './signed-for';

export const JOB_TYPE = 'golemJob';
export const RENTAL_TYPE = 'golemRental';
/** Temporal's `HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT`. */
const CLOSING_EVENT = 2;
/** gRPC's status. */
const NOT_FOUND = 5;
/** A service may start jobs for years. */
const JOBS_KEPT = 10_000;

export interface Seen {
  runId: string;
  /** Run id of the first of its runs; a job's is its jobUuid. */
  firstRunId: string;
  running: boolean;
  /** Grows with everything that happens in the run; queries do not count. */
  historyLength: number;
  /** Why an activity of it is being tried again right now: yagna is away, say. */
  retrying?: { type: string; message: string; at: string };
  /** Workflow type. */
  type: string;
  taskQueue: string;
  /** Of our children: the jobUuid of the job they belong to. */
  jobUuid?: string;
}

/** A job id may be used again: then children of an earlier job of that id are no longer this job's. */
export function belongsTo(seen: Seen | undefined, job: Seen): seen is Seen {
  return seen !== undefined && (seen.jobUuid === undefined || seen.jobUuid === job.firstRunId);
}

export class JobWorkflows {
  /** Ids that were seen to be jobs. */
  private readonly jobs = new Set<string>();

  constructor(
    private readonly client: Client,
    private readonly answerLimitMs: number,
  ) {}

  /** Its newest run, or the one that is named. Undefined where there is no such workflow. */
  async describe(workflowId: string, runId?: string): Promise<Seen | undefined> {
    try {
      return seenOf(await this.client.workflow.getHandle(workflowId, runId).describe());
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** @throws UnknownJobError - there is no such workflow, or it is something else than a job */
  async describeJob(jobId: string): Promise<Seen> {
    const seen = await this.describe(jobId);
    if (seen?.type !== JOB_TYPE) throw this.unknown(jobId, seen?.type);
    if (this.jobs.size >= JOBS_KEPT) this.jobs.clear();
    this.jobs.add(jobId);
    return seen;
  }

  /** Looks once whether an id is a job's: everybody else's workflows are none of our business. @throws UnknownJobError */
  async requireJob(jobId: string): Promise<void> {
    if (!this.jobs.has(jobId)) await this.describeJob(jobId);
  }

  /** @throws NoAnswerError - no worker answers; WorkflowNotFoundError */
  async query<T>(workflowId: string, name: string, args: unknown[] = [], runId?: string): Promise<T> {
    const handle = this.client.workflow.getHandle(workflowId, runId);
    try {
      return await this.client.withDeadline(Date.now() + this.answerLimitMs, () =>
        askedAgain<T>(handle, name, args),
      );
    } catch (error) {
      if (isNoAnswer(error)) throw new NoAnswerError(workflowId, { cause: error });
      throw error;
    }
  }

  /** The run that a run went on as; undefined where it did not, or is not kept any more. */
  async runAfter(workflowId: string, runId: string): Promise<string | undefined> {
    const { namespace } = this.client.options;
    try {
      const { history } = await this.client.workflowService.getWorkflowExecutionHistory({
        ...{ namespace, execution: { workflowId, runId } },
        historyEventFilterType: CLOSING_EVENT,
      });
      const closing = history?.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
      return closing?.newExecutionRunId || undefined;
    } catch (error) {
      if (isGrpcServiceError(error) && error.code === NOT_FOUND) return undefined;
      throw error;
    }
  }

  unknown(jobId: string, otherType?: string): UnknownJobError {
    return new UnknownJobError(jobId, this.client.options.namespace, otherType);
  }
}

function seenOf(description: WorkflowExecutionDescription): Seen {
  const jobUuid = description.memo?.golemJob;
  return {
    runId: description.runId,
    firstRunId: firstRunIdOf(description),
    running: description.status.name === 'RUNNING',
    historyLength: description.historyLength,
    type: description.type,
    taskQueue: description.taskQueue,
    retrying: retryingOf(description),
    jobUuid: typeof jobUuid === 'string' ? jobUuid : undefined,
  };
}

function retryingOf({ raw }: WorkflowExecutionDescription): Seen['retrying'] {
  const trying = raw.pendingActivities?.find(
    (activity) => (activity.attempt ?? 1) > 1 && activity.lastFailure,
  );
  if (!trying?.lastFailure) return undefined;
  const { message, applicationFailureInfo } = trying.lastFailure;
  return {
    type: applicationFailureInfo?.type || 'Error',
    message: `${message ?? ''} (attempt ${trying.attempt}, tried again)`,
    at: tsToDate(trying.lastStartedTime)?.toISOString() ?? '',
  };
}

function tsToDate(timestamp: { seconds?: unknown } | null | undefined): Date | undefined {
  return timestamp?.seconds === undefined ? undefined : new Date(Number(timestamp.seconds) * 1000);
}
