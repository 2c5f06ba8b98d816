/** The jobs of a namespace, newest first: from Temporal's visibility, with what each job and its settlement tell of themselves. */
import { WorkflowNotFoundError } from '@temporalio/common';
import { WorkflowFailedError, type Client } from '@temporalio/client';
import { fewAtATime } from '../model/few-at-a-time';
import { settlementId, type Timestamp } from '../model/ids';
import type {
  CostProgress,
  JobPhase,
  JobProgress,
  JobResult,
  Money,
  SettlementPhase,
  SettlementProgress,
  SettlementResult,
} from '../model/result';
import { jobError, NoAnswerError } from './errors';
import { belongsTo, type JobWorkflows } from './job-workflows';

/** A job goes on as a new run now and then; the earlier runs are none of their own. */
const JOBS = 'WorkflowType = "golemJob" AND ExecutionStatus != "ContinuedAsNew"';
const DEFAULT_LIMIT = 20;
const MOST = 1_000;
/** Asked at a time: a worker that answers many queries at once answers none of them in time. */
const MOST_ASKED = 4;
/** How cursors begin. */
const CURSOR = 'jobs.';

/** How Temporal has the workflow. */
export type JobStatus = 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timedOut';

/** By the numbers of `temporal.api.enums.v1.WorkflowExecutionStatus`. */
const STATUS: Record<number, JobStatus> = {
  1: 'running',
  2: 'completed',
  3: 'failed',
  4: 'cancelled',
  5: 'terminated',
  7: 'timedOut',
};

export interface ListedJob {
  jobId: string;
  runId: string;
  /** Of its worker. */
  taskQueue: string;
  status: JobStatus;
  /** Of the run that is listed: a job that has become long has had runs before it. */
  startedAt: Timestamp;
  closedAt?: Timestamp;
  /** Of a job that runs this and all below is absent where no worker answers. */
  phase?: JobPhase;
  tasks?: JobProgress['tasks'];
  /** Rentals that live. */
  rentals?: number;
  /** As the settlement knows it, where there is one. */
  money?: Money;
  /** Only while the job runs. */
  cost?: CostProgress;
  /** Of its settlement; absent where there is none. */
  settlement?: SettlementPhase;
  /** Why it failed; of a job that runs, what went wrong last. */
  failure?: { type: string; message: string };
}

export interface JobsOptions {
  /** At most so many, at most 1000. Default 20. */
  limit?: number;
  /** Cursor of the page before. Default: from the newest. */
  after?: string;
  /** Only those that run. Default false. */
  running?: boolean;
  /** With phase, tasks and money, for which each job is asked. Default true. */
  details?: boolean;
}

export interface JobsPage {
  /** First those that run, then those that are over; of both the newest first. */
  jobs: ListedJob[];
  /** Where the next page begins; absent where there is none. Opaque; keep it as it is. */
  cursor?: string;
}

/** One page of jobs. @throws TypeError - `after` is no cursor */
export async function listJobs(
  client: Client,
  workflows: JobWorkflows,
  progressOf: (jobId: string) => Promise<JobProgress>,
  { limit = DEFAULT_LIMIT, after, running = false, details = true }: JobsOptions,
): Promise<JobsPage> {
  const page = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    query: running ? `${JOBS} AND ExecutionStatus = "Running"` : JOBS,
    pageSize: Math.max(1, Math.min(limit, MOST)),
    nextPageToken: after ? pageToken(after) : undefined,
  });
  const listed = (page.executions ?? []).map(
    ({ execution, startTime, closeTime, status, taskQueue }): ListedJob => ({
      jobId: execution?.workflowId ?? '',
      runId: execution?.runId ?? '',
      taskQueue: taskQueue ?? '',
      status: STATUS[status ?? 0] ?? 'running',
      startedAt: timeOf(startTime) ?? '',
      closedAt: timeOf(closeTime),
    }),
  );
  const token = page.nextPageToken;
  const cursor = token && token.length > 0 ? CURSOR + Buffer.from(token).toString('base64url') : undefined;
  if (!details) return { jobs: listed, cursor };
  const asker = new Asker(client, workflows, progressOf);
  return { jobs: await fewAtATime(listed, MOST_ASKED, (job) => asker.withDetails(job)), cursor };
}

/** Temporal's server tries again and again with one that it cannot read. @throws TypeError */
function pageToken(cursor: string): Buffer {
  if (!cursor.startsWith(CURSOR)) throw new TypeError('this is no cursor that `jobs` gave');
  return Buffer.from(cursor.slice(CURSOR.length), 'base64url');
}

