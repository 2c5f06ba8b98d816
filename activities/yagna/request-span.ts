/**
 * One span of OpenTelemetry for each request to yagna, a child of whatever is being traced: with Temporal's interceptors that
 * is the Temporal activity. It costs next to nothing where no SDK is registered. Names and attributes are those of
 * OpenTelemetry's conventions for HTTP clients. Neither key nor query is in them.
 */
import { SpanKind, SpanStatusCode, trace, type Attributes } from '@opentelemetry/api';
import type { YagnaErrorKind } from './errors';

/** What became of a request: `aborted` when whoever asked did not want it any more. */
export type RequestOutcome = 'ok' | 'aborted' | YagnaErrorKind;

/** A request that is over. */
export interface RequestDone {
  connection: string;
  /** Method and path, with names in braces for ids, such as `GET /market-api/v1/agreements/{agreementId}`. */
  operation: string;
  outcome: RequestOutcome;
  durationMs: number;
}

export interface SpannedRequest {
  method: string;
  /** The path with names in braces for ids: there are few, and always the same. */
  template: string;
  path: string;
  /** Of yagna, without the path. */
  url: string;
  connection: string;
}

/** @param outcomeOf - what an error of the request means */
export async function spanned<T>(
  request: SpannedRequest,
  send: (answered: (status: number) => void) => Promise<T>,
  outcomeOf: (error: unknown) => RequestOutcome,
  done: (request: RequestDone) => void,
): Promise<T> {
  const { connection } = request;
  const operation = `${request.method} ${request.template}`;
  const options = { kind: SpanKind.CLIENT, attributes: attributesOf(request) };
  const startedMs = performance.now();
  // Asked each time: an SDK may be registered late.
  const tracer = trace.getTracer('golem-temporal');
  return await tracer.startActiveSpan(operation, options, async (span) => {
    let outcome: RequestOutcome = 'ok';
    try {
      return await send((status) => span.setAttribute('http.response.status_code', status));
    } catch (error) {
      outcome = outcomeOf(error);
      span.setAttribute('error.type', outcome);
      // What is called off has not failed.
      if (outcome !== 'aborted') span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
      done({ connection, operation, outcome, durationMs: performance.now() - startedMs });
    }
  });
}

function attributesOf({ method, template, path, url, connection }: SpannedRequest): Attributes {
  const at = URL.canParse(url) ? new URL(url) : undefined;
  return {
    'http.request.method': method,
    'url.template': template,
    'url.full': at ? at.origin + path : path,
    'server.address': at?.hostname,
    'server.port': at && Number(at.port || (at.protocol === 'https:' ? 443 : 80)),
    'golem.connection': connection,
  };
}
