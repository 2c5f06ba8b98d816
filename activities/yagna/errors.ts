/**
 * What can go wrong when talking to yagna, as one error class, and its translation into the failures users see.
 * Whoever calls decides what an error means for its effect; `toFailure` is for what it did not expect.
 */
import {
  ApplicationFailure,
  ApplicationFailureCategory,
  type ApplicationFailureOptions,
  CancelledFailure,
  TemporalFailure,
} from '@temporalio/common';
import { FAILURES, type FailureType } from '../../model/failures';
import { foreignText } from '../../model/foreign-text';

export type YagnaErrorKind =
  /** The request was never sent: connection refused, name not found, connect timeout. */
  | 'unreachable'
  /** The request was sent, the answer lost: its effect is unknown. */
  | 'lost'
  /** yagna's 408 or 504: somebody behind it (the provider) did not answer in time. */
  | 'timeout'
  | 'server'
  | 'unauthorized'
  /** 410, or yagna's `endpoint address not found`: what was addressed existed and does not any more. */
  | 'gone'
  /** 404, and yagna's 500 `Not found` for unknown Golem activities. */
  | 'notFound'
  | 'conflict'
  | 'badRequest'
  /** An answer that cannot be read. */
  | 'incompatible'
  /** An answer longer than any that is read. */
  | 'tooLong';

export interface YagnaErrorFields {
  kind: YagnaErrorKind;
  /** Method and path, such as `POST /market-api/v1/demands`. */
  call: string;
  /** yagna's own message where there is one. */
  detail: string;
  connection?: string;
  status?: number;
  /** True when the request cannot have had an effect. */
  certainlyNoEffect?: boolean;
  /** Why yagna itself gave no answer, such as `ECONNREFUSED`; absent where it did. */
  unanswered?: string;
  /** No answer came in the time we wait: yagna may be busy with a silent provider. */
  timedOut?: boolean;
  /** A refusal's own fields beside its words, as problem+json has them. */
  problem?: Readonly<Record<string, unknown>>;
}

export class YagnaError extends Error {
  readonly kind: YagnaErrorKind;
  readonly call: string;
  readonly status?: number;
  readonly detail: string;
  readonly certainlyNoEffect: boolean;
  readonly unanswered?: string;
  readonly problem: Readonly<Record<string, unknown>>;
  private readonly timedOut: boolean;

  constructor(private readonly fields: YagnaErrorFields) {
    const where = fields.connection === undefined ? 'yagna' : `yagna (connection ${fields.connection})`;
    const status = fields.status === undefined ? '' : `${fields.status} `;
    super(oneLine(`${where}: ${fields.call}: ${status}${fields.detail}`));
    this.name = 'YagnaError';
    this.kind = fields.kind;
    this.call = fields.call;
    this.status = fields.status;
    this.detail = oneLine(fields.detail);
    this.certainlyNoEffect = fields.certainlyNoEffect ?? false;
    this.unanswered = fields.unanswered && oneLine(fields.unanswered);
    this.timedOut = fields.timedOut ?? false;
    this.problem = fields.problem ?? {};
  }

  /** It is yagna that is away, not a provider behind it that is silent. */
  get isAway(): boolean {
    return this.unanswered !== undefined && !this.timedOut;
  }

  /** The same, with its words as `change` makes them. */
  reworded(change: (words: string) => string): YagnaError {
    const { detail, unanswered } = this.fields;
    const told = { detail: change(detail), unanswered: unanswered && change(unanswered) };
    const same = told.detail === detail && told.unanswered === unanswered;
    return same ? this : new YagnaError({ ...this.fields, ...told });
  }
}

export function isYagnaError(error: unknown, ...kinds: YagnaErrorKind[]): error is YagnaError {
  return error instanceof YagnaError && (kinds.length === 0 || kinds.includes(error.kind));
}

/** The answer, or undefined where yagna knows no such thing. */
export async function unlessNotFound<T>(answer: PromiseLike<T>): Promise<T | undefined> {
  return await unless(answer, 'notFound');
}

/** The answer, or undefined where yagna knows no such thing, or none any more. */
export async function unlessGone<T>(answer: PromiseLike<T>): Promise<T | undefined> {
  return await unless(answer, 'notFound', 'gone');
}

async function unless<T>(answer: PromiseLike<T>, ...kinds: YagnaErrorKind[]): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isYagnaError(error, ...kinds)) return undefined;
    throw error;
  }
}

