/**
 * The frame around every Temporal activity here: it beats while it runs, hands down the signal of its
 * cancellation, and turns whatever goes wrong into a named failure.
 */
import { Context } from '@temporalio/activity';
import type { FailureType } from '../model/failures';
import { toFailure, type YagnaErrorKind } from './yagna';

export interface Attempt {
  /** Aborted when the activity is cancelled, or its worker shuts down. */
  signal: AbortSignal;
  /** 1 for the first. */
  number: number;
  retried: boolean;
}

export async function attempt<T>(
  work: (attempt: Attempt) => Promise<T>,
  names: Partial<Record<YagnaErrorKind, FailureType>> = {},
): Promise<T> {
  const context = Context.current();
  const { heartbeatTimeoutMs, attempt: number } = context.info;
  const beat = heartbeatTimeoutMs
    ? setInterval(() => context.heartbeat(), Math.max(500, heartbeatTimeoutMs / 3))
    : undefined;
  try {
    return await work({ signal: context.cancellationSignal, number, retried: number > 1 });
  } catch (error) {
    throw toFailure(error, names);
  } finally {
    clearInterval(beat);
  }
}
