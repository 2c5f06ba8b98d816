/**
 * One requestor's yagna: its app keys and its REST API on a port of its own. It can be stopped, started again and moved
 * to another port while the network goes on; what yagna keeps in memory (demands, scans) is forgotten then.
 */
import { once } from 'node:events';
import { createServer as createProbe, type AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Identities } from './identity';
import { createServer } from './server/http';

/** Connections that may wait to be accepted: a thousand pollers come back at once. */
const BACKLOG = 4096;

export interface NodeOptions {
  /** Unique in the network. */
  name: string;
  /** Default 0: a free port, kept when the node is restarted. */
  port?: number;
  /** App keys that are let in; each is an identity of its own. Default: one, `try_<name>`. */
  appKeys?: string[];
  /** What each identity's wallet holds at its first allocation on a platform, GLM. Default: the devnet's `funds`. */
  funds?: string;
}

export interface NodeParts {
  name: string;
  host: string;
  port: number;
  appKeys: readonly string[];
  funds: string;
  identities: Identities;
  /** Registers the routes of yagna's API. */
  routes(app: FastifyInstance, node: RequestorNode): void;
  /** The node is up, or down; its requestors with it. */
  onChange(node: RequestorNode): void;
}

export class RequestorNode {
  readonly name: string;
  private app: FastifyInstance | undefined;
  private listening: number;
  private changing: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(private readonly parts: NodeParts) {
    this.name = parts.name;
    this.listening = parts.port;
  }

  /** The first app key. */
  get appKey(): string {
    return this.parts.appKeys[0] ?? '';
  }

  /** Node ids of its identities, in the order of the app keys. */
  get requestorIds(): string[] {
    return this.parts.appKeys.flatMap((key) => this.parts.identities.ofAppKey(key) ?? []);
  }

  /** What each of them holds at its first allocation on a platform, GLM. */
  get funds(): string {
    return this.parts.funds;
  }

  get running(): boolean {
    return this.app !== undefined;
  }

  /** Where it listens; while it is stopped, where it did. */
  get port(): number {
    return this.listening;
  }

  get url(): string {
    const { host } = this.parts;
    const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
    return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${this.listening}`;
  }

  /** Listens, on its old port when no other is given. A node that is running is left as it is. */
  start(options: { port?: number } = {}): Promise<void> {
    return this.afterwards(async () => {
      if (this.app || this.closed) return;
      const app = createServer(this.parts.identities);
      this.parts.routes(app, this);
      try {
        await app.listen({ port: options.port ?? this.listening, host: this.parts.host, backlog: BACKLOG });
      } catch (error) {
        await app.close();
        throw error;
      }
      this.listening = (app.server.address() as AddressInfo).port;
      this.app = app;
      this.parts.onChange(this);
    });
  }

  /** Goes down as a killed daemon does: open connections are cut, answers under way are lost. */
  stop(): Promise<void> {
    return this.afterwards(async () => {
      const { app } = this;
      if (!app) return;
      this.app = undefined;
      // Connections first: nobody hears from a daemon that was killed what it has forgotten.
      await app.close();
      this.parts.onChange(this);
    });
  }

  /** Goes down for good, with the network: whoever was about to start it again does not. */
  close(): Promise<void> {
    this.closed = true;
    return this.stop();
  }

  /** Goes down and comes back, at another port if one is given; when that cannot be had, nothing happens. */
  async restart(options: { port?: number } = {}): Promise<void> {
    const before = this.listening;
    const { port = before } = options;
    if (this.running && port !== before) await mustBeFree(port, this.parts.host);
    await this.stop();
    await this.start({ port }).catch(async (error: unknown) => {
      // Somebody was quicker.
      if (port !== before) await this.start({ port: before });
      throw error;
    });
  }

  private afterwards(step: () => Promise<void>): Promise<void> {
    const done = this.changing.then(step);
    this.changing = done.catch(() => undefined);
    return done;
  }
}

/** @throws what listening there is answered with */
async function mustBeFree(port: number, host: string): Promise<void> {
  const probe = createProbe().listen({ port, host });
  await once(probe, 'listening');
  await new Promise((closed) => probe.close(closed));
}
