/**
 * Rentals as a client sees them: opens one, sends scripts to its VM by Update and waits for their outcomes. An Update may be
 * lost with the worker, the run or the connection it was sent to; it is sent again, and known by its script's id.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Detached } from '../model/attach';
import { rentalId as rentalIdOf } from '../model/ids';
import { PERMISSIONS, type ControlKey, type GrantRequest, type Operation } from '../model/control';
import type { CommandResult, JobProgress, RentalProgress, RentalState } from '../model/result';
import type { ExecuteScript, ScriptOutcome } from '../model/script';
import type { ControlSigner, SignedFor } from './control-signer';
import { endedRental } from './ended-rental';
import {
  GolemJobError,
  GolemRentalError,
  isPassing,
  namedCause,
  NoAnswerError,
  UnknownRentalError,
} from './errors';
import type { GolemClient, StartJobOptions } from './golem-client';
import { JOB_TYPE, RENTAL_TYPE, type JobWorkflows } from './job-workflows';
import { followRunning, ResultDelivery } from './script-follower';
import { signedFor } from './signed-for';

const ASK_EVERY_MS = 1_000;
/** Before an Update that was lost is sent again. */
const AGAIN_AFTER_MS = 1_000;

export interface RentOptions extends StartJobOptions {
  /** Wait until the VM is up. Default true. */
  waitReady?: boolean;
  /** Told when the job has been started. */
  onStarted?: (jobId: string) => void;
  /** Told where the job stands while the VM comes up, about once a second. */
  onProgress?: (progress: JobProgress) => void;
  /** Ends the waiting; the job goes on. */
  signal?: AbortSignal;
}

export interface FollowScriptOptions {
  /**
   * Told of each command's result once, in order: within some five seconds of its end while the script runs, the last with the
   * outcome.
   */
  onResult?: (result: CommandResult) => void;
  /** Ends the waiting; the script goes on. */
  signal?: AbortSignal;
}

export interface ExecOptions extends FollowScriptOptions, Omit<ExecuteScript, 'commands'> {}

export class Rentals {
  constructor(
    private readonly golem: GolemClient,
    private readonly workflows: JobWorkflows,
    private readonly answerLimitMs: number,
    private readonly signer?: ControlSigner,
  ) {}

  async rent(spec: object, options: RentOptions): Promise<{ jobId: string; rentalId: string }> {
    const { waitReady = true, onStarted, onProgress, signal, ...start } = options;
    const { jobId } = await this.golem.startJob({ tasks: [], ...spec, interactive: true }, start);
    onStarted?.(jobId);
    if (!waitReady) return { jobId, rentalId: rentalIdOf(jobId, 1) };
    return { jobId, rentalId: await this.untilReady(jobId, onProgress, signal) };
  }

  /** @returns the id of the rental whose VM is up */
  private async untilReady(
    jobId: string,
    onProgress: RentOptions['onProgress'],
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const over = new AbortController();
    const ended = this.golem.result(jobId).finally(() => over.abort());
    ended.catch(() => undefined);
    while (!over.signal.aborted) {
      signal?.throwIfAborted();
      const progress = await this.golem.progress(jobId).catch((error: unknown) => {
        // It is waited for, whoever answers.
        if (error instanceof NoAnswerError) return undefined;
        throw error;
      });
      if (progress) onProgress?.(progress);
      const up = progress?.rentals.find(({ state }) => isUp(state));
      if (up) return up.workflowId;
      const stop = signal ? AbortSignal.any([over.signal, signal]) : over.signal;
      await delay(ASK_EVERY_MS, undefined, { signal: stop }).catch(() => undefined);
    }
    const { failure } = await ended;
    const { type = 'AgreementEnded', message = 'it was ended before its VM was up' } = failure ?? {};
    throw new GolemJobError(jobId, type, message);
  }

