/** What a caller of GolemClient can meet, each one clear line. */
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowNotFoundError,
} from '@temporalio/common';
import {
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { CUT_SHORT } from '../model/ask-again';
import { CORRECT_ARGUMENT, FAILURES } from '../model/failures';

/** A job, or its settlement, ended badly. */
export class GolemJobError extends Error {
  override readonly name = 'GolemJobError';
  /** What the reader can do about it, for the failures of `model/failures.ts`. */
  readonly action?: string;

  constructor(
    readonly jobId: string,
    /** Name of the failure as in `model/failures.ts`; `Cancelled`, `Terminated` or `TimedOut` where the workflow was ended. */
    readonly type: string,
    /** The failure's own message. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`job ${jobId}: ${type}: ${reason}`, options);
    if (Object.hasOwn(FAILURES, type)) this.action = FAILURES[type as keyof typeof FAILURES].action;
  }
}

/** What was asked of a rental cannot be done. */
export class GolemRentalError extends Error {
  override readonly name = 'GolemRentalError';
  /** What the reader can do about it. */
  readonly action?: string;

  constructor(
    /** The rental's id, or that of a job which has none. */
    readonly rentalId: string,
    /** Name of the failure as in `model/failures.ts`: `AgreementEnded` when the rental is over. */
    readonly type: string,
    /** The failure's own message. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${rentalId}: ${type}: ${reason}`, options);
    if (type === 'InvalidJobSpec') this.action = CORRECT_ARGUMENT;
    else if (Object.hasOwn(FAILURES, type)) this.action = FAILURES[type as keyof typeof FAILURES].action;
  }
}

function noSuch(what: string, id: string, namespace: string, otherType?: string): string {
  const is = otherType === undefined ? '' : `: the workflow of that id is a ${otherType}`;
  return `there is no ${what} ${id} in the namespace ${namespace}${is}`;
}

/** There is neither such a rental nor such a job in the namespace. */
export class UnknownRentalError extends WorkflowNotFoundError {
  constructor(
    readonly rentalId: string,
    namespace: string,
    /** Type of the workflow that has this id. */
    otherType?: string,
  ) {
    super(noSuch('job or rental', rentalId, namespace, otherType), rentalId, undefined);
  }
}

/** There is no such job in the namespace. */
export class UnknownJobError extends WorkflowNotFoundError {
  constructor(
    readonly jobId: string,
    namespace: string,
    /** Type of the workflow that has this id. */
    otherType?: string,
  ) {
    super(noSuch('job', jobId, namespace, otherType), jobId, undefined);
  }
}

/** A question was not answered: queries are answered by workers. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';

  /** @param options - `isAsked`: it was asked to do something, and not only to tell */
  constructor(workflowId: string, { isAsked, ...options }: ErrorOptions & { isAsked?: boolean } = {}) {
    const later = isAsked ? ' What was asked may still be done, once one is.' : '';
    super(
      `${workflowId} does not answer: is a golem-temporal worker running in its namespace?${later}`,
      options,
    );
  }
}

/** An activity's failure is wrapped; the named one lies inside. */
export function namedCause(error: unknown): ApplicationFailure | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ApplicationFailure) return at;
  return undefined;
}

/** What made a workflow fail, by the failure's name. */
export function jobError(jobId: string, cause: unknown): GolemJobError {
  const named = namedCause(cause);
  if (named) return new GolemJobError(jobId, named.type ?? 'Error', named.message, { cause });
  let failure = cause;
  while (failure instanceof Error && failure.cause instanceof Error) failure = failure.cause;
  return new GolemJobError(
    jobId,
    endingOf(failure),
    failure instanceof Error ? failure.message : String(failure),
    {
      cause,
    },
  );
}

function endingOf(failure: unknown): string {
  if (failure instanceof CancelledFailure) return 'Cancelled';
  if (failure instanceof TerminatedFailure) return 'Terminated';
  if (failure instanceof TimeoutFailure) return 'TimedOut';
  return 'Error';
}

/** True when an Update failed for what may be over in a moment; what it asks for may have been done. */
export function isPassing(error: unknown): boolean {
  if (isNoAnswer(error) || error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  if (error instanceof WorkflowUpdateFailedError) return namedCause(error)?.type === CUT_SHORT;
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return isGrpcServiceError(cause) && PASSING.includes(cause.code);
}

const FAILED_PRECONDITION = 9;
/** RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE. */
const PASSING = [8, 10, 14];

/** True when no worker polls, or none answered in time, which either side may be the first to notice. */
export function isNoAnswer(error: unknown): boolean {
  if (isGrpcDeadlineError(error) || isGrpcCancelledError(error)) return true;
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return isGrpcServiceError(cause) && cause.code === FAILED_PRECONDITION;
}
