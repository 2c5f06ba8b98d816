/**
 * A web server for the transfers of a test's tasks: files to get and put; doors that keep a transfer waiting until the
 * test opens them; meetings that let nobody through until all are there; and answers that fail at first
 * or later.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Door {
  url: string;
  /** Resolves when somebody waits at the door, or has been let through. */
  knocked: Promise<void>;
  open(): void;
}

export interface WebServer {
  /** What `PUT <url>/files/<name>` wrote, and `GET` reads, from some byte on where it is asked for; each has its ETag. */
  files: Map<string, Buffer>;
  fileUrl(name: string): string;
  /** All that was written to files of each name, in order. */
  written: Map<string, Buffer[]>;
  /** Number of PUTs to files so far, refused ones included. */
  puts: number;
  /** Answer to PUTs of files from now on. Default 200, and the file is kept. */
  putStatus: number;
  /** So many GETs of files are answered with 503 from now on. */
  refuseGets: number;
  door(): Door;
  /** An address that answers all of the first `count` requests once the last of them has come. */
  meeting(count: number): string;
  /** An address whose first `count` requests are answered with 503. */
  failsAtFirst(count: number): string;
  /** An address that serves the first `count` requests and answers all others with 503. */
  failsAfter(count: number): string;
  close(): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export async function startWebServer(): Promise<WebServer> {
  const files = new Map<string, Buffer>();
  const written = new Map<string, Buffer[]>();
  const handlers: Handler[] = [];
  const server = createServer((request, response) => {
    const [, kind, name = ''] = /^\/(files|at)\/([^?]+)/.exec(request.url ?? '') ?? [];
    if (kind === 'files') serveFile(web, name, request, response);
    else if (kind === 'at') handlers[Number(name)]?.(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const serve = (handler: Handler): string => `${url}/at/${handlers.push(handler) - 1}`;
  const web: WebServer = {
    ...{ files, written, puts: 0, putStatus: 200, refuseGets: 0 },
    fileUrl: (name) => `${url}/files/${name}`,
    door() {
      const waiting: ServerResponse[] = [];
      let isOpen = false;
      let knock: () => void;
      const knocked = new Promise<void>((resolve) => (knock = resolve));
      const doorUrl = serve((_, response) => {
        if (isOpen) response.end('open\n');
        else waiting.push(response);
        knock();
      });
      const open = (): void => {
        isOpen = true;
        for (const response of waiting.splice(0)) response.end('open\n');
      };
      return { url: doorUrl, knocked, open };
    },
    meeting(count) {
      const waiting: ServerResponse[] = [];
      return serve((_, response) => {
        waiting.push(response);
        if (waiting.length >= count) for (const each of waiting.splice(0)) each.end('all are here\n');
      });
    },
    failsAtFirst(count) {
      let left = count;
      return serve((_, response) => {
        left -= 1;
        response.writeHead(left >= 0 ? 503 : 200).end('served\n');
      });
    },
    failsAfter(count) {
      let left = count;
      return serve((_, response) => {
        left -= 1;
        response.writeHead(left >= 0 ? 200 : 503).end('served\n');
      });
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return web;
}

function serveFile(web: WebServer, name: string, request: IncomingMessage, response: ServerResponse): void {
  const { files } = web;
  if (request.method === 'GET') {
    const file = files.get(name);
    if (web.refuseGets > 0) {
      web.refuseGets -= 1;
      response.writeHead(503).end();
    } else if (!file) response.writeHead(404).end();
    else sendFile(file, request.headers.range, response);
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    web.puts += 1;
    const { putStatus } = web;
    if (putStatus < 300) {
      const content = Buffer.concat(chunks);
      files.set(name, content);
      web.written.set(name, [...(web.written.get(name) ?? []), content]);
    }
    response.writeHead(putStatus).end();
  });
}

function sendFile(file: Buffer, range: string | undefined, response: ServerResponse): void {
  const etag = `"${createHash('sha256').update(file).digest('hex')}"`;
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const contentRange = `bytes ${from}-${file.length - 1}/${file.length}`;
  if (from > 0 && from >= file.length) response.writeHead(416).end();
  else if (from > 0)
    response.writeHead(206, { etag, 'content-range': contentRange }).end(file.subarray(from));
  else response.writeHead(200, { etag, 'content-length': file.length }).end(file);
}
