/**
 * Lets requests that ask for a WebSocket take the same way as all others: app key, faults, route. A route that grants
 * one takes the connection over; whatever else is answered ends it.
 */
import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** What came with the request, behind its head. */
const heads = new WeakMap<IncomingMessage, Buffer>();

export function acceptUpgrades(app: FastifyInstance): void {
  const open = new Set<Socket>();
  app.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (!/websocket/i.test(request.headers.upgrade ?? '')) return asIfNotAsked(app, request, socket, head);
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    // Whoever reads from it notices.
    socket.on('error', () => undefined);
    heads.set(request, head);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.destroySoon());
    app.routing(request, response);
  });
  // The server itself does not know them any more.
  app.addHook('preClose', (done) => {
    for (const socket of open) socket.destroy();
    done();
  });
}

/** The connection of a request that asks for a WebSocket, for the route to answer by itself. */
export function takeOver(reply: FastifyReply): { socket: Socket; head: Buffer } {
  const { socket } = reply.request.raw;
  const head = heads.get(reply.request.raw) ?? Buffer.alloc(0);
  reply.hijack();
  reply.raw.detachSocket(socket);
  return { socket, head };
}

/** Many clients offer HTTP/2 with each request, and mean nothing by it: the same again without the offer. */
function asIfNotAsked(app: FastifyInstance, request: IncomingMessage, socket: Socket, body: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let n = 0; n < rawHeaders.length; n += 2) {
    if (!/^(upgrade|connection|http2-settings)$/i.test(rawHeaders[n] ?? ''))
      lines.push(`${rawHeaders[n]}: ${rawHeaders[n + 1]}`);
  }
  if (/\bclose\b/i.test(request.headers.connection ?? '')) lines.push('Connection: close');
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]));
  app.server.emit('connection', socket);
}
