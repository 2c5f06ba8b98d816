/** Starts Golem jobs on Temporal and follows them: a thin client over workflow ids, queries and results. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Decimal } from 'decimal.js';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type DataConverter,
} from '@temporalio/common';
import {
  Client,
  Connection,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  type ConnectionOptions,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ControlKey, Permission } from '../model/control';
import { exact, ExactDecimal, toAmount } from '../model/amount';
import { costAt } from '../model/cost';
import type { Detached } from '../model/attach';
import { given } from '../model/given';
import { DEFAULT_TASK_QUEUE, settlementId, type Amount } from '../model/ids';
import type {
  CostProgress,
  JobProgress,
  JobResult,
  Money,
  RentalProgress,
  SettlementProgress,
  SettlementResult,
  TaskNow,
} from '../model/result';
import type { ExecuteScript, ScriptOutcome } from '../model/script';
import type { ControlSigner } from './control-signer';
import { GolemJobError, jobError, NoAnswerError } from './errors';
import { attach, type AttachedRental, type AttachOptions } from './attach';
import { eventsPage, EventsReader, type EventsPage, type JobEvent } from './job-events';
import { costsOf, nothingToSettle, type Costs } from './costs';
import { listJobs, type JobsOptions, type JobsPage } from './job-list';
import { belongsTo, JobWorkflows } from './job-workflows';
import { Rentals, type ExecOptions, type FollowScriptOptions, type RentOptions } from './rentals';

/** Temporal tells nobody when a query's answer changes, so it is asked, this often and no more. */
const ASK_EVERY_MS = 1_000;
const ASK_RARELY_MS = 10_000;
/** A worker that died can hold a workflow for 10 s; a question asked anew then finds another. */
const ANSWER_LIMIT_MS = 10_000;
const DEFAULT_LIMIT = 1_000;

export interface GolemClientOptions {
  client: Client;
  /** Default `golem`. */
  taskQueue?: string;
  /** Longest wait for a worker's answer to a question, milliseconds. Default 10000. */
  answerLimitMs?: number;
  /** Signs whatever is asked of rentals and jobs, for those that have an owner: see {@link ControlSigner}. */
  signer?: ControlSigner;
}

export interface ConnectOptions {
  /** `host:port`. Default: TEMPORAL_ADDRESS, or the profile's, or `localhost:7233`. */
  address?: string;
  /** Default: TEMPORAL_NAMESPACE, or the profile's, or `default`. */
  namespace?: string;
  tls?: ConnectionOptions['tls'];
  apiKey?: string;
  /** Profile of Temporal's configuration file. Default: TEMPORAL_PROFILE, or `default`. */
  profile?: string;
  /** As the workers have it. Default: the SDK's. */
  dataConverter?: DataConverter;
  /** Default `golem`. */
  taskQueue?: string;
  /** As of {@link GolemClientOptions}. */
  signer?: ControlSigner;
}

export interface StartJobOptions {
  /** The job's id, a workflow id. Default `golem-<uuid>`. */
  jobId?: string;
  memo?: Record<string, unknown>;
  searchAttributes?: WorkflowStartOptions['typedSearchAttributes'];
  /** One line for Temporal's UI. */
  summary?: string;
}

export interface EventsOptions {
  /** Cursor of the page before. Default: from the beginning of what is kept. */
  after?: string;
  /** At most so many events, the oldest first. Default 1000. */
  limit?: number;
}

export interface FollowOptions {
  /** Cursor to go on from. */
  after?: string;
  /** Ends the following without an error. */
  signal?: AbortSignal;
  /** Ends it when all is told that has happened so far. Default false. */
  untilNow?: boolean;
}

export class GolemClient {
  readonly client: Client;
  readonly taskQueue: string;
  readonly signer?: ControlSigner;
  private readonly workflows: JobWorkflows;
  private readonly rentals: Rentals;
  private ownConnection?: Connection;

  constructor(options: GolemClientOptions) {
    this.client = options.client;
    this.taskQueue = options.taskQueue ?? DEFAULT_TASK_QUEUE;
    this.signer = options.signer;
    const answerLimitMs = options.answerLimitMs ?? ANSWER_LIMIT_MS;
    this.workflows = new JobWorkflows(options.client, answerLimitMs);
    this.rentals = new Rentals(this, this.workflows, answerLimitMs, options.signer);
  }

