/** Lets the armed faults act on the requests to a node: before they take effect, or once they have. */
import { setMaxListeners } from 'node:events';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestorNode } from '../requestor-node';
import { delayOf, type Fault, type Faults } from './faults';
import { answerOf, LateFault } from './late-fault';
import type { Links } from './links';
import { pause } from '../timers';
import { callName, happensToProvider } from './operations';

declare module 'fastify' {
  interface FastifyRequest {
    /** The fault that acts once the call has taken effect. */
    lateFault: LateFault | undefined;
  }
  interface FastifyReply {
    /**
     * For a route that answers by itself, once the call has taken effect.
     * @returns false when a fault has answered instead, or the connection is gone
     */
    tookEffect(): Promise<boolean>;
  }
}

export interface CallFaultParts {
  faults: Faults;
  links: Links;
  /** Name of the provider that a call is about, if it is about one. */
  providerOf(request: FastifyRequest): string | undefined;
  hasVms(provider: string): boolean;
  log(line: string): void;
}

export function callFaults(
  app: FastifyInstance,
  node: RequestorNode,
  { faults, links, providerOf, hasVms, log }: CallFaultParts,
): void {
  const closing = new AbortController();
  // One for each call that a fault holds up.
  setMaxListeners(0, closing.signal);
  app.decorateRequest('lateFault', undefined);
  // What still waits when the daemon goes down never takes effect.
  app.addHook('preClose', (done) => {
    closing.abort();
    done();
  });

  app.addHook('preHandler', async (request, reply) => {
    if (faults.list().length === 0) return;
    const on = callName(request.method, request.routeOptions.url);
    const [path = ''] = request.url.split('?');
    const provider = (): string | undefined => providerOf(request);
    const fault = faults.take({
      ...{ on, request: { method: request.method, path }, node: node.name, provider },
      can: (each) => !happensToProvider(each.do) || canHappenTo(provider() ?? each.provider, each),
    });
    if (fault) return await before(fault, request, reply, provider() ?? fault.provider);
  });

  app.addHook('onSend', async (request, reply, payload) => {
    const { lateFault } = request;
    if (!lateFault) return payload;
    request.lateFault = undefined;
    return await lateFault.onAnswer(reply, payload);
  });

  app.decorateReply('tookEffect', async function (this: FastifyReply) {
    const { lateFault } = this.request;
    if (!lateFault?.replacesAnswer) {
      this.request.lateFault = undefined;
      await lateFault?.onAnswer(this, undefined);
      if (!this.raw.destroyed) return true;
      this.hijack();
    } else void this.send();
    return false;
  });

  /** A provider that is down cannot go down, one without VMs cannot lose them. */
  function canHappenTo(provider: string | undefined, { do: action }: Fault): boolean {
    if (provider === undefined) return true;
    const { crashed, frozen } = links.state();
    switch (action) {
      case 'crash':
        return !crashed.includes(provider);
      case 'freeze':
        return !crashed.includes(provider) && !frozen.includes(provider);
      case 'killVms':
        return hasVms(provider);
      default:
        return true;
    }
  }

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
        links.cut({ node: node.name, provider }, fault.sec);
        return undefined;
      case 'crash':
        if (provider !== undefined) links.crash(provider, fault.sec);
        return undefined;
      case 'killVms':
        if (provider !== undefined) links.killVms(provider);
        return undefined;
      case 'freeze':
        if (provider !== undefined) links.freeze(provider, fault.sec);
        return undefined;
      default:
        request.lateFault = new LateFault(fault, {
          pause: (late) => pause(delayOf(late), closing.signal),
          takeDown: (late) => void takeDown(late),
        });
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
