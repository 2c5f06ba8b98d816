/**
 * Named connections to yagna daemons: `default` from YAGNA_APPKEY and YAGNA_API_URL, more from the JSON file that
 * GOLEM_CONNECTIONS names. The file is read again when a connection fails, for a daemon may have moved. How long a
 * request may take is GOLEM_REQUEST_TIMEOUT_SEC (default 15). This is the only place that knows app keys; they appear
 * in no error.
 */
import { readFileSync } from 'node:fs';
import { IdentityApi, VersionApi } from 'ya-ts-client';
import { z } from 'zod';
import { fileProblem } from '../../model/file-problem';
import { DEFAULT_CONNECTION } from '../../model/ids';
import { parseJsonText } from '../../model/json-text';
import { REQUEST_TIMEOUT_MS, requestLifetimeMs } from '../../model/request-lifetime';
import { httpUrl } from '../http-url';
import { Documents } from './documents';
import { failure } from './errors';
import { exeUnitCalls, type ExeUnitPort } from './exe-unit';
import { marketCalls, type MarketPort } from './market';
import { paymentCalls, type PaymentPort } from './payment';
import { Reachability, type ConnectionChange } from './reachability';
import type { RequestDone } from './request-span';
import { EventStreams } from './streams';
import { requestClass, Transport, type Endpoint } from './transport';
import { identitySchema, read, versionSchema } from './wire';

/** Every call this project makes to a yagna. All throw YagnaError, or the signal's reason when aborted. */
export interface Yagna extends MarketPort, PaymentPort, ExeUnitPort {
  /** Name of the connection. */
  readonly connection: string;
  /** Such as `0.17.6-nightly`. */
  version(signal?: AbortSignal): Promise<string>;
  /** How long it has been answering without a break, as this process has seen it, in ms. */
  upForMs(): number;
  /** yagna's time, ms since 1970, as far as its answers have told it: to compare with times it reports. */
  now(): number;
  me(signal?: AbortSignal): Promise<{ identity: string; name: string }>;
}

export const DEFAULT_API_URL = 'http://127.0.0.1:7465';

const endpointSchema = z
  .object({
    url: httpUrl,
    // What cannot stand in a header is no key, and fetch would quote it in its error.
    appKey: z.string().regex(/^[\x21-\x7e]+$/, 'must be an app key'),
  })
  .transform(({ url, appKey }): Endpoint => ({ url: url.replace(/\/+$/, ''), appKey }));

interface Open {
  yagna: Yagna;
  streams: EventStreams;
  documents: Documents;
}

export class Connections {
  /** Longest time in which a request of this worker can still take effect. */
  readonly requestLifetimeMs: number;
  private readonly requestTimeoutMs: number;
  private endpoints: Record<string, Endpoint>;
  private readonly open = new Map<string, Open>();
  private readonly listeners = new Set<(change: ConnectionChange) => void>();
  private readonly requestListeners = new Set<(done: RequestDone) => void>();
  /** Keys that are or were in use: a late answer may quote one that has been replaced. */
  private readonly keys = new Set<string>();

  /** @throws UnknownConnection - the environment or the file has a mistake */
  constructor(private readonly env: Readonly<Record<string, string | undefined>> = process.env) {
    this.requestTimeoutMs = readTimeout(env);
    this.requestLifetimeMs = requestLifetimeMs(this.requestTimeoutMs);
    this.endpoints = this.read();
  }