  /** Connects to Temporal as `@temporalio/envconfig` says; options given here win. Close it with {@link close}. */
  static async connect(options: ConnectOptions = {}): Promise<GolemClient> {
    const { taskQueue, signer, profile, namespace, dataConverter, ...own } = options;
    const config = loadClientConnectConfig({ profile });
    const connection = await Connection.connect({ ...config.connectionOptions, ...given(own) });
    const client = new Client({ connection, namespace: namespace ?? config.namespace, dataConverter });
    const golem = new GolemClient({ client, taskQueue, signer });
    golem.ownConnection = connection;
    return golem;
  }

  /** Closes the connection that {@link connect} made. */
  async close(): Promise<void> {
    await this.ownConnection?.close();
  }

  /**
   * Starts a job.
   * @param spec a job spec, plain JSON; a worker checks it, so that every language gets the same answer
   * @throws GolemJobError `JobIdInUse` - a job of that id is running
   */
  async startJob(spec: unknown, options: StartJobOptions = {}): Promise<{ jobId: string; runId: string }> {
    const jobId = options.jobId ?? `golem-${randomUUID()}`;
    try {
      const handle = await this.client.workflow.start('golemJob', {
        taskQueue: this.taskQueue,
        workflowId: jobId,
        args: [spec],
        memo: options.memo,
        typedSearchAttributes: options.searchAttributes,
        staticSummary: options.summary,
      });
      return { jobId, runId: handle.firstExecutionRunId };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      throw new GolemJobError(jobId, 'JobIdInUse', 'a job of that id is running', { cause: error });
    }
  }

  /**
   * Waits for the job's results. Failed tasks are in them; they are no error.
   * @throws GolemJobError - the job itself failed, was cancelled or terminated; UnknownJobError
   */
  async result(jobId: string): Promise<JobResult> {
    await this.workflows.requireJob(jobId);
    return this.resultOf<JobResult>(jobId, jobId);
  }

