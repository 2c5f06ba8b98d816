/**
 * An HTTP proxy between a worker and the devnet that makes the network fail as a test says: requests that never
 * arrive, answers that get lost, requests that land late, errors, and documents that lie. It tells when a rule has
 * matched, so that tests wait for that and never for time.
 */
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as rules see it. */
export interface Call {
  method: string;
  /** With the API's prefix, without the query. */
  path: string;
  query: URLSearchParams;
  body: string;
  /** The Temporal activity that it is of, where the worker says so (chaos/tag-requests.js). */
  sender?: Sender;
}

export interface Sender {
  activity: string;
  workflowId: string;
  attempt: number;
}

/** A request that a test does with as it likes; whoever sent it waits meanwhile. */
export interface Intercepted {
  call: Call;
  /** Sends it to the devnet, whether or not its sender still lives; may be called when it was cut, too. */
  forward(): Promise<Answer>;
  answer(answer: Answer): void;
  /** Its sender's connection is lost. */
  cut(): void;
}

export interface Answer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

/** What matched a rule. */
export interface Hit extends Call {
  /** What the devnet answered; undefined where it was not asked. */
  answer?: { status: number; body: string };
}

export interface Which {
  /** How many matches are skipped before the rule takes effect. Default 0. */
  skip?: number;
  /** How many it then applies to. Default 1. */
  times?: number;
  /** Matches only such calls. */
  when?: (call: Call) => boolean;
}

/** A rule at work. */
export interface Fault {
  readonly hits: readonly Hit[];
  /** The n-th hit (from 1), once its fault has happened. */
  hit(n?: number): Promise<Hit>;
  /** From now on the rule matches nothing. */
  stop(): void;
}

/** A fault whose request the test sends itself, later. */
export interface LateFault extends Fault {
  /** Lets the request of the first hit land now; resolves with the devnet's answer, which goes nowhere. */
  land(): Promise<{ status: number; body: string }>;
}

/** A fault that keeps requests waiting. */
export interface HeldFault {
  /** The first request that waits. */
  readonly reached: Promise<Call>;
  /** Lets those that wait, and all later ones, go on as if nothing had happened. */
  release(): void;
}

type Effect = (exchange: Exchange) => Promise<void>;

interface Exchange {
  call: Call;
  hit: Hit;
  raw: { message: IncomingMessage; body: Buffer };
  response: ServerResponse;
}

interface Rule {
  pattern: RegExp;
  skip: number;
  times: number;
  when: (call: Call) => boolean;
  effect: Effect;
  done(hit: Hit): void;
}

export class FaultProxy {
  /** Every request that came, in order, as `METHOD /path`. */
  readonly calls: string[] = [];
  /** Is told of every request before anything is done with it, and may hold it up. */
  onCall: (call: Call) => Promise<void> | void = () => undefined;
  /** Is told of every answer of the devnet's that its sender gets. */
  onAnswered: (call: Call) => void = () => undefined;
  private readonly server = createServer((message, response) => this.onRequest(message, response));
  private readonly sockets = new Set<Socket>();
  private rules: Rule[] = [];
  private target = '';
  private port = 0;

