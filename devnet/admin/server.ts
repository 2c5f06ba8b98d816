/**
 * The admin API, on a port of its own: what happened on the network and what is still open, for tests that prove that
 * nothing leaked, and the means to stop, start and move its nodes. Loopback clients only.
 */
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { VmHost } from '../contract';
import { UnknownEffectKind } from '../effect-kinds';
import type { Effects } from '../effects';
import type { Agreements } from '../market/agreements';
import type { DemandBook } from '../market/book';
import { requestsAreCauses } from '../cause';
import type { ArmedFault } from '../faults/armed-fault';
import { operations, type FaultInput, type Faults } from '../faults/faults';
import { checkNames, type KnownNames } from '../faults/known-names';
import type { Links } from '../faults/links';
import type { ProviderView } from '../provider/network';
import type { Allocations } from '../payment/allocations';
import type { RequestorNode } from '../requestor-node';
import { waitFor } from '../server/long-poll';
import { brokerRoutes, type BrokerParts } from './broker-routes';
import type { MoneySources } from './money';
import { moneyRoutes, type MoneyParts } from './money-routes';
import { stateRoute } from './state';
import { statusPage } from './status-page';

export interface AdminParts extends MoneyParts, MoneySources, BrokerParts {
  effects: Effects;
  allocations: Allocations;
  book: DemandBook;
  agreements: Agreements;
  vms: VmHost;
  nodes: readonly RequestorNode[];
  faults: Faults;
  links: Links;
  names: KnownNames;
  network: {
    shutDown(name: string): Promise<void>;
    reopen(name: string): void;
    views(): ProviderView[];
    nameOf(providerId: string): string;
  };
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
  requestsAreCauses(app, ({ method, url }) => `${method} ${url} of the admin API`);
  routes(app, parts);
  moneyRoutes(app, parts);
  brokerRoutes(app, parts);
  stateRoute(app, parts);
  statusPage(app);
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
    if (error instanceof UnknownEffectKind) return reply.code(400).send({ message: error.message });
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

const cutOptions = z.strictObject({
  node: z.string().optional(),
  provider: z.string().optional(),
  sec: z.number().min(0).optional(),
});
const troubleOptions = z.strictObject({ sec: z.number().min(0).optional() });
const nothing = z.strictObject({});
const startOptions = z.strictObject({ port: z.number().int().min(0).max(65_535).optional() });

function routes(app: FastifyInstance, parts: AdminParts): void {
  const { effects, nodes } = parts;

  // `after`: only later ones; `kind`: comma-separated; `timeout`: seconds to wait for the first one.
  app.get('/effects', async (request, reply) => {
    const { after, kind, timeout } = effectsQuery.parse(request.query);
    const read = effects.reader(after, kind?.split(',') ?? []);
    const found = await waitFor(effects.stream, reply, timeout, () => {
      const list = read();
      return list.length === 0 ? undefined : list;
    });
    return found ?? [];
  });

  app.get('/open', () => openThings(parts));

  app.get('/operations', () => operations());

  app.get('/nodes', () => nodes.map(nodeView));

  app.post('/nodes/:name/stop', async (request) => {
    const node = nodeOf(request.params);
    await node.stop();
    return nodeView(node);
  });

  for (const action of ['start', 'restart'] as const) {
    app.post(`/nodes/:name/${action}`, async (request) => {
      const node = nodeOf(request.params);
      const options = startOptions.parse(request.body ?? {});
      await node[action](options).catch((error: unknown) => {
        throw portRefused(node, options.port ?? node.port, error);
      });
      return nodeView(node);
    });
  }

  app.get('/faults', () => parts.faults.list().map(faultView));

  app.post('/faults', (request) => {
    // It checks what it is given.
    return faultView(parts.faults.arm((request.body ?? {}) as FaultInput));
  });

  app.delete('/faults', () => {
    parts.faults.disarmAll();
    return [];
  });

  app.delete('/faults/:id', (request) => {
    const { id } = request.params as { id: string };
    if (!parts.faults.disarm(id)) throw notFound(`no fault ${id} is armed`);
    return parts.faults.list().map(faultView);
  });

  app.get('/links', () => parts.links.state());

  app.post('/links/cut', (request) => {
    const { sec, ...cut } = cutOptions.parse(request.body ?? {});
    parts.links.cut(cut, sec);
    return parts.links.state();
  });

  app.post('/links/restore', () => {
    parts.links.restore();
    return parts.links.state();
  });

  for (const action of ['crash', 'freeze'] as const) {
    app.post(`/providers/:name/${action}`, (request) => {
      parts.links[action](providerOf(request.params), troubleOptions.parse(request.body ?? {}).sec);
      return parts.links.state();
    });
  }

  for (const [action, undo] of [
    ['revive', 'revive'],
    ['thaw', 'thaw'],
    ['kill-vms', 'killVms'],
  ] as const) {
    app.post(`/providers/:name/${action}`, (request) => {
      nothing.parse(request.body ?? {});
      parts.links[undo](providerOf(request.params));
      return parts.links.state();
    });
  }

  // In good order, unlike a crash: its agreements end with `Shutdown`.
  app.post('/providers/:name/shutdown', async (request) => {
    const name = providerOf(request.params);
    await parts.network.shutDown(name);
    return { name, open: false };
  });

  app.post('/providers/:name/reopen', (request) => {
    const name = providerOf(request.params);
    parts.network.reopen(name);
    return { name, open: true };
  });

  /** @throws 404 with the names that there are */
  function providerOf(params: unknown): string {
    const { name } = params as { name: string };
    checkNames(parts.names, { provider: name });
    return name;
  }

  function nodeOf(params: unknown): RequestorNode {
    const { name } = params as { name: string };
    checkNames(parts.names, { node: name });
    return nodes.find((each) => each.name === name) as RequestorNode; // checkNames() has found it
  }
}

function notFound(message: string): Error {
  return Object.assign(new Error(message), { statusCode: 404 });
}

/** A node that cannot have a port, in words. */
function portRefused(node: RequestorNode, port: number, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return error;
  const why = code === 'EACCES' ? `nobody may listen on port ${port}` : `port ${port} is in use`;
  const where = node.running ? `goes on at port ${node.port}` : 'stays down';
  return Object.assign(new Error(`${why}; node ${node.name} ${where}`), { statusCode: 409 });
}

export function faultView({ id, fault, matches, hits }: ArmedFault): object {
  return { id, ...fault, matches, hits };
}

export function openThings({ allocations, book, agreements, vms }: AdminParts): OpenThings {
  const open = {
    allocations: allocations.live().map(({ id }) => id),
    demands: book.live().map(({ id }) => id),
    agreements: agreements.live().map(({ id, state }) => ({ id, state })),
    activities: vms.liveActivities().map(({ activityId, agreementId }) => ({ activityId, agreementId })),
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

export function nodeView(node: RequestorNode): object {
  const { name, url, running, requestorIds } = node;
  return { name, url, running, identities: requestorIds };
}