  /**
   * Waits until the job is over and its money settled.
   * @throws GolemJobError - the settlement failed, or the job failed before there was anything to settle;
   * UnknownJobError
   */
  async settled(jobId: string): Promise<SettlementResult> {
    const failure = await this.result(jobId).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure !== undefined && !(failure instanceof GolemJobError)) throw failure;
    const [job, settlement] = await Promise.all([
      this.workflows.describeJob(jobId),
      this.workflows.describe(settlementId(jobId)),
    ]);
    if (belongsTo(settlement, job)) {
      return this.resultOf<SettlementResult>(jobId, settlementId(jobId)).catch((error: unknown) => {
        throw settlementError(error);
      });
    }
    throw failure ?? nothingToSettle(jobId);
  }

  /**
   * Where the job stands, with the settlement's money where that can be asked.
   * @throws UnknownJobError; NoAnswerError - no worker is there to answer
   */
  async progress(jobId: string): Promise<JobProgress> {
    await this.workflows.requireJob(jobId);
    const [progress, settlement] = await Promise.all([
      this.workflows.query<JobProgress>(jobId, 'progress').catch((error: unknown) => {
        throw error instanceof WorkflowNotFoundError ? this.workflows.unknown(jobId) : error;
      }),
      this.workflows
        .query<SettlementProgress>(settlementId(jobId), 'progress')
        // There is none yet, or it cannot answer now: the job knows the money a little less exactly.
        .catch(() => undefined),
    ]);
    // Before its own settlement runs, one of that id is an earlier job's.
    const money =
      settlement === undefined || progress.phase === 'validating'
        ? progress.money
        : { ...settlement.money, low: isLow(progress.money, settlement.money) };
    return {
      ...progress,
      money,
      cost: isSettled(settlement) ? nothingMore() : costSince(progress, money),
      rentals: isOver(progress) ? await this.rentalsNow(progress.rentals) : progress.rentals,
      lastFailure: await this.lastFailure(jobId, progress),
    };
  }

  /** A job that is over hears no more of its rentals, which may still be closing. */
  private async rentalsNow(rentals: RentalProgress[]): Promise<RentalProgress[]> {
    return await Promise.all(
      rentals.map(async (rental) => {
        if (rental.state === 'closed' || rental.state === 'failed') return rental;
        return await this.workflows.query<RentalProgress>(rental.workflowId, 'progress').catch(() => rental);
      }),
    );
  }

  /** A job that has not begun yet may wait for something that its workflows cannot see: yagna, or the registry. */
  private async lastFailure(
    jobId: string,
    { phase, lastFailure }: JobProgress,
  ): Promise<JobProgress['lastFailure']> {
    if (phase !== 'validating' && phase !== 'reserving' && phase !== 'negotiating') return lastFailure;
    const waiting = phase === 'reserving' ? settlementId(jobId) : jobId;
    return (await this.workflows.describe(waiting))?.retrying ?? lastFailure;
  }

  /**
   * A task as it is now, with the outputs of its last attempt. Of a job that is over no worker is asked.
   * @returns undefined where it has none of that name, or it was one of a file and is over: its result is in a part
   * @throws UnknownJobError; NoAnswerError - no worker is there to answer; GolemJobError - the job failed
   */
  async task(jobId: string, name: string): Promise<TaskNow | undefined> {
    const { running } = await this.workflows.describeJob(jobId);
    if (running) return (await this.workflows.query<TaskNow | null>(jobId, 'task', [name])) ?? undefined;
    const { tasks, results } = await this.result(jobId);
    return [...tasks, ...(results?.firstFailed ?? [])].find((task) => task.name === name);
  }

  /**
   * What a job costs, agreement by agreement.
   * @param id a job's id, or that of a rental that attached
   * @throws UnknownRentalError; NoAnswerError - no worker is there to answer; GolemJobError - it has no settlement
   */
  async costs(id: string): Promise<Costs> {
    return await costsOf(this.client, this.workflows, id);
  }

  /**
   * The jobs of the namespace: first those that run, then those that are over, of both the newest first. Temporal lists a job
   * some moments after its start.
   * @throws TypeError - `after` is no cursor that it gave
   */
  async jobs(options: JobsOptions = {}): Promise<JobsPage> {
    return await listJobs(this.client, this.workflows, (jobId) => this.progress(jobId), options);
  }

  /**
   * What happened in the job, its settlement and its rentals, in the order of time. Each workflow keeps its newest
   * 1,000 events. Of a rental, such as one that attached, what it tells itself.
   * @throws UnknownJobError; NoAnswerError - no worker is there to answer
   */
  async events(jobId: string, { after, limit = DEFAULT_LIMIT }: EventsOptions = {}): Promise<EventsPage> {
    const { events, cursor } = await eventsPage(this.workflows, jobId, after, limit);
    return { events, cursor };
  }

  /**
   * Events as they come, until the job and its settlement are over. While no worker answers it waits for one.
   * @throws UnknownJobError; NoAnswerError - with `untilNow`, no worker is there to answer
   */
  async *followEvents(
    jobId: string,
    { after, signal, untilNow }: FollowOptions = {},
  ): AsyncGenerator<JobEvent, void> {
    const reader = new EventsReader(this.workflows, jobId, after);
    let waitMs = ASK_EVERY_MS;
    while (!signal?.aborted) {
      const askedMs = performance.now();
      try {
        const page = await reader.page(DEFAULT_LIMIT);
        yield* page.events;
        if (page.over || (untilNow && !page.more)) return;
        if (page.more) continue;
        // Who looks on takes no more than half of the workers' time, however many workflows there are to ask.
        waitMs = Math.min(Math.max(ASK_EVERY_MS, performance.now() - askedMs), ASK_RARELY_MS);
      } catch (error) {
        if (!(error instanceof NoAnswerError) || untilNow) throw error;
        waitMs = Math.min(waitMs * 2, ASK_RARELY_MS);
      }
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * Rents a VM to talk to: starts an interactive job, and waits until its VM is up.
   * @param spec a job spec, plain JSON, without tasks
   * @returns `rentalId` is what {@link exec} takes; with `waitReady: false` that of the first provider, whose place another one
   * may take before a VM is up: the job's id finds it
   * @throws GolemJobError - by name why no VM came up, `NoProviders` or `InvalidJobSpec` for instance; the job has ended then.
   * The reason of `signal` when that was aborted: the job goes on
   */
  async rent(spec: object, options: RentOptions = {}): Promise<{ jobId: string; rentalId: string }> {
    return await this.rentals.rent(spec, options);
  }

  /**
   * Sends a script to a rental's VM, behind those that were sent before; returns when it was sent. It waits for a worker, and
   * for a VM that is not up yet. A call that is repeated with the same `scriptId` is the same script.
   * @param rental a rental's id, or that of the job whose newest rental is meant
   * @throws GolemRentalError `InvalidJobSpec`, `AgreementEnded` - the rental is over, `RentalNotReady` - the job has none;
   * UnknownRentalError
   */
  async executeScript(rental: string, script: ExecuteScript): Promise<{ scriptId: string }> {
    return await this.rentals.execute(await this.rentals.resolve(rental), script);
  }

  /**
   * What a script came to; `running` when it has not ended `waitSec` (default and at most 30) seconds later.
   * @throws GolemRentalError `UnknownScript`, `AgreementEnded`; UnknownRentalError
   */
  async scriptResult(rental: string, scriptId: string, waitSec?: number): Promise<ScriptOutcome> {
    return await this.rentals.result(await this.rentals.resolve(rental), scriptId, waitSec);
  }

  /**
   * Runs a script in a rental's VM and waits for what it comes to, through outages of workers, of yagna and of Temporal: it is
   * sent once, and never run twice. A script that fails is no error: see `state`.
   * @param commands shell lines, `{ run, args }` or `{ transfer: { from, to } }`
   * @throws as {@link executeScript}; the reason of `signal` when that was aborted: the script goes on, and
   * {@link followScript} gets its outcome
   */
  async exec(
    rental: string,
    commands: ExecuteScript['commands'],
    options: ExecOptions = {},
  ): Promise<ScriptOutcome> {
    return await this.rentals.exec(await this.rentals.resolve(rental), commands, options);
  }

  /** Waits for the outcome of a script that was sent before. @throws as {@link scriptResult} */
  async followScript(
    rental: string,
    scriptId: string,
    options: FollowScriptOptions = {},
  ): Promise<ScriptOutcome> {
    return await this.rentals.follow(await this.rentals.resolve(rental), scriptId, options);
  }

  /** Where a rental stands. @throws UnknownRentalError; NoAnswerError - no worker is there to answer */
  async rentalProgress(rental: string): Promise<RentalProgress> {
    return await this.rentals.progress(await this.rentals.resolve(rental));
  }

  /**
   * Ends a job or a rental in good order: what a job has done is kept, its rentals are closed, and what is owed is paid.
   * @param reason goes into the agreements' termination, one line
   * @returns false when it is over already
   * @throws UnknownRentalError - there is neither such a job nor such a rental; NoAnswerError - no worker is there to do it
   */
  async terminate(id: string, reason?: string): Promise<boolean> {
    return await this.rentals.terminate(id, reason);
  }

  /**
   * Asks the job to end: it closes its rentals, and what is owed is paid. Its results are given up.
   * @returns false when the job is over already; it stays as it is
   * @throws UnknownJobError
   */
  async cancel(jobId: string): Promise<boolean> {
    const { running } = await this.workflows.describeJob(jobId);
    if (!running) return false;
    try {
      await this.client.workflow.getHandle(jobId).cancel();
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /**
   * Takes over a Golem activity that runs already, from its id alone; see the function `attach`.
   * @throws ApplicationFailure by its type - see there
   */
  async attach(options: AttachOptions): Promise<AttachedRental> {
    return await attach(this, options);
  }

  /**
   * Ends a rental and its job, and leaves the VM alive; see the function `detach`.
   * @param rental a rental's id, or that of the job whose newest rental is meant
   * @throws as that
   */
  async detach(rental: string): Promise<Detached> {
    return await this.rentals.detach(await this.rentals.resolve(rental));
  }

  /**
   * Passes control of a closed rental on to another key, fully or in part; a later grant to the same key takes its place. It
   * holds for the one workflow that is named: a job's id for its `terminate` and `topUp`, a rental's for all else.
   * @param until an RFC 3339 time, or a Date
   * @throws GolemRentalError `ControlRefused` - the signer may not, or would give more than it has; `InvalidJobSpec`;
   * UnknownRentalError
   */
  async grant(
    id: string,
    {
      key,
      permissions,
      until,
    }: { key: ControlKey; permissions: readonly Permission[]; until: string | Date },
  ): Promise<void> {
    const end = typeof until === 'string' ? until : until.toISOString();
    await this.rentals.grant(id, { key, permissions: [...permissions], until: end });
  }

  /**
   * Takes back what a key was granted, and what it has passed on.
   * @throws GolemRentalError `ControlRefused` - the signer may not; `InvalidJobSpec` - that key has no grant, or there is no
   * owner; UnknownRentalError
   */
  async revoke(id: string, key: ControlKey): Promise<void> {
    await this.rentals.revoke(id, key);
  }

  /**
   * Raises a job's budget; waits until yagna has reserved the money. A call that is repeated adds once more, unless it
   * has the `updateId` of the one before.
   * @param amount GLM to add, a decimal string such as `0.5`
   * @returns what is reserved then, and the budget
   * @throws GolemJobError `BudgetNotReserved` - the account holds too little, and nothing has changed; `InvalidTopUp`;
   * `JobEnding` - the job is ending or over; `ControlRefused` - it has an owner; UnknownJobError
   */
  async topUp(
    jobId: string,
    amount: Amount,
    { updateId }: { updateId?: string } = {},
  ): Promise<{ reserved: Amount; budget: Amount }> {
    const { running, firstRunId } = await this.workflows.describeJob(jobId);
    const over = (cause?: unknown): GolemJobError =>
      new GolemJobError(jobId, 'JobEnding', 'it is over: its budget is not raised any more', { cause });
    if (!running) throw over();
    const asked = { amount };
    const of = { workflowId: jobId, firstRunId };
    const args: [typeof asked] = [this.signer ? await this.signer.authorize(of, 'topUp', asked) : asked];
    try {
      const job = this.client.workflow.getHandle(jobId);
      return await job.executeUpdate<{ reserved: Amount; budget: Amount }, typeof args>('topUp', {
        args,
        updateId,
      });
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw over(error);
      if (error instanceof WorkflowUpdateFailedError) throw jobError(jobId, error.cause ?? error);
      throw error;
    }
  }

  /** Whether a job runs, and the task queue that its worker works on. @throws UnknownJobError */
  async whereabouts(jobId: string): Promise<{ running: boolean; taskQueue: string }> {
    const { running, taskQueue } = await this.workflows.describeJob(jobId);
    return { running, taskQueue };
  }

  private async resultOf<T>(jobId: string, workflowId: string): Promise<T> {
    try {
      return (await this.client.workflow.getHandle(workflowId).result()) as T;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw this.workflows.unknown(jobId);
      if (error instanceof WorkflowFailedError) throw jobError(jobId, error.cause ?? error);
      throw error;
    }
  }
}

/** A settlement that somebody ended is told by name, with what to do: not as if it was the job that was ended. */
function settlementError(error: unknown): unknown {
  if (!(error instanceof GolemJobError)) return error;
  const { jobId, type, reason } = error;
  if (!['Cancelled', 'Terminated', 'TimedOut'].includes(type)) return error;
  const message = `the settlement of the job was ended: ${type}: ${reason}`;
  return new GolemJobError(jobId, 'SettlementEnded', message, { cause: error });
}

const isSettled = (settlement: SettlementProgress | undefined): boolean =>
  settlement?.phase === 'settled' || settlement?.phase === 'unpaid';

/** What has accrued beyond what is accepted: of that the settlement knows sooner than the job. */
function costSince({ cost, money: known }: JobProgress, { accepted }: Money): CostProgress {
  const now = costAt(cost, Date.now());
  const news = exact(accepted).minus(exact(known.accepted));
  const left = exact(now.accrued).minus(ExactDecimal.max(news, '0'));
  return { ...now, accrued: toAmount(ExactDecimal.max(left, '0')) };
}

const nothingMore = (): CostProgress => ({ at: new Date().toISOString(), accrued: '0', perHour: '0' });

/** What a job finds low is what was reserved when it last heard of it: more may be there since. */
function isLow(job: Money, settlement: Money): boolean | undefined {
  return new Decimal(settlement.reserved).lte(job.reserved) ? job.low : undefined;
}

function isOver({ phase }: JobProgress): boolean {
  return phase === 'done' || phase === 'failed' || phase === 'cancelled';
}