  /**
   * Tells, once each time, when the yagna of a connection stops answering, refuses the key, or answers again.
   * @returns ends it
   */
  onChange(listener: (change: ConnectionChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Tells of each HTTP request that is over, those sent again included.
   * @returns ends it
   */
  onRequest(listener: (done: RequestDone) => void): () => void {
    this.requestListeners.add(listener);
    return () => this.requestListeners.delete(listener);
  }

  /** Of all connections that are known now. */
  names(): string[] {
    return Object.keys(this.endpoints);
  }

  /** Where its yagna is, without its key. @throws UnknownConnection */
  urlOf(name: string = DEFAULT_CONNECTION): string {
    return this.endpoint(name).url;
  }

  /** @throws UnknownConnection - no connection of that name */
  get(name: string = DEFAULT_CONNECTION): Yagna {
    return this.opened(name).yagna;
  }

  /** The event streams of a connection, shared by all who watch in this process. @throws UnknownConnection */
  streams(name: string = DEFAULT_CONNECTION): EventStreams {
    return this.opened(name).streams;
  }

  /** Whose the documents of a connection are, as far as this process has asked. @throws UnknownConnection */
  documents(name: string = DEFAULT_CONNECTION): Documents {
    return this.opened(name).documents;
  }

  private opened(name: string): Open {
    this.endpoint(name);
    let open = this.open.get(name);
    if (open === undefined) {
      const source = {
        endpoint: () => this.endpoint(name),
        failed: () => this.reload(),
        secrets: () => [...this.keys],
      };
      const reachability = new Reachability(name, (change) => {
        for (const tell of this.listeners) tell(change);
      });
      const transport = new Transport(name, source, this.requestTimeoutMs, reachability, (done) => {
        for (const tell of this.requestListeners) tell(done);
      });
      const yagna = connect(transport, reachability);
      const streams = new EventStreams(yagna, { now: () => yagna.now() });
      open = { yagna, streams, documents: new Documents(yagna) };
      this.open.set(name, open);
    }
    return open;
  }

  private endpoint(name: string): Endpoint {
    if (!Object.hasOwn(this.endpoints, name)) this.endpoints = this.read();
    const endpoint = Object.hasOwn(this.endpoints, name) ? this.endpoints[name] : undefined;
    if (endpoint !== undefined) return endpoint;
    const known = Object.keys(this.endpoints);
    throw failure(
      'UnknownConnection',
      `The worker has no connection named ${JSON.stringify(name)}; it has ${known.length === 0 ? 'none' : known.join(', ')}. ` +
        (name === DEFAULT_CONNECTION
          ? 'Set YAGNA_APPKEY and YAGNA_API_URL on the worker.'
          : 'Add it to the file that GOLEM_CONNECTIONS names.'),
    );
  }

  private reload(): void {
    try {
      this.endpoints = this.read();
    } catch {
      // Half written, perhaps: what is known stays.
    }
  }

  private read(): Record<string, Endpoint> {
    const endpoints = readEndpoints(this.env);
    for (const { appKey } of Object.values(endpoints)) this.keys.add(appKey);
    return endpoints;
  }
}

function connect(transport: Transport, reachability: Reachability): Yagna {
  return {
    connection: transport.connection,
    upForMs: () => reachability.upForMs,
    now: () => Date.now() + transport.clockOffsetMs,
    async version(signal) {
      const api = new VersionApi.DefaultService(requestClass(transport, '', { signal }));
      return read(versionSchema, await api.getVersion(), 'GET /version/get').current.version;
    },
    async me(signal) {
      const api = new IdentityApi.DefaultService(requestClass(transport, '', { signal }));
      return read(identitySchema, await api.getIdentity(), 'GET /me');
    },
    ...marketCalls(transport),
    ...paymentCalls(transport),
    ...exeUnitCalls(transport),
  };
}

function readTimeout(env: Readonly<Record<string, string | undefined>>): number {
  const given = env.GOLEM_REQUEST_TIMEOUT_SEC;
  if (!given) return REQUEST_TIMEOUT_MS;
  const schema = z.coerce.number({ error: 'must be a number of seconds' }).min(1).max(300);
  return check(schema, given, 'GOLEM_REQUEST_TIMEOUT_SEC') * 1000;
}

function readEndpoints(env: Readonly<Record<string, string | undefined>>): Record<string, Endpoint> {
  const endpoints: Record<string, Endpoint> = {};
  if (env.GOLEM_CONNECTIONS) Object.assign(endpoints, readFile(env.GOLEM_CONNECTIONS));
  if (env.YAGNA_APPKEY) {
    const given = { url: env.YAGNA_API_URL || DEFAULT_API_URL, appKey: env.YAGNA_APPKEY };
    endpoints[DEFAULT_CONNECTION] = check(endpointSchema, given, 'YAGNA_API_URL and YAGNA_APPKEY');
  }
  return endpoints;
}

function readFile(path: string): Record<string, Endpoint> {
  let content: unknown;
  try {
    content = parseJsonText(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? `it is not JSON: ${error.message}` : fileProblem(error);
    throw failure('UnknownConnection', `Cannot read GOLEM_CONNECTIONS (${path}): ${why}`);
  }
  return check(z.record(z.string(), endpointSchema), content, `GOLEM_CONNECTIONS (${path})`);
}

function check<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) =>
    `${issue.path.join('.')}: ${issue.message}`.replace(/^: /, ''),
  );
  throw failure('UnknownConnection', `${what}: ${problems.join('; ')}`);
}
