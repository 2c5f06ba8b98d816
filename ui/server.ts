/** The server of the page: its files, what it shows as server-sent events, and what it may do. Thin over GolemClient. */
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { GolemClient } from '../client/index';
import { actionRoutes } from './actions';
import { streamParts } from './event-stream';
import { guard, isSame, letIn, SECURITY_HEADERS, type GuardOptions } from './guard';
import { jobsPage, JobListSource } from './job-list-source';
import { JobSource } from './job-source';
import { pageFile, pageFiles } from './page-files';
import { troubleOf } from './trouble';

export interface UiOptions {
  golem: GolemClient;
  /** Default `127.0.0.1`. */
  host?: string;
  /** Default a free one. */
  port?: number;
  /** Must be given where `host` is not this machine's own loopback. */
  token?: string;
  /** Base URL of Temporal's own UI, to link to. */
  temporalUi?: string;
  /** Where Temporal is, to say so. */
  temporalAddress?: string;
  /** For so long a job is read on after the last page of it was closed, ms. Default 10000. */
  lingerMs?: number;
}

export interface UiServer {
  url: string;
  close(): Promise<void>;
}

const LINGER_MS = 10_000;
const ANSWER_LIMIT_MS = 15_000;
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/;

export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** @throws Error - there is no token where one is needed, or it cannot listen there */
export async function startUiServer(options: UiOptions): Promise<UiServer> {
  const { host = '127.0.0.1', port = 0, token } = options;
  const on: GuardOptions = { isLoopback: isLoopback(host), token };
  if (!on.isLoopback && !token) throw new Error(`${host} is not this machine alone: a token is needed`);
  const app = Fastify({ logger: false, forceCloseConnections: true, bodyLimit: 16 * 1024 });
  const signInPage = pageFile('sign-in.html');
  const signIn = (_request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    reply.code(401).header('content-type', signInPage.type).send(signInPage.text);
  guard(app, on, signIn);
  bodies(app);
  pageFiles(app);
  const closeSources = sourceRoutes(app, options);
  actionRoutes(app, options.golem);
  app.post('/sign-in', (request, reply) => {
    const given = new URLSearchParams(String(request.body)).get('token') ?? '';
    if (token === undefined || !isSame(given, token)) return signIn(request, reply);
    return letIn(request, reply, token, '/');
  });
  try {
    await app.listen({ port, host });
  } catch (error) {
    await app.close();
    throw error;
  }
  const address = app.server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    async close() {
      closeSources();
      await app.close();
    },
  };
}

/** JSON is all that is taken, and bad input gets one line. */
function bodies(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (request, body, parsed) =>
      request.url === '/sign-in' ? parsed(null, body) : parsed(new Refused(415, 'give JSON')),
  );
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
    reply.code(404).send({ message: `there is no ${request.url} here` }),
  );
}

class Refused extends Error {
  constructor(
    readonly statusCode: number,
    message: string,
  ) {
    super(message);
  }
}

const ofJob = z.object({ id: z.string().min(1).max(1000) });
const paged = ofJob.extend({ offset: z.coerce.number().int().min(0).default(0) });
const older = ofJob.extend({
  before: z.coerce.number().int().min(0).optional(),
  find: z.string().max(200).optional(),
});

/** @returns what ends all reading */
function sourceRoutes(app: FastifyInstance, options: UiOptions): () => void {
  const { golem, lingerMs = LINGER_MS, temporalUi, temporalAddress } = options;
  const list = new JobListSource(golem, lingerMs);
  const jobs = new Map<string, JobSource>();
  const open = (id: string): JobSource => {
    for (const [each, source] of jobs) if (!source.isRead) jobs.delete(each);
    const source = jobs.get(id) ?? new JobSource(golem, id, lingerMs);
    jobs.set(id, source);
    return source;
  };
  /** Of what a page has open: nothing is read for a single question. */
  const opened = (id: string): JobSource => {
    const source = jobs.get(id);
    if (source?.isRead) return source;
    throw new Refused(409, 'no page of that job is open');
  };

  app.get('/api/about', () => ({
    namespace: golem.client.options.namespace,
    temporal: temporalAddress,
    temporalUi: temporalUi?.replace(/\/+$/, ''),
  }));
  app.get('/api/jobs', (_request, reply) => streamParts(reply, list, SECURITY_HEADERS));
  app.get('/api/jobs/more', async (request, reply) => {
    const { after } = z.object({ after: z.string().max(10_000) }).parse(request.query);
    try {
      return await jobsPage(golem, after);
    } catch (error) {
      const { message } = await troubleOf(golem, error);
      return reply.code(503).send({ message });
    }
  });
  app.get('/api/job', (request, reply) =>
    streamParts(reply, open(ofJob.parse(request.query).id), SECURITY_HEADERS),
  );
  app.get('/api/job/events', (request) => {
    const { id, ...options } = older.parse(request.query);
    return opened(id).eventsPage(options);
  });
  app.get('/api/job/bills', (request) => {
    const { id, offset } = paged.parse(request.query);
    return opened(id).billsPage(offset);
  });
  app.get('/api/job/providers', (request) => {
    const { id, offset } = paged.parse(request.query);
    return opened(id).providersPage(offset);
  });
  app.get('/api/job/tasks', (request) => {
    const { id, offset } = paged.parse(request.query);
    return opened(id).tasksPage(offset);
  });
  app.get('/api/job/task', async (request, reply) => {
    const { id, name } = ofJob.extend({ name: z.string() }).parse(request.query);
    try {
      const task = await golem.client.withDeadline(Date.now() + ANSWER_LIMIT_MS, () => golem.task(id, name));
      return (
        task ?? reply.code(404).send({ message: 'its result is in a part that was written to resultsTo' })
      );
    } catch (error) {
      const { message } = await troubleOf(golem, error);
      return reply.code(503).send({ message });
    }
  });
  return () => {
    list.end();
    for (const source of jobs.values()) source.end();
  };
}
