/**
 * The frame around every Temporal activity here: it beats while it runs, hands down the signal of its
 * cancellation, and turns whatever goes wrong into a named failure.
 */
import { Context, type Info } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, type TemporalFailure } from '@temporalio/common';
import { backoffMs, YAGNA_BACKOFF } from '../model/backoff';
import type { FailureType } from '../model/failures';
import { ToldFailures } from './told-failures';
import { again, isYagnaError, toFailure, untold, type YagnaErrorKind } from './yagna';

export interface Attempt {
  /** Aborted when the activity is cancelled, or its worker shuts down. */
  signal: AbortSignal;
  /** 1 for the first. */
  number: number;
  retried: boolean;
  /** From now on heartbeats have these details, for who looks at the running activity; the first is sent at once. */
  tell(details: unknown): void;
}

export interface AttemptOptions {
  /** What some kinds of errors mean here; see `toFailure`. */
  names?: Partial<Record<YagnaErrorKind, FailureType>>;
  /**
   * A refused app key is waited for, as a yagna that is away: something is rented, and lives on if the worker is given a
   * valid key in time. Default: it is a failure that is not retried.
   */
  awaitsKey?: boolean;
}

/** For activities about what is rented. */
export const RENTED: AttemptOptions = { awaitsKey: true };

export async function attempt<T>(
  work: (attempt: Attempt) => Promise<T>,
  { names = {}, awaitsKey = false }: AttemptOptions = {},
): Promise<T> {
  const context = Context.current();
  const { heartbeatTimeoutMs, attempt: number } = context.info;
  let details: unknown;
  const heartbeat = (): void => context.heartbeat(details);
  const beat = heartbeatTimeoutMs ? setInterval(heartbeat, beatMs(heartbeatTimeoutMs)) : undefined;
  const tell = (newest: unknown): void => {
    details = newest;
    heartbeat();
  };
  try {
    return await work({ signal: context.cancellationSignal, number, retried: number > 1, tell });
  } catch (error) {
    const keyRefused = awaitsKey && isYagnaError(error) && error.status === 401;
    throw once(paced(toFailure(error, names), number, keyRefused), context.info);
  } finally {
    clearInterval(beat);
  }
}

/**
 * How often an activity beats. What is sent is up to the SDK, which tells Temporal of the newest beat after 0.8 of the limit: one
 * in that time is enough where a busy moment of the process is short beside it.
 */
function beatMs(limitMs: number): number {
  return limitMs >= 60_000 ? limitMs * 0.6 : Math.max(500, limitMs / 3);
}

/** When it is retried, which Temporal's own policy would do at the same time for all; only the first is told in the log. */
function paced(failed: TemporalFailure, number: number, keyRefused: boolean): TemporalFailure {
  if (!(failed instanceof ApplicationFailure)) return failed;
  if (failed.nonRetryable && !keyRefused) return failed;
  const nextRetryDelay = backoffMs(number - 1, YAGNA_BACKOFF, Math.random);
  const retried = again(failed, { nextRetryDelay, nonRetryable: false });
  return number > 1 ? untold(retried, nextRetryDelay) : retried;
}

const told = new ToldFailures();

/** What a workflow tries again by a new activity, it tells no more than what Temporal retries. */
function once(failed: TemporalFailure, { activityType, workflowExecution }: Info): TemporalFailure {
  if (!(failed instanceof ApplicationFailure) || failed.category === ApplicationFailureCategory.BENIGN)
    return failed;
  if (told.isNews(workflowExecution?.workflowId ?? '', activityType, failed.message)) return failed;
  const nextRetryDelay = failed.nextRetryDelay ?? undefined;
  return again(failed, { category: ApplicationFailureCategory.BENIGN, nextRetryDelay });
}
