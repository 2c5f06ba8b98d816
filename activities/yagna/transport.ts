/**
 * Sends one HTTP request to yagna: key, timeout, abort, reading of the body, errors by kind. It knows no call of
 * yagna's; those are in market.ts, payment.ts and exe-unit.ts.
 */
import {
  MarketApi,
  type ActivityApi,
  type IdentityApi,
  type PaymentApi,
  type VersionApi,
} from 'ya-ts-client';
import { REQUEST_TIMEOUT_MS } from '../../model/request-lifetime';
import { MAX_BODY_BYTES, readBody } from './bounded-body';
import { errorOfStatus, YagnaError } from './errors';
import type { Reachability } from './reachability';
import { spanned, type RequestDone, type RequestOutcome } from './request-span';
import { redacted } from './redact';

const NEEDS_NO_KEY = '/version/get';
/** How much longer than its own timeout a long poll may take. */
const LONG_POLL_GRACE_MS = 10_000;
/** Where a yagna is and the key it wants. */
export interface Endpoint {
  /** Without a slash at the end. */
  url: string;
  appKey: string;
}

/** Gives the endpoint of a connection as it is now, and hears of failures. */
export interface EndpointSource {
  endpoint(): Endpoint;
  /** Called when yagna could not be reached or refused the key: its address may have changed. */
  failed(): void;
  /** What must stand in no error: every app key that is or was known. Default: that of the endpoint. */
  secrets?(): readonly string[];
}

export interface WireRequest {
  method: string;
  /** Path with the API's prefix, such as `/market-api/v1/demands`. */
  path: string;
  /** The same with names in braces for ids, for traces and metrics. Default: `path`, where no id is in it. */
  template?: string;
  query?: Record<string, unknown>;
  body?: unknown;
}

export interface SendOptions {
  signal?: AbortSignal;
  /** Default: the transport's. */
  timeoutMs?: number;
  headers?: Record<string, string>;
}

export class Transport {
  /** yagna's clock minus ours, from its `Date` header; 0 until it answered once. */
  clockOffsetMs = 0;

  constructor(
    readonly connection: string,
    private readonly source: EndpointSource,
    private readonly timeoutMs = REQUEST_TIMEOUT_MS,
    private readonly reachability?: Reachability,
    /** Told of each request that is over. */
    private readonly onRequest: (done: RequestDone) => void = () => undefined,
  ) {}

  /**
   * @returns the parsed JSON body, text where it is no JSON, undefined where there is none
   * @throws YagnaError, or the signal's reason when it aborts
   */
  async send(request: WireRequest, options: SendOptions = {}): Promise<unknown> {
    const startedMs = Date.now();
    let endpoint = this.source.endpoint();
    try {
      const answer = await this.sendTo(endpoint, request, options).catch(async (error: unknown) => {
        if (!(error instanceof YagnaError) || error.status !== 401) throw error;
        // A refused request had no effect: with another key, or at another place, it may be sent again.
        const now = this.source.endpoint();
        if (now.url === endpoint.url && now.appKey === endpoint.appKey) throw error;
        endpoint = now;
        return await this.sendTo(now, request, options);
      });
      this.reachability?.answered(originOf(endpoint.url), request.path !== NEEDS_NO_KEY);
      return answer;
    } catch (error) {
      if (!(error instanceof YagnaError)) throw error;
      const secrets = this.source.secrets?.() ?? [endpoint.appKey];
      const told = error.reworded((words) => redacted(words, secrets));
      this.reachability?.failed(originOf(endpoint.url), told, startedMs);
      throw told;
    }
  }

  private async sendTo(endpoint: Endpoint, request: WireRequest, options: SendOptions): Promise<unknown> {
    const { method, path, template = path } = request;
    return await spanned(
      { method, path, template, url: endpoint.url, connection: this.connection },
      (answered) => this.exchange(endpoint, request, options, answered),
      outcomeOf,
      this.onRequest,
    );
  }