  /**
   * A rental's id, of that or of its job's.
   * @throws UnknownRentalError; NoAnswerError - a job was meant, and no worker is there to tell its rentals;
   * GolemRentalError `RentalNotReady` - the job has none yet
   */
  async resolve(id: string): Promise<string> {
    const seen = await this.workflows.describe(id);
    if (seen?.type === RENTAL_TYPE) return id;
    if (seen?.type !== JOB_TYPE) throw this.unknown(id, seen?.type);
    const { rentals } = await this.workflows.query<JobProgress>(id, 'progress');
    const newest = rentals.filter(({ state }) => !isEnding(state)).at(-1) ?? rentals.at(-1);
    if (newest) return newest.workflowId;
    if (seen.running) throw new GolemRentalError(id, 'RentalNotReady', 'the job has no rental yet');
    throw new GolemRentalError(id, 'AgreementEnded', 'the job is over, and never had a rental');
  }

  async progress(rentalId: string): Promise<RentalProgress> {
    return await this.workflows.query<RentalProgress>(rentalId, 'progress');
  }

  async execute(
    rentalId: string,
    script: ExecuteScript,
    signal?: AbortSignal,
  ): Promise<{ scriptId: string }> {
    const scriptId = script.scriptId ?? randomUUID();
    // One that the rental's run knows is not even put before it again; a later run knows the script's own id.
    const sent = { ...script, scriptId };
    return await this.update<{ scriptId: string }>(rentalId, 'executeScript', sent, signal, scriptId);
  }

  async result(
    rentalId: string,
    scriptId: string,
    waitSec?: number,
    signal?: AbortSignal,
  ): Promise<ScriptOutcome> {
    const asked = { scriptId, waitSec };
    return await this.update<ScriptOutcome>(rentalId, 'scriptResult', asked, signal);
  }

  async exec(
    rentalId: string,
    commands: ExecuteScript['commands'],
    { onResult, signal, ...script }: ExecOptions,
  ): Promise<ScriptOutcome> {
    const { scriptId } = await this.execute(rentalId, { ...script, commands }, signal);
    return await this.follow(rentalId, scriptId, { onResult, signal });
  }

  async follow(
    rentalId: string,
    scriptId: string,
    { onResult, signal }: FollowScriptOptions,
  ): Promise<ScriptOutcome> {
    const delivery = new ResultDelivery(onResult ?? (() => undefined));
    const over = new AbortController();
    const following = onResult && followRunning(this.golem.client, rentalId, scriptId, delivery, over.signal);
    try {
      for (;;) {
        const outcome = await this.result(rentalId, scriptId, undefined, signal);
        if (outcome.state === 'running') continue;
        over.abort();
        await following;
        delivery.take(outcome.results);
        return outcome;
      }
    } finally {
      over.abort();
    }
  }

  /** @throws ApplicationFailure by its type */
  async detach(rentalId: string): Promise<Detached> {
    // By this id its answer is found, also when the rental has ended with it.
    const updateId = randomUUID();
    try {
      return await this.update<Detached>(rentalId, 'detach', {}, undefined, updateId);
    } catch (error) {
      if (!(error instanceof GolemRentalError)) throw error;
      const named = namedCause(error);
      if (named && !isPassing(error.cause)) throw named;
      const rental = this.golem.client.workflow.getHandle(rentalId);
      const answered = await rental
        .getUpdateHandle<Detached>(updateId)
        .result()
        .catch(() => undefined);
      if (answered) return answered;
      throw error;
    }
  }

