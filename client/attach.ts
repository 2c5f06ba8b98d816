/** Attaches a rental to a Golem activity that runs already. */
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { askedAgain } from '../model/ask-again';
import { attachId, attachProblems, type AttachSpec } from '../model/attach';
import { ATTACH, type ControlSpec } from '../model/control';
import { DEFAULT_TASK_QUEUE } from '../model/ids';
import type { RentalProgress } from '../model/result';
import type { ControlSigner } from './control-signer';
import { isNoAnswer, namedCause } from './errors';

export interface AttachOptions extends AttachSpec {
  /** Of the worker. Default `default`. */
  connection?: string;
  /**
   * Who owns it, where it was rented for an owner alone: it takes only what he signs then. Default: the signer, if there is
   * one.
   */
  control?: ControlSpec;
  /** Stops the wait; the rental goes on attaching. */
  signal?: AbortSignal;
}

export interface AttachTarget {
  client: Client;
  /** Of the worker whose yagna holds the activity. Default `golem`. */
  taskQueue?: string;
  /** Signs what is asked for: with the owner's key, where the VM has an owner. */
  signer?: ControlSigner;
}

export interface AttachedRental {
  /** Workflow id of the rental, for the Updates `executeScript`, `scriptResult`, `detach` and `terminate`. */
  rentalId: string;
  progress: RentalProgress;
}

const ASK_EVERY_MS = 200;

/**
 * Starts a `golemRental` that takes over a Golem activity, and waits until it has. While yagna is away it waits on.
 *
 * @throws ApplicationFailure by its type - `InvalidJobSpec`, `UnknownActivity`, `ActivityForeign`, `ActivityEnded`,
 * `ActivityInUse`, `UnknownConnection`, `ControlRefused`: nothing was taken over, and nothing has changed
 */
export async function attach(
  { client, taskQueue = DEFAULT_TASK_QUEUE, signer }: AttachTarget,
  { connection, control = signer && { owner: signer.key }, signal, ...spec }: AttachOptions,
): Promise<AttachedRental> {
  const problems = attachProblems({ attach: spec, connection, control });
  if (problems.length > 0) {
    throw ApplicationFailure.nonRetryable(problems.join('\n'), 'InvalidJobSpec', [problems]);
  }
  const rentalId = attachId(spec.activityId);
  const asked = { attach: spec, connection, control };
  const input = signer ? await signer.authorize({ workflowId: rentalId }, ATTACH, asked) : asked;
  try {
    await client.workflow.start('golemRental', { workflowId: rentalId, taskQueue, args: [input] });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const message = `rental ${rentalId} holds Golem activity ${spec.activityId}`;
    throw ApplicationFailure.nonRetryable(message, 'ActivityInUse');
  }
  const handle = client.workflow.getHandle(rentalId);
  for (;;) {
    signal?.throwIfAborted();
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') {
      await handle.result().catch((error: unknown) => {
        throw error instanceof WorkflowFailedError ? (namedCause(error) ?? error) : error;
      });
    }
    const progress = await stateOf(client, rentalId);
    if (progress && progress.state !== 'attaching' && progress.state !== 'failed')
      return { rentalId, progress };
    await delay(ASK_EVERY_MS, undefined, { signal });
  }
}

/** Undefined while it cannot tell yet. */
async function stateOf(client: Client, rentalId: string): Promise<RentalProgress | undefined> {
  try {
    return await askedAgain<RentalProgress>(client.workflow.getHandle(rentalId), 'progress');
  } catch (error) {
    // No worker answers, or it has not begun.
    if (isNoAnswer(error)) return undefined;
    throw error;
  }
}