  private async exchange(
    endpoint: Endpoint,
    request: WireRequest,
    options: SendOptions,
    answered: (status: number) => void,
  ): Promise<unknown> {
    const call = `${request.method} ${request.path}`;
    const timeoutMs = options.timeoutMs ?? this.timeoutMs;
    const abort = new AbortController();
    const onAbort = () => abort.abort();
    options.signal?.throwIfAborted();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      abort.abort();
    }, timeoutMs);
    try {
      const response = await fetch(endpoint.url + request.path + queryString(request.query), {
        method: request.method,
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${endpoint.appKey}`,
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...options.headers,
        },
        body: request.body === undefined ? undefined : JSON.stringify(request.body),
        redirect: 'manual',
        signal: abort.signal,
      });
      answered(response.status);
      const text = await readBody(response);
      this.readClock(response.headers.get('date'));
      if (text === undefined) throw this.tooLong(call);
      const body = this.parse(call, response.headers.get('content-type') ?? '', text, response.ok);
      if (response.ok) return body;
      if (response.status === 401) this.source.failed();
      throw errorOfStatus(call, this.connection, response.status, body);
    } catch (error) {
      if (error instanceof YagnaError) throw error;
      options.signal?.throwIfAborted();
      this.source.failed();
      throw timedOut ? this.timeoutError(call, timeoutMs) : this.networkError(call, error, endpoint);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  private parse(call: string, contentType: string, text: string, ok: boolean): unknown {
    if (text === '') return undefined;
    if (!/^application\/(problem\+)?json/i.test(contentType)) return text;
    try {
      return JSON.parse(text);
    } catch {
      // yagna sends some plain-text errors as JSON.
      if (!ok) return text;
      throw new YagnaError({
        kind: 'incompatible',
        call,
        connection: this.connection,
        detail: 'answered JSON that cannot be parsed',
      });
    }
  }

  private readClock(date: string | null): void {
    const theirs = date === null ? NaN : Date.parse(date);
    if (!Number.isNaN(theirs)) this.clockOffsetMs = theirs - Date.now();
  }

  private tooLong(call: string): YagnaError {
    const detail = `the answer is longer than ${MAX_BODY_BYTES / 1024 / 1024} MiB`;
    return new YagnaError({ kind: 'tooLong', call, connection: this.connection, detail });
  }

  private timeoutError(call: string, timeoutMs: number): YagnaError {
    const detail = `no answer within ${Math.round(timeoutMs / 1000)} s`;
    const { connection } = this;
    return new YagnaError({ kind: 'lost', call, connection, detail, unanswered: detail, timedOut: true });
  }

  private networkError(call: string, error: unknown, endpoint: Endpoint): YagnaError {
    const causes = causesOf(error);
    const neverSent = causes.length > 0 && causes.every(isConnectFailure);
    const reason = causes.map((cause) => cause.code ?? cause.message).join(', ');
    const place = originOf(endpoint.url);
    return new YagnaError({
      kind: neverSent ? 'unreachable' : 'lost',
      call,
      connection: this.connection,
      detail: neverSent
        ? `cannot connect to ${place} (${reason})`
        : `connection to ${place} was lost (${reason})`,
      certainlyNoEffect: neverSent,
      unanswered: reason,
    });
  }
}

/** What is no error of yagna's is the caller's own reason to call it off. */
function outcomeOf(error: unknown): RequestOutcome {
  return error instanceof YagnaError ? error.kind : 'aborted';
}

interface NetworkCause {
  code?: string;
  syscall?: string;
  message: string;
}

/**
 * What lies under fetch's `TypeError: fetch failed`; several where a name has several addresses. Told by shape, for
 * fetch's errors may come from another realm than ours.
 */
function causesOf(error: unknown): NetworkCause[] {
  const { cause, errors } = Object(error) as { cause?: unknown; errors?: unknown };
  if (Array.isArray(errors) && errors.length > 0) return errors.flatMap(causesOf);
  if (cause !== undefined) return causesOf(cause);
  return [isCause(error) ? error : { message: String(error) }];
}

function isCause(error: unknown): error is NetworkCause {
  return typeof (Object(error) as NetworkCause).message === 'string';
}

const CONNECT_FAILURES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_INVALID_URL',
]);

function isConnectFailure(cause: NetworkCause): boolean {
  return cause.syscall === 'connect' || CONNECT_FAILURES.has(cause.code ?? '');
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'an address that is no URL';
}

function queryString(query: Record<string, unknown> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return '';
  const pairs = given.map(([key, value]): [string, string] => [key, String(value)]);
  return `?${new URLSearchParams(pairs).toString()}`;
}

type ApiRequestOptions = Parameters<MarketApi.BaseHttpRequest['request']>[0];

/** ya-ts-client's request class on our transport, for one call. */
class RequestClass extends MarketApi.BaseHttpRequest {
  constructor(
    private readonly transport: Transport,
    base: string,
    private readonly options: SendOptions,
  ) {
    super({ BASE: base, VERSION: '', WITH_CREDENTIALS: false, CREDENTIALS: 'omit' });
  }

  override request<T>(api: ApiRequestOptions): MarketApi.CancelablePromise<T> {
    const path = api.url.replace(/{(.*?)}/g, (_, name: string) =>
      encodeURIComponent(String(api.path?.[name])),
    );
    const { BASE } = this.config;
    const { method, query, body } = api;
    const sent = this.transport.send(
      { method, path: BASE + path, template: BASE + api.url, query, body },
      this.options,
    );
    return new MarketApi.CancelablePromise<T>((resolve, reject) => {
      // The generated types are promises, not checks: wire.ts reads what really came.
      sent.then((body) => resolve(body as T), reject);
    });
  }
}

/** A path that ya-ts-client has no call for: its ids take the places of the names in braces, in order. */
export function route(template: string, ...ids: string[]): Pick<WireRequest, 'path' | 'template'> {
  const left = ids.map(encodeURIComponent);
  return { template, path: template.replace(/{.*?}/g, () => left.shift() ?? '') };
}

/** Base paths of yagna's APIs. */
export const MARKET = '/market-api/v1';
export const PAYMENT = '/payment-api/v1';
export const ACTIVITY = '/activity-api/v1';

/**
 * The request class for one of ya-ts-client's APIs. Each of them declares the same class anew, with a private
 * field that makes the types differ, hence the cast.
 */
export function requestClass(
  transport: Transport,
  base: string,
  options: SendOptions,
): MarketApi.BaseHttpRequest &
  PaymentApi.BaseHttpRequest &
  ActivityApi.BaseHttpRequest &
  VersionApi.BaseHttpRequest &
  IdentityApi.BaseHttpRequest {
  return new RequestClass(transport, base, options) as never;
}

/** A poll's timeout as yagna may get it: a negative one crashes some of its handlers. */
export function notNegative(timeoutSec: number): number {
  return Math.max(0, timeoutSec);
}

/** Options of a long poll that yagna answers after `timeoutSec` at the latest. */
export function longPoll(timeoutSec: number, signal?: AbortSignal): SendOptions {
  return { signal, timeoutMs: notNegative(timeoutSec) * 1000 + LONG_POLL_GRACE_MS };
}
