/** A server on loopback that answers as a test says: with recorded exchanges of a real yagna, or with faults. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Exchange {
  method: string;
  path: string;
  query?: Record<string, string>;
  requestBody?: unknown;
  status: number;
  contentType?: string;
  responseBody?: unknown;
  note?: string;
}

/** All exchanges of one recording, in order. */
export function recording(name: string): Exchange[] {
  const text = readFileSync(join(__dirname, '..', 'recordings', `${name}.jsonl`), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Exchange);
}

export interface SeenRequest {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: unknown;
}

export type Answer = (request: SeenRequest, response: ServerResponse) => void;

export interface FakeYagna {
  url: string;
  requests: SeenRequest[];
  /** How the requests from now on are answered. */
  answer: Answer;
  close(): Promise<void>;
}

export async function startFakeYagna(): Promise<FakeYagna> {
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on('error', () => undefined);
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      const url = new URL(message.url ?? '/', 'http://fake');
      const text = Buffer.concat(chunks).toString();
      const request: SeenRequest = {
        method: message.method ?? '',
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: message.headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      fake.requests.push(request);
      fake.answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fake: FakeYagna = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    answer: (_, response) => respond(response, 404),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

export function respond(
  response: ServerResponse,
  status: number,
  body?: unknown,
  contentType = 'application/json',
): void {
  const json = /json/.test(contentType);
  response.writeHead(status, body === undefined ? {} : { 'content-type': contentType });
  response.end(body === undefined ? undefined : json ? JSON.stringify(body) : String(body));
}

/** Answers as yagna did. An empty body of yagna's is `null` in the recordings. */
export function respondAsRecorded(response: ServerResponse, exchange: Exchange): void {
  respond(response, exchange.status, exchange.responseBody ?? undefined, exchange.contentType);
}
