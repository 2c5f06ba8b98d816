/**
 * What both sides are measured on: one devnet, whose providers all ask the same for a start and nothing for time, so that the same
 * work costs both the same; one Temporal dev server; one worker; and golem-js in a process that is as warm as the worker.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { createInterface, type Interface } from 'node:readline';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import Decimal from 'decimal.js';
import { Client, Connection } from '@temporalio/client';
import type { Child } from '../cli/child-process';
import { GolemClient } from '../client';
import { startCli } from '../test/support/cli';

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
}

const START_PRICE = '0.1';

export class BenchWorld {
  private readonly golemJsLines: AsyncIterator<string>;

  private constructor(
    private readonly folder: string,
    readonly env: NodeJS.ProcessEnv,
    readonly adminUrl: string,
    private readonly children: readonly Child[],
    private readonly golemJsProcess: ChildProcessByStdio<Writable, Readable, null>,
    private readonly connection: Connection,
    readonly golem: GolemClient,
  ) {
    const lines: Interface = createInterface(golemJsProcess.stdout);
    this.golemJsLines = lines[Symbol.asyncIterator]();
  }

  static async start({ temporalAddress, latency, providers }: WorldOptions): Promise<BenchWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'golem-temporal-bench-'));
    const file = join(folder, 'providers.json');
    const pricing = { start: START_PRICE, cpuPerHour: '0', envPerHour: '0' };
    writeFileSync(
      file,
      JSON.stringify({
        profile: latency === 'none' ? 'instant' : 'recorded',
        providers: Array.from({ length: providers }, (_, i) => ({ name: `provider-${i + 1}`, pricing })),
      }),
    );
    const devnet = await startCli([
      'devnet',
      '--port',
      '0',
      '--providers',
      file,
      '--data',
      join(folder, 'devnet'),
    ]);
    const adminUrl = (await devnet.line(/^devnet admin API at /)).split(' ').at(-1) ?? '';
    const url = /at (\S+),/.exec(await devnet.line(/^devnet ready at /))?.[1] ?? '';
    const env = {
      ...process.env,
      TEMPORAL_ADDRESS: temporalAddress,
      YAGNA_API_URL: url,
      YAGNA_APPKEY: 'try_golem',
      GOLEM_REGISTRY_URL: `${url}/registry`,
      DEBUG: '',
    };
    const taskQueue = `bench-${latency}-${process.pid}`;
    const worker = await startCli(['worker', '--task-queue', taskQueue], env);
    await worker.line(/^worker ready/);
    const golemJs = spawn(process.execPath, ['--no-warnings', join(__dirname, 'golem-js-side.mjs')], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    }) as ChildProcessByStdio<Writable, Readable, null>;
    const connection = await Connection.connect({ address: temporalAddress });
    const golem = new GolemClient({ client: new Client({ connection }), taskQueue });
    return new BenchWorld(folder, env, adminUrl, [devnet, worker], golemJs, connection, golem);
  }

  /** One piece of work of golem-js-side.mjs. */
  async golemJs(work: object): Promise<GolemJsRun> {
    this.golemJsProcess.stdin.write(`${JSON.stringify(work)}\n`);
    const { value, done } = await this.golemJsLines.next();
    if (done) throw new Error('golem-js ended');
    return JSON.parse(value) as GolemJsRun;
  }

  private paidSeq = 0;
  private paidSum = new Decimal(0);

  /** GLM that were paid on the devnet, in all. @param waitSec how long to wait for more than was known before, seconds */
  async paid(waitSec = 0): Promise<Decimal> {
    for (let timeout = waitSec; ; timeout = 0) {
      const query = `kind=paid&after=${this.paidSeq}&timeout=${timeout}`;
      const response = await fetch(`${this.adminUrl}/effects?${query}`);
      const news = (await response.json()) as { seq: number; amount: string }[];
      if (news.length === 0) return this.paidSum;
      for (const { amount } of news) this.paidSum = this.paidSum.plus(amount);
      this.paidSeq = news.at(-1)?.seq ?? this.paidSeq;
    }
  }

  async close(): Promise<void> {
    const ended = once(this.golemJsProcess, 'close');
    this.golemJsProcess.stdin.end();
    await ended;
    for (const child of [...this.children].reverse()) await child.stop();
    await this.connection.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}