  constructor() {
    // The worker's requests keep their connections; a long poll may last longer than Node's default.
    this.server.requestTimeout = 0;
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** @returns the proxy's URL, for the worker. */
  async start(target: string): Promise<string> {
    this.target = target;
    await this.listen();
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    this.rules = [];
    if (this.server.listening) await this.refuse();
  }

  /**
   * From now on nobody is listening: connections are refused and those that were open are cut.
   * @param last - to be answered still
   */
  async refuse(last?: { response: ServerResponse; answer: () => void }): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) if (socket !== last?.response.socket) socket.destroy();
    last?.response.setHeader('connection', 'close');
    last?.answer();
    await closed;
  }

  /** Listens again, on the same port. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Takes all rules away. */
  clear(): void {
    this.rules = [];
  }

  /** The request never reaches the devnet; the worker sees its connection cut. */
  cutBefore(pattern: RegExp, which?: Which): Fault {
    return this.rule(pattern, which, async ({ response }) => cut(response));
  }

  /** The devnet answers, but the answer is lost. */
  cutAfter(pattern: RegExp, which?: Which): Fault {
    return this.rule(pattern, which, async (exchange) => {
      exchange.hit.answer = await this.forward(exchange);
      cut(exchange.response);
    });
  }

  /** The devnet answers, but the worker waits for the answer until it loses patience. */
  stall(pattern: RegExp, which?: Which): Fault {
    return this.rule(pattern, which, async (exchange) => {
      exchange.hit.answer = await this.forward(exchange);
    });
  }

  /** The worker sees its connection cut; the request reaches the devnet when the test says so. */
  delay(pattern: RegExp, which?: Which): LateFault {
    let late: Exchange | undefined;
    const fault = this.rule(pattern, which, async (exchange) => {
      late ??= exchange;
      cut(exchange.response);
    });
    return Object.assign(fault, {
      land: async () => {
        await fault.hit();
        if (!late) throw new Error('no request is held');
        return await this.forward({ ...late, response: undefined });
      },
    });
  }

  /** Requests wait until the test releases them; then they reach the devnet, and its answer the worker. */
  hold(pattern: RegExp, which?: Which): HeldFault {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let reach = (_call: Call): void => undefined;
    const reached = new Promise<Call>((resolve) => (reach = resolve));
    const fault = this.rule(pattern, { times: Infinity, ...which }, async (exchange) => {
      reach(exchange.call);
      await released;
      const answer = await this.forward(exchange);
      exchange.hit.answer = answer;
      reply(exchange.response, answer.status, answer.body, answer.headers);
    });
    return {
      reached,
      release: () => {
        fault.stop();
        release();
      },
    };
  }

  /** Answers in the devnet's place. @param body as JSON, or what makes it of the request */
  answer(pattern: RegExp, status: number, body: unknown, which?: Which): Fault {
    return this.rule(pattern, which, async ({ response, call }) => {
      const json: unknown = typeof body === 'function' ? body(call) : body;
      reply(response, status, JSON.stringify(json));
    });
  }

  /** Changes the devnet's JSON answer. `change` gets it parsed and may alter or replace it. */
  rewrite<T>(pattern: RegExp, change: (body: T, call: Call) => T | void, which?: Which): Fault {
    return this.rule(pattern, { times: Infinity, ...which }, async (exchange) => {
      const answer = await this.forward(exchange);
      exchange.hit.answer = answer;
      if (answer.status >= 300) return reply(exchange.response, answer.status, answer.body);
      const body = JSON.parse(answer.body) as T;
      reply(exchange.response, answer.status, JSON.stringify(change(body, exchange.call) ?? body));
    });
  }

  /**
   * Answers as the devnet does; from the first answer that is meant nobody listens any more, until {@link listen}. Resolves then.
   */
  async refuseAfter<T>(pattern: RegExp, isMeant: (body: T) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const fault = this.rule(pattern, { times: Infinity }, async (exchange) => {
        const { response } = exchange;
        const { status, body } = await this.forward(exchange);
        const answer = (): void => reply(response, status, body);
        if (status >= 300 || !isMeant(JSON.parse(body) as T)) return answer();
        fault.stop();
        await this.refuse({ response, answer });
        resolve();
      });
    });
  }

  /** The test decides what becomes of a request. */
  intercept(pattern: RegExp, act: (request: Intercepted) => Promise<void> | void, which?: Which): Fault {
    return this.rule(pattern, which, async (exchange) => {
      const { call, raw, response, hit } = exchange;
      await act({
        call,
        forward: async () => (hit.answer = await this.forward({ raw, response: undefined })),
        answer: ({ status, body, headers }) => reply(response, status, body, headers),
        cut: () => cut(response),
      });
    });
  }

  /** Only tells. */
  watch(pattern: RegExp, which?: Which): Fault {
    return this.rule(pattern, { times: Infinity, ...which }, async (exchange) => {
      const answer = await this.forward(exchange);
      exchange.hit.answer = answer;
      reply(exchange.response, answer.status, answer.body);
    });
  }

  /** @param pattern tested against `METHOD /path`. The rule made last is asked first. */
  private rule(
    pattern: RegExp,
    { skip = 0, times = 1, when = () => true }: Which = {},
    effect: Effect,
  ): Fault {
    const hits: Hit[] = [];
    let waiting: { n: number; resolve: (hit: Hit) => void }[] = [];
    const rule: Rule = {
      ...{ pattern, skip, times, when, effect },
      done(hit) {
        hits.push(hit);
        const ready = waiting.filter(({ n }) => n <= hits.length);
        waiting = waiting.filter(({ n }) => n > hits.length);
        for (const { resolve } of ready) resolve(hit);
      },
    };
    this.rules.unshift(rule);
    return {
      hits,
      hit: (n = 1) => {
        const there = hits[n - 1];
        return there ? Promise.resolve(there) : new Promise((resolve) => waiting.push({ n, resolve }));
      },
      stop: () => {
        this.rules = this.rules.filter((other) => other !== rule);
      },
    };
  }

  private onRequest(message: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    message.on('error', () => undefined);
    response.on('error', () => undefined);
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      const url = new URL(message.url ?? '/', 'http://proxy');
      const body = Buffer.concat(chunks);
      const method = message.method ?? '';
      const sender = senderOf(message);
      const call = {
        ...{ method, path: url.pathname, query: url.searchParams, body: body.toString() },
        ...(sender && { sender }),
      };
      this.calls.push(`${method} ${url.pathname}`);
      // The devnet is gone, or the worker hung up.
      this.handle({ call, hit: { ...call }, raw: { message, body }, response }).catch(() => cut(response));
    });
  }

  private async handle(exchange: Exchange): Promise<void> {
    const { call, response } = exchange;
    await this.onCall(call);
    const rule = this.matching(`${call.method} ${call.path}`, call);
    if (rule) {
      await rule.effect(exchange);
      return rule.done(exchange.hit);
    }
    const answer = await this.forward(exchange);
    reply(response, answer.status, answer.body, answer.headers);
    this.onAnswered(call);
  }

  private matching(line: string, call: Call): Rule | undefined {
    for (const rule of this.rules) {
      if (!rule.pattern.test(line) || !rule.when(call)) continue;
      if (rule.skip > 0) {
        rule.skip -= 1;
        continue;
      }
      if (rule.times <= 0) continue;
      rule.times -= 1;
      return rule;
    }
    return undefined;
  }

  private forward({
    raw,
    response,
  }: Pick<Exchange, 'raw'> & { response: ServerResponse | undefined }): Promise<{
    status: number;
    body: string;
    headers: Record<string, string>;
  }> {
    const { message, body } = raw;
    const { host: _host, connection: _connection, [SENDER]: _sender, ...headers } = message.headers;
    return new Promise((resolve, reject) => {
      const upstream = send(
        `${this.target}${message.url}`,
        { method: message.method, headers, agent: false },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({
              status: answer.statusCode ?? 502,
              body: Buffer.concat(chunks).toString(),
              headers: picked(answer.headers, ['content-type', 'date']),
            }),
          );
        },
      );
      upstream.on('error', reject);
      // A long poll that nobody waits for any more.
      response?.on('close', () => {
        if (!response.writableFinished) upstream.destroy();
      });
      upstream.end(body);
    });
  }
}

/** As chaos/tag-requests.js writes it. */
const SENDER = 'x-golem-sender';

function senderOf({ headers }: IncomingMessage): Sender | undefined {
  const said = headers[SENDER];
  return typeof said === 'string' ? (JSON.parse(said) as Sender) : undefined;
}

function cut(response: ServerResponse): void {
  response.socket?.destroy();
}

function reply(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): void {
  if (response.destroyed) return;
  response.writeHead(status, headers);
  response.end(body);
}

function picked(headers: IncomingMessage['headers'], names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}
