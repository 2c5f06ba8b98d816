/** Rentals as a user's own workflow asks them: see `workflow-helpers/`. Each call is Updates and queries of the rental or its job. */
import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { CUT_SHORT } from '../model/ask-again';
import type { JobProgress } from '../model/result';
import type { ScriptOutcome } from '../model/script';
import { attempt } from './attempt';
import type { GolemActivities } from './contract';
import { describe, isNotFound } from './known-workflow';
import { query } from './rental-records';
import { failure } from './yagna';

const ASK_FIRST_MS = 250;
const ASK_EVERY_MS = 2_000;

export const rentalCallActivities: Pick<
  GolemActivities,
  'golemAwaitVm' | 'golemRunScript' | 'golemTerminateJob'
> = {
  /**
   * Waits until a VM of an interactive job is up.
   *
   * Effect: none.
   * Retry: asks again.
   * @throws AgreementEnded - the job is over (not retried)
   */
  async golemAwaitVm({ jobId }) {
    return await attempt(async ({ signal }) => {
      const { client } = Context.current();
      for (let waitMs = ASK_FIRST_MS; ; waitMs = Math.min(waitMs * 2, ASK_EVERY_MS)) {
        const seen = await describe(client, jobId);
        if (seen?.status.name !== 'RUNNING') throw failure('AgreementEnded', `the job ${jobId} is over`);
        const told = await query<JobProgress>(client, jobId, 'progress');
        const up = told?.rentals.find(({ state }) => state === 'ready' || state === 'busy');
        if (up) return { rentalId: up.workflowId };
        await delay(waitMs, undefined, { signal });
      }
    });
  },

  /**
   * Sends a script to a rental's VM, behind those that were sent before, and waits for what it comes to.
   *
   * Effect: the script runs.
   * Retry: sends it again under its id, which is the same script: it is not run twice.
   * @throws what the Update fails for, by name: AgreementEnded, RentalDetached, InvalidJobSpec, ControlRefused (not retried)
   */
  async golemRunScript({ rentalId, script }) {
    const { scriptId } = script;
    return await attempt(async ({ signal }) => {
      const rental = Context.current().client.workflow.getHandle(rentalId);
      await updated(rental, 'executeScript', script, signal, scriptId);
      for (;;) {
        const outcome = await updated<ScriptOutcome>(rental, 'scriptResult', { scriptId }, signal);
        if (outcome.state !== 'running') return outcome;
      }
    });
  },

  /**
   * Ends a job in good order.
   *
   * Effect: the job ends its rentals.
   * Retry: one that is over is a success.
   */
  async golemTerminateJob({ jobId, reason }) {
    await attempt(async ({ signal }) => {
      const job = Context.current().client.workflow.getHandle(jobId);
      await updated(job, 'terminate', { reason }, signal).catch((error: unknown) => {
        if (!(error instanceof ApplicationFailure) || error.type !== 'AgreementEnded') throw error;
      });
    });
  },
};

/**
 * Sends an Update, again where the run that took it has gone on as a new one.
 * @throws the named failure that it was answered with; AgreementEnded - the workflow is over
 */
async function updated<T>(
  workflow: WorkflowHandle,
  name: string,
  argument: object,
  signal: AbortSignal,
  updateId?: string,
): Promise<T> {
  for (;;) {
    try {
      return await Context.current().client.withAbortSignal(signal, () =>
        workflow.executeUpdate<T, [object]>(name, { args: [argument], updateId }),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (isNotFound(error)) throw failure('AgreementEnded', `${workflow.workflowId} is over`);
      const named = error instanceof WorkflowUpdateFailedError ? namedCause(error) : undefined;
      if (!named) throw error;
      const { type, message, details } = named;
      if (type !== CUT_SHORT) throw ApplicationFailure.nonRetryable(message, type, ...(details ?? []));
    }
    await delay(ASK_FIRST_MS, undefined, { signal });
  }
}

function namedCause(error: unknown): ApplicationFailure | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ApplicationFailure) return at;
  return undefined;
}
