/**
 * What a plan happens in: a devnet of its own in this process, one or two worker processes on a task queue of their own,
 * and a Temporal server, its own one where the plan kills it. Each can die and come back.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { Child } from '../../cli/child-process';
import { startTemporalServer, type TemporalServer } from '../../cli/temporal-server';
import { startDevnet, type Devnet, type DevnetOptions } from '../../devnet';
import { startCli } from '../support/cli';
import { startWebServer, type WebServer } from '../support/web-server';
import { killsTemporal, type Plan } from './plan';

/** A worker that can do nothing at its start (no Temporal, say) is started again after so long. */
const START_AGAIN_MS = 300;

export class SeedWorld {
  readonly taskQueue = `seed-${randomUUID()}`;
  /** Lines that the workers wrote. */
  readonly output: string[] = [];
  /** How often a worker ended that nobody had ended, with its last words. */
  readonly deaths: string[] = [];
  /** By number; undefined while one is down. */
  private readonly workers: (Child | undefined)[] = [];
  private closed = false;
  /** What is done to a worker, to Temporal and to the network, one thing after the other. */
  private readonly queues = new Map<string, Promise<unknown>>();

  private constructor(
    readonly client: Client,
    readonly web: WebServer,
    readonly dataDir: string,
    readonly appKey: string,
    private readonly devnetOptions: DevnetOptions,
    private network: Devnet,
    private readonly temporal: { address: string; own?: TemporalServer; dbFilename: string },
  ) {}

  /** @param temporalAddress a server for plans that leave Temporal alone */
  static async start(plan: Plan, temporalAddress: string): Promise<SeedWorld> {
    const dataDir = await mkdtemp(join(tmpdir(), 'golem-temporal-seed-'));
    const appKey = `key-${randomUUID()}`;
    const devnetOptions: DevnetOptions = {
      ...{ dataDir: join(dataDir, 'devnet'), appKeys: [appKey] },
      providers: plan.providers.map(({ config }) => config),
      paymentCycleSec: plan.paymentCycleSec,
      rebroadcastSec: 1,
    };
    const dbFilename = join(dataDir, 'temporal.db');
    const own = killsTemporal(plan) ? await startTemporalServer({ dbFilename }) : undefined;
    const address = own?.address ?? temporalAddress;
    const connection = await Connection.connect({ address });
    const network = await startDevnet(devnetOptions);
    const world = new SeedWorld(
      ...([new Client({ connection }), await startWebServer(), dataDir, appKey] as const),
      ...([devnetOptions, network, { address, own, dbFilename }] as const),
    );
    await Promise.all(Array.from({ length: plan.workers }, (_, n) => world.startWorker(n)));
    return world;
  }

  get devnet(): Devnet {
    return this.network;
  }

  /** SIGKILL, and another in its place. */
  async killWorker(n: number, backAfterSec: number): Promise<void> {
    await this.replaceWorker(n, backAfterSec, (worker) => worker.kill());
  }

  /** In good order, as for an update. */
  async stopWorker(n: number, backAfterSec: number): Promise<void> {
    await this.replaceWorker(n, backAfterSec, (worker) => worker.stop(10_000));
  }

  private async replaceWorker(
    n: number,
    backAfterSec: number,
    end: (worker: Child) => Promise<unknown>,
  ): Promise<void> {
    await this.inTurn(`worker ${n}`, async () => {
      const worker = this.workers[n];
      this.workers[n] = undefined;
      if (worker) await end(worker);
      await delay(backAfterSec * 1000);
      await this.startWorker(n);
    });
  }

  private async startWorker(n: number): Promise<void> {
    while (!this.closed) {
      const worker = await startCli(
        ['worker', '--task-queue', this.taskQueue],
        {
          TEMPORAL_ADDRESS: this.temporal.address,
          YAGNA_API_URL: this.network.url,
          YAGNA_APPKEY: this.appKey,
          GOLEM_REGISTRY_URL: `${this.network.url}/registry`,
          GOLEM_REQUEST_TIMEOUT_SEC: '3',
        },
        (line) => this.output.push(line),
      );
      this.workers[n] = worker;
      try {
        await worker.line(/^worker ready/);
        void worker.exited.then(() => this.onExit(n, worker));
        return;
      } catch {
        await delay(START_AGAIN_MS);
      }
    }
  }

  /** One that ends of itself is started again, and it is noted. */
  private onExit(n: number, worker: Child): void {
    if (this.workers[n] !== worker || this.closed) return;
    this.deaths.push(this.output.slice(-5).join(' | '));
    void this.inTurn(`worker ${n}`, () => this.startWorker(n));
  }

  /** SIGKILL, and back on its port and its database. */
  async killTemporal(backAfterSec: number): Promise<void> {
    const { temporal } = this;
    await this.inTurn('temporal', async () => {
      if (!temporal.own) throw new Error('this plan has no Temporal server of its own');
      await temporal.own.process.kill();
      await delay(backAfterSec * 1000);
      const port = Number(temporal.address.split(':')[1]);
      temporal.own = await startTemporalServer({ dbFilename: temporal.dbFilename, port });
    });
  }

  /** yagna goes down and comes back; what it keeps in memory is forgotten. */
  async restartNode(backAfterSec: number): Promise<void> {
    await this.inTurn('network', async () => {
      const node = this.network.node('requestor');
      await node.stop();
      await delay(backAfterSec * 1000);
      await node.start();
    });
  }

  /** All of the network goes down and comes back; its VMs are gone. */
  async restartDevnet(): Promise<void> {
    await this.inTurn('network', async () => {
      const { port } = this.network;
      await this.network.close();
      this.network = await startDevnet({ ...this.devnetOptions, port });
    });
  }

  /** A provider goes out of business in good order, and comes back. */
  async shutDown(provider: string, sec: number): Promise<void> {
    await this.inTurn('network', async () => {
      await this.network.shutDownProvider(provider);
      await delay(sec * 1000);
      this.network.reopenProvider(provider);
    });
  }

  /** Resolves when all that was begun is done. */
  async calm(): Promise<void> {
    await Promise.all(this.queues.values());
  }

  private async inTurn(what: string, act: () => Promise<void>): Promise<void> {
    const before = this.queues.get(what) ?? Promise.resolve();
    const done = before.then(act);
    this.queues.set(
      what,
      done.catch(() => undefined),
    );
    await done;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.calm();
    await Promise.all(this.workers.flatMap((worker) => worker?.kill() ?? []));
    await this.client.connection.close();
    await this.network.close();
    await this.web.close();
    await this.temporal.own?.process.kill();
    await rm(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}