/** The error of an answer whose status is not 2xx. */
export function errorOfStatus(call: string, connection: string, status: number, body: unknown): YagnaError {
  const detail = messageOf(body) ?? 'without a message';
  const kind = kindOfStatus(status, detail);
  const refused = (status >= 400 && status < 500 && status !== 408) || status === 501;
  return new YagnaError({
    kind,
    call,
    connection,
    status,
    detail,
    // A message to an address that does not exist was delivered to nobody.
    certainlyNoEffect: refused || kind === 'gone' || kind === 'notFound',
    // What stands before a yagna that is not there says so; yagna's own troubles are 500.
    problem: status === 400 && typeof body === 'object' ? { ...body } : undefined,
    unanswered: status === 502 || status === 503 ? String(status) : undefined,
  });
}

function kindOfStatus(status: number, detail: string): YagnaErrorKind {
  if (status >= 500 && status !== 504) {
    if (detail.includes('endpoint address not found')) return 'gone';
    if (/^DAO error: Not found/.test(detail)) return 'notFound';
    return 'server';
  }
  switch (status) {
    case 408:
    case 504:
      return 'timeout';
    case 401:
    case 403:
      return 'unauthorized';
    case 404:
      return 'notFound';
    case 409:
      return 'conflict';
    case 410:
      return 'gone';
  }
  return status >= 400 ? 'badRequest' : 'incompatible';
}

/** yagna's own words: JSON `message` or `detail`, or plain text. */
function messageOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body === '' ? undefined : body;
  if (typeof body !== 'object' || body === null) return undefined;
  const { message, detail, internalError } = body as Record<string, unknown>;
  const parts = [message, detail, internalError].filter((part) => typeof part === 'string' && part !== '');
  return parts.length === 0 ? undefined : parts.join(': ');
}

/** One line of readable length: much of it is a provider's words. */
export function oneLine(text: string): string {
  return foreignText(text, 500);
}

const FAILURE_OF: Record<YagnaErrorKind, FailureType> = {
  unreachable: 'YagnaUnavailable',
  lost: 'YagnaUnavailable',
  timeout: 'YagnaUnavailable',
  server: 'YagnaUnavailable',
  unauthorized: 'YagnaUnauthorized',
  gone: 'YagnaIncompatible',
  notFound: 'YagnaIncompatible',
  conflict: 'YagnaIncompatible',
  badRequest: 'YagnaIncompatible',
  incompatible: 'YagnaIncompatible',
  tooLong: 'YagnaIncompatible',
};

/**
 * The failure to throw from a Temporal activity.
 *
 * @param names what some kinds mean to the caller, such as `{ notFound: 'AgreementEnded' }`; the others get their default:
 * YagnaUnavailable for what a retry can help, YagnaUnauthorized for 401, YagnaIncompatible for an answer nobody
 * expected. Failures pass unchanged, an abort becomes a CancelledFailure.
 */
export function toFailure(
  error: unknown,
  names: Partial<Record<YagnaErrorKind, FailureType>> = {},
): TemporalFailure {
  if (error instanceof TemporalFailure) return error;
  if (error instanceof YagnaError) {
    // 5xx with "endpoint address not found" may be a provider that comes back.
    const usual =
      error.kind === 'gone' && (error.status ?? 0) >= 500 ? 'YagnaUnavailable' : FAILURE_OF[error.kind];
    const named = failure(names[error.kind] ?? usual, error.message);
    // Of a yagna that is away, or refuses the key, the connection tells once, and not each who asks it something.
    const isTold = error.isAway ? named.type === 'YagnaUnavailable' : error.status === 401;
    return isTold ? untold(named) : named;
  }
  // By name: fetch's errors may come from another realm than ours.
  if ((Object(error) as Error).name === 'AbortError') return new CancelledFailure('aborted');
  return ApplicationFailure.fromError(error, { type: 'Error' satisfies FailureType });
}

/** The same failure, of which Temporal's worker writes no line; `later` is when it is retried, in ms. */
export function untold(named: ApplicationFailure, later?: number): ApplicationFailure {
  return again(named, { category: ApplicationFailureCategory.BENIGN, nextRetryDelay: later });
}

/** The same failure, to be retried after so many ms, or whether or not its kind is usually retried. */
export function again(
  { message, type, nonRetryable, details, cause, category }: ApplicationFailure,
  change: Pick<ApplicationFailureOptions, 'nextRetryDelay' | 'category' | 'nonRetryable'>,
): ApplicationFailure {
  return ApplicationFailure.create({
    ...{ message, type: type ?? undefined, details: details ?? undefined, cause },
    ...{ nonRetryable: nonRetryable ?? undefined, category: category ?? undefined },
    ...change,
  });
}

/** A named failure, retryable as `model/failures.ts` says. */
export function failure(type: FailureType, message: string, details?: unknown[]): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: !FAILURES[type].retryable, details });
}
