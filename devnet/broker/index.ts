/** The devnet's broker as a server: `startBroker()`. Loopback clients only, as all of the devnet's own. */
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { isAmount } from '../payment/amounts';
import { DEFAULT_PLATFORM, PLATFORMS } from '../payment/platforms';
import { Broker, BrokerRefusal } from './broker';

export interface BrokerOptions {
  /** Of the devnet's admin API: there it reads agreements and the public ledger, and pays. */
  adminUrl: string;
  /** Where its books are kept, over restarts. */
  dataDir: string;
  /** Default 0: a free one. */
  port?: number;
  /** How long the hour of its rules is, seconds. Default 3600; less where durations are scaled down. */
  hourSec?: number;
}

export interface RunningBroker {
  url: string;
  /** Of its wallet on the public ledger. */
  address: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'must be an address: 0x and 40 hex digits')
  .toLowerCase();
const amount = z.string().refine(isAmount, 'must be a decimal of GLM in a string, with up to 18 decimals');
const text = z.string().min(1).max(200);

const depositBody = z.strictObject({
  id: z
    .string()
    .regex(/^[\w-]{1,100}$/, 'must be 1 to 100 letters, digits, - and _')
    .optional(),
  ...{ requestor: address, funder: address.optional() },
  platform: z.enum(PLATFORMS as [string, ...string[]]).default(DEFAULT_PLATFORM),
  ...{ amount, perHour: amount.optional(), total: amount.optional() },
});

const claimBody = z.strictObject({
  ...{ kind: z.enum(['debitNote', 'invoice']), id: text, issuer: address, agreementId: text },
  ...{ activityId: text.optional(), activityIds: z.array(text).max(1000).optional(), amount },
  usage: z.array(z.number()).max(30).optional(),
});

export async function startBroker(options: BrokerOptions): Promise<RunningBroker> {
  const { adminUrl, dataDir, port = 0, hourSec = 3600 } = options;
  const broker = new Broker({ adminUrl, dataDir, hourSec });
  const app = Fastify({ logger: false, forceCloseConnections: true });
  guard(app);
  routes(app, broker);
  try {
    await app.listen({ port, host: HOST });
  } catch (error) {
    await app.close();
    await broker.shut();
    throw error;
  }
  // Where the network is away, they are paid when their providers ask again.
  broker.resume().catch(() => undefined);
  return {
    url: `http://${HOST}:${(app.server.address() as AddressInfo).port}`,
    address: broker.address,
    async close() {
      await app.close();
      await broker.shut();
    },
  };
}

function guard(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, next) => {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    const isOurs = ['127.0.0.1', 'localhost'].includes(host) && request.headers.origin === undefined;
    if (isOurs) next();
    else reply.code(403).send({ message: 'only programs of this machine are let in' });
  });
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof z.ZodError) {
      const problems = error.issues.map(({ path, message }) =>
        [path.join('.'), message].filter(Boolean).join(': '),
      );
      return reply.code(400).send({ message: problems.join('; ') });
    }
    if (error instanceof BrokerRefusal) return reply.code(error.status).send({ message: error.message });
    const { statusCode = 500, message } = error as { statusCode?: number; message: string };
    return reply.code(statusCode).send({ message });
  });
}

function routes(app: FastifyInstance, broker: Broker): void {
  app.get('/', () => ({ address: broker.address, hourSec: broker.hourSec, platforms: PLATFORMS }));

  app.get('/deposits', () => broker.deposits().map(({ id }) => broker.deposit(id)));

  app.get('/deposits/:id', (request) => broker.deposit(idOf(request.params)));

  app.post('/deposits', async (request, reply) => {
    const opened = await broker.open(depositBody.parse(request.body ?? {}));
    return reply.code(201).send(broker.deposit(opened.id));
  });

  app.post('/deposits/:id/close', (request) => broker.close(idOf(request.params)));

  app.get('/deposits/:id/claims', (request) => {
    const { id } = broker.deposit(idOf(request.params));
    return broker.claims(id);
  });

  app.post('/claims', (request) => broker.decide(claimBody.parse(request.body ?? {})));
}

function idOf(params: unknown): string {
  return (params as { id: string }).id;
}
