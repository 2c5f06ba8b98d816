/**
 * What one crash point after the other is run in: a devnet in this process, a worker in a process of its own, and
 * between the worker and both its neighbours a proxy that sees all, stops all, and tells whose it is.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startChild, type Child } from '../../cli/child-process';
import { GolemClient } from '../../client';
import { startDevnet, type Devnet } from '../../devnet';
import { startCli } from '../support/cli';
import { FaultProxy, type Call } from '../support/fault-proxy';
import { startWebServer, type WebServer } from '../support/web-server';
import { TemporalProxy } from './temporal-proxy';

export interface ChaosWorldOptions {
  /** `host:port` of the dev server, which many worlds may share. */
  temporalAddress: string;
  /**
   * Patience of the worker with a request, seconds; after 4/3 of it nothing of a lost one can take effect any more. Default
   * 3: long enough on loopback, unless the machine is busy with other things.
   */
  requestTimeoutSec?: number;
  /** That Temporal suggests soon that workflows continue as new. Default false. */
  isHurried?: boolean;
}

const PRELOAD = join(__dirname, 'tag-requests.js');
const THEIR_WORKER = join(__dirname, 'their-worker.js');
const THEIR_WORKFLOWS = join(__dirname, 'talking-workflow.ts');

export class ChaosWorld {
  readonly yagna = new FaultProxy();
  readonly temporal = new TemporalProxy();
  readonly taskQueue = `chaos-${randomUUID()}`;
  readonly golem: GolemClient;
  private readonly folder = mkdtempSync(join(tmpdir(), 'golem-temporal-chaos-'));
  /** Where workers remember providers that broke faith, for the run. */
  private readonly avoidFile = join(this.folder, 'avoid.json');
  /** What workers wrote to stderr. */
  readonly log: string[] = [];
  worker: Child | undefined;
  /** Is told of every request to yagna. */
  onCall: (call: Call) => void = () => undefined;
  /** May hold a request up before anything is done with it. */
  beforeCall: (call: Call) => Promise<void> | void = () => undefined;
  private starting: Promise<void> | undefined;

  private constructor(
    readonly devnet: Devnet,
    readonly web: WebServer,
    readonly client: Client,
    private readonly connection: Connection,
    private readonly temporalAddress: string,
    readonly requestTimeoutMs: number,
    readonly isHurried: boolean,
  ) {
    this.golem = new GolemClient({ client, taskQueue: this.taskQueue });
    this.yagna.onCall = (call) => {
      this.onCall(call);
      return this.beforeCall(call);
    };
  }

  static async start(options: ChaosWorldOptions): Promise<ChaosWorld> {
    const { temporalAddress, requestTimeoutSec = 3, isHurried = false } = options;
    const devnet = await startDevnet({
      providers: [{ name: 'one' }, { name: 'two' }],
      paymentCycleSec: 0.1,
    });
    const connection = await Connection.connect({ address: temporalAddress });
    const client = new Client({ connection });
    const world = new ChaosWorld(
      devnet,
      await startWebServer(),
      client,
      connection,
      temporalAddress,
      requestTimeoutSec * 1000,
      isHurried,
    );
    const [yagnaUrl, temporal] = await Promise.all([
      world.yagna.start(devnet.url),
      world.temporal.start(temporalAddress),
    ]);
    world.env = {
      NODE_OPTIONS: `--require ${PRELOAD}`,
      TEMPORAL_ADDRESS: temporal,
      YAGNA_API_URL: yagnaUrl,
      YAGNA_APPKEY: devnet.appKey,
      GOLEM_REGISTRY_URL: `${yagnaUrl}/registry`,
      GOLEM_REQUEST_TIMEOUT_SEC: String(requestTimeoutSec),
    };
    await world.startWorker();
    return world;
  }

  private env: NodeJS.ProcessEnv = {};

  /** Another worker process on the same task queue; resolves when it works. */
  async startWorker(): Promise<void> {
    this.starting = (async () => {
      const args = ['worker', '--task-queue', this.taskQueue, '--avoid', this.avoidFile];
      const worker = await startCli(args, this.env, (line) => this.log.push(line));
      this.worker = worker;
      await worker.line(/^worker ready/);
    })();
    await this.starting;
  }

  private theirs: Promise<{ worker: Child; taskQueue: string }> | undefined;

  /** The task queue of a user's own worker, which has the workflow `talking`, and which nothing happens to. */
  async theirQueue(): Promise<string> {
    this.theirs ??= (async () => {
      const taskQueue = `theirs-${randomUUID()}`;
      const args = [THEIR_WORKER, this.temporalAddress, taskQueue, THEIR_WORKFLOWS];
      const worker = await startChild(process.execPath, args, { onStderr: (line) => this.log.push(line) });
      await worker.line(/^worker ready/);
      return { worker, taskQueue };
    })();
    return (await this.theirs).taskQueue;
  }

  /** SIGKILL, and another one is started at once. Resolves when the old one is dead. */
  async killWorker(): Promise<void> {
    await this.worker?.kill();
    this.startWorker().catch((error: unknown) => this.log.push(String(error)));
  }

  /** Resolves with the admin API's word of the first effect after `seq` that goes back to that call. */
  async effectOf(call: string, seq: number, signal: AbortSignal): Promise<void> {
    for (let after = seq; ;) {
      const response = await fetch(`${this.devnet.adminUrl}/effects?after=${after}&timeout=30`, { signal });
      const effects = (await response.json()) as { seq: number; cause: string }[];
      if (effects.some(({ cause }) => cause.startsWith(`${call} at node `))) return;
      after = effects.at(-1)?.seq ?? after;
    }
  }

  /** Takes back whatever a run was to be broken by. */
  reset(): void {
    this.yagna.clear();
    this.yagna.onAnswered = () => undefined;
    this.onCall = () => undefined;
    this.beforeCall = () => undefined;
    this.temporal.onDone = () => true;
    this.temporal.onActivityBegun = () => true;
    this.temporal.onActivityDone = () => true;
    this.devnet.faults.disarmAll();
    rmSync(this.avoidFile, { force: true });
  }

  async close(): Promise<void> {
    await this.starting?.catch(() => undefined);
    await this.worker?.kill();
    await (await this.theirs?.catch(() => undefined))?.worker.kill();
    await this.connection.close();
    await Promise.all([this.yagna.close(), this.temporal.close(), this.web.close()]);
    await this.devnet.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