/** Asks workflows where a worker answers; after one that didn't, no other of its task queue is waited for. */
class Asker {
  private readonly silent = new Set<string>();

  constructor(
    private readonly client: Client,
    private readonly workflows: JobWorkflows,
    private readonly progressOf: (jobId: string) => Promise<JobProgress>,
  ) {}

  async withDetails(job: ListedJob): Promise<ListedJob> {
    if (job.status !== 'running') {
      const [ended, settlement] = await Promise.all([this.endOf(job), this.settlementOf(job)]);
      return { ...job, ...ended, ...settlement };
    }
    const progress = await this.answer(job.taskQueue, () => this.progressOf(job.jobId));
    return progress ? { ...job, ...told(progress) } : job;
  }

  /** What a job that is over has left: no worker is needed for it. */
  private async endOf({
    jobId,
    runId,
  }: ListedJob): Promise<Pick<ListedJob, 'phase' | 'tasks' | 'failure' | 'rentals'>> {
    try {
      // One of another version, or of somebody else's workflow of that name, must not spoil the list.
      const result = (await this.client.workflow
        .getHandle(jobId, runId)
        .result()) as Partial<JobResult> | null;
      const { state, tasks = [], results, failure } = result ?? {};
      return { phase: state, tasks: countsOf(tasks, results?.tasks), rentals: 0, failure };
    } catch (error) {
      // Forgotten since it was listed.
      if (error instanceof WorkflowNotFoundError) return {};
      if (!(error instanceof WorkflowFailedError)) throw error;
      const { type, reason: message } = jobError(jobId, error.cause ?? error);
      return { phase: type === 'Cancelled' ? 'cancelled' : 'failed', rentals: 0, failure: { type, message } };
    }
  }

  private async settlementOf(job: ListedJob): Promise<Pick<ListedJob, 'money' | 'settlement'>> {
    const id = settlementId(job.jobId);
    const [own, settlement] = await Promise.all([
      this.workflows.describe(job.jobId, job.runId),
      this.workflows.describe(id),
    ]);
    if (!own || !belongsTo(settlement, own)) return {};
    if (settlement.running) {
      const progress = await this.answer(settlement.taskQueue, () =>
        this.workflows.query<SettlementProgress>(id, 'progress'),
      );
      return progress ? { money: progress.money, settlement: progress.phase } : {};
    }
    try {
      const result = await this.client.workflow.getHandle(id, settlement.runId).result();
      const { money, state } = (result ?? {}) as Partial<SettlementResult>;
      return { money, settlement: state };
    } catch (error) {
      if (error instanceof WorkflowFailedError) return { settlement: 'failed' };
      if (error instanceof WorkflowNotFoundError) return {};
      throw error;
    }
  }

  /** Undefined where nobody answers, or it is gone. */
  private async answer<T>(taskQueue: string, ask: () => Promise<T>): Promise<T | undefined> {
    if (this.silent.has(taskQueue)) return undefined;
    try {
      return await ask();
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      if (!(error instanceof NoAnswerError)) throw error;
      this.silent.add(taskQueue);
      return undefined;
    }
  }
}

function told({ phase, tasks, rentals, money, cost, lastFailure }: JobProgress): Partial<ListedJob> {
  const alive = rentals.filter(({ state }) => !['closed', 'failed', 'detached'].includes(state));
  const failure = lastFailure && { type: lastFailure.type, message: lastFailure.message };
  return { phase, tasks, rentals: alive.length, money, cost, failure };
}

/** @param ofFile - counts of tasks in a file, of which only a few are listed */
function countsOf(
  tasks: JobResult['tasks'],
  ofFile?: { done: number; failed: number; cancelled: number },
): JobProgress['tasks'] {
  const done = ofFile?.done ?? tasks.filter(({ state }) => state === 'done').length;
  const failed = ofFile ? ofFile.failed : tasks.filter(({ state }) => state === 'failed').length;
  const cancelled = ofFile ? ofFile.cancelled : tasks.filter(({ state }) => state === 'cancelled').length;
  return { total: done + failed + cancelled, waiting: 0, running: 0, done, failed };
}

function timeOf(
  timestamp: { seconds?: unknown; nanos?: number | null } | null | undefined,
): Timestamp | undefined {
  if (!timestamp) return undefined;
  return new Date(Number(timestamp.seconds ?? 0) * 1000 + (timestamp.nanos ?? 0) / 1e6).toISOString();
}
