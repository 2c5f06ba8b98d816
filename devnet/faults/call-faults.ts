/** Lets the armed faults act on the calls of a node's API: before they take effect, or once they have. */
import { setMaxListeners } from 'node:events';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestorNode } from '../requestor-node';
import { delayOf, type Fault, type Faults } from './faults';
import type { Links } from './links';
import { callName } from './operations';
import { pause } from '../timers';

declare module 'fastify' {
  interface FastifyRequest {
    /** The fault that acts once the call has taken effect. */
    faultAfter: Fault | undefined;
  }
}

export interface CallFaultParts {
  faults: Faults;
  links: Links;
  /** Name of the provider that a call is about, if it is about one. */
  providerOf(request: FastifyRequest): string | undefined;
  log(line: string): void;
}

export function callFaults(
  app: FastifyInstance,
  node: RequestorNode,
  { faults, links, providerOf, log }: CallFaultParts,
): void {
  const closing = new AbortController();
  // One for each call that a fault holds up.
  setMaxListeners(0, closing.signal);
  app.decorateRequest('faultAfter', undefined);
  // What still waits when the daemon goes down never takes effect.
  app.addHook('preClose', (done) => {
    closing.abort();
    done();
  });

  app.addHook('preHandler', async (request, reply) => {
    if (faults.list().length === 0) return;
    const on = callName(request.method, request.routeOptions.url);
    if (on === undefined) return;
    const provider = (): string | undefined => providerOf(request);
    const fault = faults.take({ on, node: node.name, provider });
    if (fault) return await before(fault, request, reply, provider());
  });

  app.addHook('onSend', async (request, reply, payload) => {
    const fault = request.faultAfter;
    if (!fault) return payload;
    request.faultAfter = undefined;
    if (fault.do === 'dropAfter' || fault.do === 'restartNodeAfter') {
      reply.raw.destroy();
      if (fault.do === 'restartNodeAfter') void takeDown(fault);
      return payload;
    }
    if (fault.do === 'delayAfter') {
      await pause(delayOf(fault), closing.signal);
      return payload;
    }
    const { status, type, bytes } = answerOf(fault);
    reply.code(status).header('content-type', type).removeHeader('content-length');
    return bytes;
  });

  async function before(
    fault: Fault,
    request: FastifyRequest,
    reply: FastifyReply,
    provider: string | undefined,
  ): Promise<unknown> {
    switch (fault.do) {
      case 'delay':
        if (await pause(delayOf(fault), closing.signal)) return undefined;
        return drop(reply);
      case 'dropBefore':
        return drop(reply);
      case 'answer': {
        const { status, type, bytes } = answerOf(fault);
        return reply.code(status).header('content-type', type).send(bytes);
      }
      case 'stopNode':
      case 'restartNode':
        void takeDown(fault);
        return drop(reply);
      case 'cut':
        links.cut({ node: node.name, provider: provider ?? fault.provider }, fault.sec);
        return undefined;
      case 'crash':
        if (provider !== undefined) links.crash(provider);
        return undefined;
      case 'freeze':
        if (provider !== undefined) links.freeze(provider, fault.sec);
        return undefined;
      default:
        request.faultAfter = fault;
        return undefined;
    }
  }

  async function takeDown(fault: Fault): Promise<void> {
    await node.stop();
    if (fault.do === 'stopNode') return;
    if (fault.sec) await pause(fault.sec * 1000);
    // Somebody may have taken its port.
    await node.start().catch((error: unknown) => log(`node ${node.name} did not start: ${String(error)}`));
  }
}

/** Cuts the connection without an answer. */
function drop(reply: FastifyReply): FastifyReply {
  reply.hijack();
  reply.raw.destroy();
  return reply;
}

function answerOf(fault: Fault): { status: number; type: string; bytes: Buffer } {
  const { status = 503, body = { message: fault.message ?? 'a fault that was armed' } } = fault;
  return typeof body === 'string'
    ? { status, type: 'text/plain; charset=utf-8', bytes: Buffer.from(body) }
    : { status, type: 'application/json', bytes: Buffer.from(JSON.stringify(body)) };
}
