/**
 * All that a job needs, for one test file: a devnet, a worker process on a task queue of its own, and a client.
 * Temporal's dev server is that of the whole run.
 */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import type { Child } from '../../cli/child-process';
import type { GolemClient } from '../../client';
import { startDevnet, type Devnet, type DevnetOptions, type EffectKind } from '../../devnet';
import { startTemporalServer } from '../../cli/temporal-server';
import { CheckedClient } from './checked-client';
import { requireBuild, startCli } from './cli';
import { temporalAddress } from './temporal';

export interface WorldOptions {
  devnet?: DevnetOptions;
  /** Where the worker finds yagna, given the devnet's URL; a proxy in between, say. Default: the devnet. */
  yagnaUrl?: (devnetUrl: string) => Promise<string> | string;
  /** More environment for the worker. */
  env?: NodeJS.ProcessEnv;
  /** More arguments of `golem-temporal worker`. */
  workerArgs?: string[];
  /**
   * A Temporal of the test's own, which suggests to workflows that they continue as new after so many events. Default:
   * the run's, which does after 4,096.
   */
  continueAsNewAfter?: number;
}

export interface World {
  devnet: Devnet;
  client: Client;
  golem: GolemClient;
  taskQueue: string;
  /** The worker process that runs now. */
  worker: Child;
  /** What workers have written so far, in lines. */
  workerLog: string[];
  /** Starts a worker process on the same task queue, after the one before was killed. */
  startWorker(): Promise<Child>;
  /** Stops the devnet and starts it again on its port; needs a `dataDir` of the test's. */
  restartDevnet(): Promise<void>;
  /** What the devnet still holds: counts of live allocations, demands, agreements and Golem activities. */
  open(): Promise<Record<string, number>>;
  /** Effects on the devnet of some kind, in order. */
  effects(kind?: string, after?: number): Promise<Effect[]>;
  /** The first effect of a kind after another one, waited for. */
  effect(kind: string, after?: number): Promise<Effect>;
  close(): Promise<void>;
}

export interface Effect {
  seq: number;
  kind: string;
  agreementId?: string;
  activityId?: string;
  batchId?: string;
  providerId?: string;
  at: string;
  commands?: string[];
  reason?: unknown;
  amount?: string;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  requireBuild();
  const devnet = await startDevnet(options.devnet);
  const taskQueue = `golem-${randomUUID()}`;
  const workerLog: string[] = [];
  const ownTemporal =
    options.continueAsNewAfter === undefined
      ? undefined
      : await startTemporalServer({
          dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': options.continueAsNewAfter },
        });
  const address = ownTemporal?.address ?? temporalAddress();
  const yagnaUrl = (await options.yagnaUrl?.(devnet.url)) ?? devnet.url;
  const startWorker = async (): Promise<Child> => {
    const env = {
      TEMPORAL_ADDRESS: address,
      YAGNA_API_URL: yagnaUrl,
      YAGNA_APPKEY: devnet.appKey,
      GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
      // After a lost answer the settlement waits until the request cannot land any more: long enough on loopback.
      GOLEM_REQUEST_TIMEOUT_SEC: '6',
      ...options.env,
    };
    const write = (line: string): void => void workerLog.push(line);
    const worker = await startCli(
      ['worker', '--task-queue', taskQueue, ...(options.workerArgs ?? [])],
      env,
      write,
      write,
    );
    await worker.line(/^worker ready/);
    return worker;
  };
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const world: World = {
    ...{ devnet, client, taskQueue, workerLog },
    golem: new CheckedClient({ client, taskQueue }),
    worker: await startWorker(),
    async startWorker() {
      world.worker = await startWorker();
      return world.worker;
    },
    async restartDevnet() {
      const { port } = world.devnet;
      await world.devnet.close();
      world.devnet = await startDevnet({ ...options.devnet, port });
    },
    async open() {
      return await Promise.resolve(world.devnet.open().counts);
    },
    async effects(kind, after) {
      return await Promise.resolve(
        world.devnet.effects.all(after, kind?.split(',') as EffectKind[] | undefined),
      );
    },
    async effect(kind, after = 0) {
      return await world.devnet.effects.next(kind as EffectKind, after);
    },
    async close() {
      await world.worker.stop();
      await connection.close();
      await world.devnet.close();
      await ownTemporal?.close();
    },
  };
  return world;
}

/** Nothing is left on yagna. */
export const NOTHING_OPEN = { allocations: 0, demands: 0, agreements: 0, activities: 0 };
