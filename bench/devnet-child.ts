/** A devnet of many providers that are alike as a child process, and calls of its API. */
import { once, setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Profile } from '../devnet/provider/profiles';
import { startCli } from '../test/support/cli';

export const APP_KEY = 'try_golem';

export interface DevnetChild {
  pid: number;
  url: string;
  /** A call of its API; gives the answer's JSON, undefined where it has none. @throws Error for a status from 300 up */
  call<T>(method: string, route: string, body?: unknown, more?: CallOptions): Promise<T>;
  admin<T>(route: string): Promise<T>;
  /** Where it keeps its state. */
  dataDir: string;
  /** From its start to its being ready. */
  startedMs: number;
  close(): Promise<void>;
}

export interface CallOptions {
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** @param settings of each provider, beside its name */
export async function startDevnetChild(
  providers: number,
  settings: object = {},
  profile: Profile = 'instant',
): Promise<DevnetChild> {
  const folder = mkdtempSync(join(tmpdir(), 'golem-temporal-bench-devnet-'));
  const file = join(folder, 'providers.json');
  const list = Array.from({ length: providers }, (_, i) => ({ name: `provider-${i + 1}`, ...settings }));
  writeFileSync(file, JSON.stringify({ profile, providers: list }));
  const dataDir = join(folder, 'data');
  const began = performance.now();
  const child = await startCli(['devnet', '--port', '0', '--providers', file, '--data', dataDir]);
  const adminUrl = (await child.line(/^devnet admin API at /)).split(' ').at(-1) ?? '';
  const url = /at (\S+),/.exec(await child.line(/^devnet ready at /))?.[1] ?? '';
  const startedMs = performance.now() - began;
  const agent = new http.Agent({ keepAlive: true });
  return {
    ...{ pid: child.pid, url, dataDir, startedMs },
    call: (method, route, body, more) => request(agent, url + route, method, body, more),
    admin: (route) => request(agent, adminUrl + route, 'GET'),
    async close() {
      agent.destroy();
      await child.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

async function request<T>(
  agent: http.Agent,
  url: string,
  method: string,
  body?: unknown,
  { signal, headers }: CallOptions = {},
): Promise<T> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const sent = http.request(url, {
    ...{ agent, method, signal },
    headers: {
      authorization: `Bearer ${APP_KEY}`,
      ...(text !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      }),
      ...headers,
    },
  });
  sent.end(text);
  const [answer] = (await once(sent, 'response')) as [http.IncomingMessage];
  let got = '';
  for await (const chunk of answer) got += String(chunk);
  if ((answer.statusCode ?? 0) >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${got}`);
  return (got === '' ? undefined : JSON.parse(got)) as T;
}

const [MARKET, PAYMENT] = ['/market-api/v1', '/payment-api/v1'];

/** Long polls of the four event streams in which nothing happens. @returns ends them; throws where one has ended before */
export function holdLongPolls({ call }: Pick<DevnetChild, 'call'>, count: number): () => Promise<void> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const after = new Date(Date.now() + 3_600_000).toISOString();
  const streams = [
    () => `${MARKET}/agreementEvents?timeout=600&afterTimestamp=${after}`,
    (i: number) => `${PAYMENT}/invoiceEvents?timeout=600&afterTimestamp=${after}&appSessionId=s${i}`,
    (i: number) => `${PAYMENT}/debitNoteEvents?timeout=600&afterTimestamp=${after}&appSessionId=s${i}`,
    () => `${PAYMENT}/payments?timeout=600&afterTimestamp=${after}`,
  ];
  let over = 0;
  const polls = Array.from({ length: count }, async (_, i) => {
    const route = streams[i % streams.length]?.(i) ?? '';
    await call('GET', route, undefined, { signal: stop.signal }).catch(() => undefined);
    over += 1;
  });
  return async () => {
    const early = over;
    stop.abort();
    await Promise.all(polls);
    if (early > 0) throw new Error(`${early} of ${count} long polls did not wait`);
  };
}
