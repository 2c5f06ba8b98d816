/**
 * What both sides are measured on: one devnet, whose providers all ask the same for a start and nothing for time, so that the same
 * work costs both the same; one Temporal dev server; one worker; and golem-js in a process that is as warm as the worker, where
 * it is asked for anything.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import Decimal from 'decimal.js';
import { Client, Connection } from '@temporalio/client';
import type { Child } from '../cli/child-process';
import { GolemClient } from '../client';
import { startCli } from '../test/support/cli';
import { APP_KEY, startDevnetChild, type DevnetChild } from './devnet-child';

/** Latencies of the devnet's providers. */
export type Latency = 'none' | 'recorded';

export interface GolemJsRun {
  resultMs: number;
  settledMs: number;
  printed: (string | null)[];
}

export interface WorldOptions {
  temporalAddress: string;
  latency: Latency;
  /** How many there are. */
  providers: number;
  /** More settings of each, as a file of providers has them. */
  provider?: object;
  /** A script that the worker's process loads before all else. */
  preload?: string;
  /** Where the worker finds its neighbours, given where they are: proxies that count, say. Default: where they are. */
  seen?: { yagna?: (url: string) => Promise<string>; temporal?: (address: string) => Promise<string> };
}

/** GLM, what each agreement costs. */
export const START_PRICE = '0.1';

/** Of the devnet, as its admin API tells it. */
export interface BenchEffect {
  seq: number;
  kind: string;
  /** ISO 8601. */
  at: string;
  agreementId?: string;
  activityId?: string;
  batchId?: string;
  proposalId?: string;
  prevProposalId?: string;
  amount?: string;
}

interface GolemJsSide {
  process: ChildProcessByStdio<Writable, Readable, null>;
  lines: AsyncIterator<string>;
}

export class BenchWorld {
  private golemJsSide: GolemJsSide | undefined;

  private constructor(
    private readonly env: NodeJS.ProcessEnv,
    readonly devnet: DevnetChild,
    readonly worker: Child,
    private readonly connection: Connection,
    readonly client: Client,
    readonly golem: GolemClient,
  ) {}

  static async start(options: WorldOptions): Promise<BenchWorld> {
    const { temporalAddress, latency, preload, seen = {} } = options;
    const provider = {
      pricing: { start: START_PRICE, cpuPerHour: '0', envPerHour: '0' },
      ...options.provider,
    };
    const profile = latency === 'none' ? 'instant' : 'recorded';
    const devnet = await startDevnetChild(options.providers, provider, profile);
    const { url } = devnet;
    const env = {
      ...process.env,
      TEMPORAL_ADDRESS: temporalAddress,
      YAGNA_API_URL: url,
      YAGNA_APPKEY: APP_KEY,
      GOLEM_REGISTRY_URL: `${url}/registry`,
      DEBUG: '',
    };
    const taskQueue = `bench-${randomUUID()}`;
    const worker = await startCli(['worker', '--task-queue', taskQueue], {
      ...env,
      ...(preload !== undefined && { NODE_OPTIONS: `--require ${preload}` }),
      YAGNA_API_URL: (await seen.yagna?.(url)) ?? url,
      TEMPORAL_ADDRESS: (await seen.temporal?.(temporalAddress)) ?? temporalAddress,
    });
    await worker.line(/^worker ready/);
    const connection = await Connection.connect({ address: temporalAddress });
    const client = new Client({ connection });
    const golem = new GolemClient({ client, taskQueue });
    return new BenchWorld(env, devnet, worker, connection, client, golem);
  }

  /** One piece of work of golem-js-side.mjs. */
  async golemJs(work: object): Promise<GolemJsRun> {
    this.golemJsSide ??= startGolemJs(this.env);
    this.golemJsSide.process.stdin.write(`${JSON.stringify(work)}\n`);
    const { value, done } = await this.golemJsSide.lines.next();
    if (done) throw new Error('golem-js ended');
    return JSON.parse(value) as GolemJsRun;
  }

  /** Effects on the devnet, in order. @param after sequence number of the last that is known */
  async effects(after: number, kinds: readonly string[] = []): Promise<BenchEffect[]> {
    const kind = kinds.length > 0 ? `&kind=${kinds.join(',')}` : '';
    return await this.devnet.admin(`/effects?after=${after}${kind}`);
  }

  /** Sequence number of the newest effect. */
  async now(): Promise<number> {
    return (await this.effects(0)).at(-1)?.seq ?? 0;
  }

  private paidSeq = 0;
  private paidSum = new Decimal(0);

  /** GLM that were paid on the devnet, in all. @param waitSec how long to wait for more than was known before, seconds */
  async paid(waitSec = 0): Promise<Decimal> {
    for (let timeout = waitSec; ; timeout = 0) {
      const query = `kind=paid&after=${this.paidSeq}&timeout=${timeout}`;
      const news = await this.devnet.admin<{ seq: number; amount: string }[]>(`/effects?${query}`);
      if (news.length === 0) return this.paidSum;
      for (const { amount } of news) this.paidSum = this.paidSum.plus(amount);
      this.paidSeq = news.at(-1)?.seq ?? this.paidSeq;
    }
  }

  async close(): Promise<void> {
    if (this.golemJsSide) {
      const ended = once(this.golemJsSide.process, 'close');
      this.golemJsSide.process.stdin.end();
      await ended;
    }
    // Nothing is left for it to do, and it would wait for its watches.
    await this.worker.kill();
    await this.devnet.close();
    await this.connection.close();
  }
}

function startGolemJs(env: NodeJS.ProcessEnv): GolemJsSide {
  const child = spawn(process.execPath, ['--no-warnings', join(__dirname, 'golem-js-side.mjs')], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  }) as GolemJsSide['process'];
  return { process: child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
}
