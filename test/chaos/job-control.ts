/** Talks to Temporal about one job for as long as it takes: a server that is down comes back. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  isGrpcServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import { reconcile } from '../../client/reconcile';
import { rentalId, settlementId } from '../../model/ids';

const AGAIN_MS = 200;
/** gRPC: the workflow is not there, or is over. */
const NOT_FOUND = 5;

export interface Ending {
  status: string;
  result?: unknown;
  /** Why it failed: the failure's name and message. */
  failure?: { type: string; message: string };
}

export interface WorkflowView {
  workflowId: string;
  runId: string;
  status: string;
}

export type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

export class JobControl {
  constructor(
    readonly client: Client,
    readonly jobId: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Asks until there is an answer. @throws what the answer is, when it is that there is no such workflow */
  private async insist<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      this.signal.throwIfAborted();
      try {
        return await this.client.withAbortSignal(this.signal, ask);
      } catch (error) {
        if (!isTransient(error)) throw error;
        await delay(AGAIN_MS);
      }
    }
  }

  async start(taskQueue: string, spec: object): Promise<void> {
    await this.insist(() =>
      this.client.workflow.start('golemJob', { taskQueue, workflowId: this.jobId, args: [spec] }),
    );
  }

  async cancel(workflowId: string): Promise<boolean> {
    return await this.did(() => this.client.workflow.getHandle(workflowId).cancel());
  }

  async terminate(workflowId: string): Promise<boolean> {
    return await this.did(() => this.client.workflow.getHandle(workflowId).terminate('chaos'));
  }

  /** False when it is over, or never was. */
  private async did(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.insist(act);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Of the job, its settlement and its rentals, those that there are. */
  async workflows(): Promise<WorkflowView[]> {
    const found: WorkflowView[] = [];
    const look = async (workflowId: string): Promise<boolean> => {
      try {
        const { runId, status } = await this.insist(() =>
          this.client.workflow.getHandle(workflowId).describe(),
        );
        found.push({ workflowId, runId, status: status.name });
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    };
    await look(this.jobId);
    await look(settlementId(this.jobId));
    for (let n = 1; await look(rentalId(this.jobId, n)); n++);
    return found;
  }

  /** Waits for a workflow to close. Undefined when there is none of that id. */
  async ending(workflowId: string): Promise<Ending | undefined> {
    try {
      const result: unknown = await this.insist(() => this.client.workflow.getHandle(workflowId).result());
      return { status: 'COMPLETED', result };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (!(error instanceof WorkflowFailedError)) throw error;
      const { status } = await this.insist(() => this.client.workflow.getHandle(workflowId).describe());
      return { status: status.name, failure: failureOf(error) };
    }
  }

  /** Has `golemReconcile` close what nobody looks after, until there is nothing of that kind. */
  async reconcile(taskQueue: string): Promise<void> {
    for (;;) {
      const { orphans, settlements } = await this.insist(() =>
        reconcile({ client: this.client, taskQueue }, { olderThanSec: 0 }),
      );
      if (orphans.every(({ left }) => left !== undefined)) return;
      for (const workflowId of settlements) await this.ending(workflowId);
    }
  }

  async history({ workflowId, runId }: WorkflowView): Promise<History> {
    return await this.insist(() => this.client.workflow.getHandle(workflowId, runId).fetchHistory());
  }

  /** What the workflows that still run are waiting for. */
  async whereabouts(): Promise<string[]> {
    const lines: string[] = [];
    for (const { workflowId, status } of await this.workflows()) {
      if (status !== 'RUNNING') continue;
      const { raw } = await this.client.workflow.getHandle(workflowId).describe();
      const pending = (raw.pendingActivities ?? []).map(
        ({ activityType, attempt, lastFailure }) =>
          `${activityType?.name} (attempt ${attempt}${lastFailure ? `, ${lastFailure.message}` : ''})`,
      );
      const progress: unknown = await this.client.workflow
        .getHandle(workflowId)
        .query('progress')
        .catch((error: unknown) => String(error));
      const task = raw.pendingWorkflowTask
        ? `, a workflow task in its attempt ${raw.pendingWorkflowTask.attempt}`
        : '';
      lines.push(
        `${workflowId} runs${task}: ${pending.join('; ') || 'no activity'}`,
        `  ${JSON.stringify(progress)}`,
      );
    }
    return lines;
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError) return false;
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (isNotFound(error) || isNotFound(cause)) return false;
  return isGrpcServiceError(error) || isGrpcServiceError(cause);
}

function isNotFound(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  return isGrpcServiceError(error) && Number(error.code) === NOT_FOUND;
}

function failureOf(error: WorkflowFailedError): { type: string; message: string } {
  let cause: Error = error;
  while (cause.cause instanceof Error) cause = cause.cause;
  const type = (cause as { type?: unknown }).type;
  return { type: typeof type === 'string' ? type : cause.name, message: cause.message };
}
