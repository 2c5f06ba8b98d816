/**
 * What can go wrong when talking to yagna, as one error class, and its translation into the failures users see.
 * Whoever calls decides what an error means for its effect; `toFailure` is for what it did not expect.
 */
import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
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
}

export class YagnaError extends Error {
  readonly kind: YagnaErrorKind;
  readonly call: string;
  readonly status?: number;
  readonly detail: string;
  readonly certainlyNoEffect: boolean;

  constructor(fields: YagnaErrorFields) {
    const where = fields.connection === undefined ? 'yagna' : `yagna (connection ${fields.connection})`;
    const status = fields.status === undefined ? '' : `${fields.status} `;
    super(oneLine(`${where}: ${fields.call}: ${status}${fields.detail}`));
    this.name = 'YagnaError';
    this.kind = fields.kind;
    this.call = fields.call;
    this.status = fields.status;
    this.detail = oneLine(fields.detail);
    this.certainlyNoEffect = fields.certainlyNoEffect ?? false;
  }
}

export function isYagnaError(error: unknown, ...kinds: YagnaErrorKind[]): error is YagnaError {
  return error instanceof YagnaError && (kinds.length === 0 || kinds.includes(error.kind));
}

/** The answer, or undefined where yagna knows no such thing. */
export async function unlessNotFound<T>(answer: PromiseLike<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isYagnaError(error, 'notFound')) return undefined;
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
    return failure(names[error.kind] ?? usual, error.message);
  }
  // By name: fetch's errors may come from another realm than ours.
  if ((Object(error) as Error).name === 'AbortError') return new CancelledFailure('aborted');
  return ApplicationFailure.fromError(error, { type: 'Error' satisfies FailureType });
}

/** A named failure, retryable as `model/failures.ts` says. */
export function failure(type: FailureType, message: string, details?: unknown[]): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: !FAILURES[type].retryable, details });
}
