/**
 * The admin API, on a port of its own: what happened on the network and what is still open, for tests that prove that
 * nothing leaked, and the means to stop, start and move its nodes. Loopback clients only.
 */
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { VmHost } from '../contract';
import type { Effects } from '../effects';
import type { Agreements } from '../market/agreements';
import type { DemandBook } from '../market/book';
import type { Allocations } from '../payment/allocations';
import type { RequestorNode } from '../requestor-node';
import { waitFor } from '../server/long-poll';

export interface AdminParts {
  effects: Effects;
  allocations: Allocations;
  book: DemandBook;
  agreements: Agreements;
  vms: VmHost;
  nodes: readonly RequestorNode[];
}

export interface AdminServer {
  url: string;
  close(): Promise<void>;
}

/** What is still open on the network. */
export interface OpenThings {
  counts: { allocations: number; demands: number; agreements: number; activities: number };
  allocations: string[];
  demands: string[];
  agreements: { id: string; state: string }[];
  activities: { activityId: string; agreementId: string }[];
}

const HOST = '127.0.0.1';

export async function startAdminServer(parts: AdminParts, port: number): Promise<AdminServer> {
  const app = Fastify({ logger: false, forceCloseConnections: true });
  guard(app);
  routes(app, parts);
  try {
    await app.listen({ port, host: HOST });
  } catch (error) {
    await app.close();
    throw error;
  }
  return { url: `http://${HOST}:${(app.server.address() as AddressInfo).port}`, close: () => app.close() };
}

/** Bad input gets one line; pages of other sites get nothing, though a browser on this machine opens them. */
function guard(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, next) => {
    const origin = request.headers.origin;
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    if (['127.0.0.1', 'localhost', '[::1]'].includes(host) && (!origin || isLoopback(origin))) next();
    else reply.code(403).send({ message: 'only programs and pages of this machine are let in' });
  });
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof z.ZodError) {
      const problems = error.issues.map(({ path, message }) =>
        [path.join('.'), message].filter(Boolean).join(': '),
      );
      return reply.code(400).send({ message: problems.join('; ') });
    }
    const { statusCode = 500, message } = error as { statusCode?: number; message: string };
    return reply.code(statusCode).send({ message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ message: `no ${request.method} ${request.url} here; see docs/devnet.md` }),
  );
}

function isLoopback(origin: string): boolean {
  return /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(origin);
}

const effectsQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
  kind: z.string().optional(),
  timeout: z.coerce.number().min(0).default(0),
});

const startOptions = z.strictObject({ port: z.number().int().min(0).max(65_535).optional() });

function routes(app: FastifyInstance, parts: AdminParts): void {
  const { effects, nodes } = parts;

  // `after`: only later ones; `kind`: comma-separated; `timeout`: seconds to wait for the first one.
  app.get('/effects', async (request, reply) => {
    const { after, kind, timeout } = effectsQuery.parse(request.query);
    const kinds = kind?.split(',') ?? [];
    const found = await waitFor(effects.stream, reply, timeout, () => {
      const list = effects.after(after, kinds);
      return list.length === 0 ? undefined : list;
    });
    return found ?? [];
  });

  app.get('/open', () => openThings(parts));

  app.get('/nodes', () => nodes.map(nodeView));

  app.post('/nodes/:name/stop', async (request) => {
    const node = nodeOf(request.params);
    await node.stop();
    return nodeView(node);
  });

  for (const action of ['start', 'restart'] as const) {
    app.post(`/nodes/:name/${action}`, async (request) => {
      const node = nodeOf(request.params);
      await node[action](startOptions.parse(request.body ?? {}));
      return nodeView(node);
    });
  }

  function nodeOf(params: unknown): RequestorNode {
    const { name } = params as { name: string };
    const node = nodes.find((each) => each.name === name);
    if (node) return node;
    const names = nodes.map((each) => each.name).join(', ');
    throw Object.assign(new Error(`no node is named "${name}"; there are: ${names}`), { statusCode: 404 });
  }
}

export function openThings({ allocations, book, agreements, vms }: AdminParts): OpenThings {
  const open = {
    allocations: allocations.live().map(({ id }) => id),
    demands: book.live().map(({ id }) => id),
    agreements: agreements.live().map(({ id, state }) => ({ id, state })),
    activities: vms.liveActivities(),
  };
  return {
    counts: {
      allocations: open.allocations.length,
      demands: open.demands.length,
      agreements: open.agreements.length,
      activities: open.activities.length,
    },
    ...open,
  };
}

function nodeView(node: RequestorNode): object {
  const { name, url, running, requestorIds } = node;
  return { name, url, running, identities: requestorIds };
}
