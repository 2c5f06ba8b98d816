/** A proxy between a worker and yagna that changes nothing, and counts what passes. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export class CountingProxy {
  /** Requests so far. */
  requests = 0;
  /** Long polls that wait now, by path, and the most that have waited at once. */
  readonly waiting = new Map<string, { now: number; most: number }>();
  private readonly agent = new http.Agent({ keepAlive: true });
  private readonly server = http.createServer((request, response) => this.pass(request, response));
  private target = '';

  constructor() {
    this.server.requestTimeout = 0;
  }

  /** @returns the proxy's URL, for the worker */
  async start(target: string): Promise<string> {
    this.target = target;
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    this.agent.destroy();
    await closed;
  }

  private pass(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.requests += 1;
    const url = new URL(request.url ?? '/', this.target);
    if (Number(url.searchParams.get('timeout')) > 0) this.hold(url.pathname, response);
    const { method, headers } = request;
    const upstream = http.request(url, { agent: this.agent, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    // A long poll that nobody waits for any more.
    response.on('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.pipe(upstream);
  }

  private hold(path: string, response: http.ServerResponse): void {
    const count = this.waiting.get(path) ?? { now: 0, most: 0 };
    this.waiting.set(path, count);
    count.now += 1;
    count.most = Math.max(count.most, count.now);
    response.on('close', () => {
      count.now -= 1;
    });
  }
}