  async terminate(id: string, reason: string | undefined): Promise<boolean> {
    const seen = await this.workflows.describe(id);
    if (seen?.type !== JOB_TYPE && seen?.type !== RENTAL_TYPE) throw this.unknown(id, seen?.type);
    const { client } = this.golem;
    if (!seen.running) {
      // A VM that was left alive on purpose is not ended by its old name.
      const last = seen.type === RENTAL_TYPE ? id : await this.resolve(id).catch(() => undefined);
      const ended = last && (await endedRental(client, last, this.signer !== undefined));
      if (ended && ended.type === 'RentalDetached') throw ended;
      return false;
    }
    const of = { workflowId: id, firstRunId: seen.firstRunId };
    const args: [object] = [await this.signed(of, 'terminate', { reason })];
    try {
      await client.withDeadline(Date.now() + this.answerLimitMs, () =>
        client.workflow.getHandle(id).executeUpdate<unknown, [object]>('terminate', { args }),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      if (isPassing(error)) throw new NoAnswerError(id, { cause: error, isAsked: true });
      const named = error instanceof WorkflowUpdateFailedError && namedCause(error);
      if (named) throw new GolemRentalError(id, named.type ?? 'Error', named.message, { cause: error });
      throw error;
    }
  }

  /** Of a rental, or of a job, which takes no scripts. */
  async grant(id: string, request: GrantRequest): Promise<void> {
    await this.requireTaking(id, request.permissions);
    await this.update<void>(id, 'grant', request, undefined);
  }

  async revoke(id: string, key: ControlKey): Promise<void> {
    await this.requireTaking(id, []);
    await this.update<void>(id, 'revoke', { key }, undefined);
  }

  private async requireTaking(id: string, permissions: GrantRequest['permissions']): Promise<void> {
    const seen = await this.workflows.describe(id);
    if (seen?.type !== JOB_TYPE && seen?.type !== RENTAL_TYPE) throw this.unknown(id, seen?.type);
    const isOfRental = permissions.some((each) => each === 'exec' || each === 'read');
    if (seen.type !== JOB_TYPE || !isOfRental) return;
    const others = PERMISSIONS.filter((each) => each !== 'exec' && each !== 'read').join(', ');
    const message = `a job takes no scripts: grant exec and read for its rental, such as ${rentalIdOf(id, 1)}, and for a job ${others}`;
    throw new GolemRentalError(id, 'InvalidJobSpec', message);
  }

  /** Signed anew each time: a signature is good for one Update. */
  private async signed(of: SignedFor, operation: Operation, argument: object): Promise<object> {
    return this.signer ? await this.signer.authorize(of, operation, argument) : argument;
  }

  /** Sends an Update until it is answered, whatever is away or goes on as new meanwhile. */
  private async update<T>(
    rentalId: string,
    name: Operation,
    argument: object,
    signal: AbortSignal | undefined,
    updateId?: string,
  ): Promise<T> {
    const { client } = this.golem;
    // Whoever has the id later is not the one that was asked.
    let of: SignedFor | undefined;
    const send = async (): Promise<T> => {
      if (this.signer) of ??= await signedFor(client, rentalId);
      const args: [object] = [of ? await this.signed(of, name, argument) : argument];
      return await client.workflow.getHandle(rentalId).executeUpdate<T, [object]>(name, { args, updateId });
    };
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await (signal ? client.withAbortSignal(signal, send) : send());
      } catch (error) {
        signal?.throwIfAborted();
        await this.requireAgain(rentalId, error);
      }
      await delay(AGAIN_AFTER_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Throws what an Update failed for, unless it may do better when it is sent again. */
  private async requireAgain(rentalId: string, error: unknown): Promise<void> {
    const isGone = error instanceof WorkflowNotFoundError;
    if (isGone || isPassing(error)) {
      const seen = await this.workflows.describe(rentalId).catch((reason: unknown) => {
        if (isPassing(reason)) return 'unseen' as const;
        throw reason;
      });
      if (seen === undefined) throw this.unknown(rentalId);
      if (seen === 'unseen' || seen.running) return;
      throw await endedRental(this.golem.client, rentalId, this.signer !== undefined, error);
    }
    const named = error instanceof WorkflowUpdateFailedError && namedCause(error);
    if (!named) throw error;
    throw new GolemRentalError(rentalId, named.type ?? 'Error', named.message, { cause: error });
  }

  private unknown(id: string, otherType?: string): UnknownRentalError {
    return new UnknownRentalError(id, this.golem.client.options.namespace, otherType);
  }
}

/** It takes scripts now. */
function isUp(state: RentalState): boolean {
  return state === 'ready' || state === 'busy';
}

function isEnding(state: RentalState): boolean {
  return state === 'closing' || state === 'closed' || state === 'failed';
}
