/**
 * What the demo runs on: a Temporal server, a Golem network and a worker. What the environment names is used as it
 * is; the rest is started here as child processes on free ports and ended in reverse order.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, type Child } from '../cli/child-process';
import { startTemporalServer } from '../cli/temporal-server';

const CLI = join(__dirname, '..', 'cli', 'main.js');

export interface Stage {
  /** Address of the Temporal server, and of its UI if it is ours. */
  temporal: { address: string; uiUrl?: string };
  /** Base URL of the yagna in use; `devnet` when it is ours. */
  golem: { url: string; devnet: boolean };
  /** Starts the worker and waits until it takes work. */
  startWorker(): Promise<Child>;
}

/** Runs `play` on a stage and takes the stage down after it, also when `signal` is aborted while it is set up. */
export async function withStage<T>(
  say: (line: string) => void,
  signal: AbortSignal,
  play: (stage: Stage) => Promise<T>,
): Promise<T> {
  const down: (() => Promise<unknown>)[] = [];
  try {
    const temporal = await openTemporal(say, down);
    signal.throwIfAborted();
    process.env.TEMPORAL_ADDRESS = temporal.address;
    const golem = await openGolem(say, down);
    signal.throwIfAborted();
    const startWorker = async (): Promise<Child> => {
      const worker = await startChild(process.execPath, [CLI, 'worker'], { env: { ...process.env, ...golem.env } });
      down.push(() => worker.stop());
      await worker.line(/^worker ready/);
      return worker;
    };
    return await play({ temporal, golem, startWorker });
  } finally {
    for (const close of down.reverse()) await close();
  }
}

async function openTemporal(
  say: (line: string) => void,
  down: (() => Promise<unknown>)[],
): Promise<Stage['temporal']> {
  const given = process.env.TEMPORAL_ADDRESS;
  if (given) {
    say(`Temporal    ${given} (TEMPORAL_ADDRESS)`);
    return { address: given };
  }
  const server = await startTemporalServer({ ui: true, onProgress: say });
  down.push(() => server.close());
  say(`Temporal    ${server.address}, UI ${server.uiUrl}`);
  return server;
}

async function openGolem(
  say: (line: string) => void,
  down: (() => Promise<unknown>)[],
): Promise<Stage['golem'] & { env: NodeJS.ProcessEnv }> {
  const { YAGNA_APPKEY, YAGNA_API_URL } = process.env;
  if (YAGNA_APPKEY && YAGNA_API_URL) {
    say(`Golem       yagna at ${YAGNA_API_URL} (YAGNA_API_URL)`);
    return { url: YAGNA_API_URL, devnet: false, env: {} };
  }
  const data = await mkdtemp(join(tmpdir(), 'golem-temporal-demo-'));
  down.push(() => rm(data, { recursive: true, force: true }));
  const appKey = 'try_golem';
  const devnet = await startChild(process.execPath, [CLI, 'devnet', '--port', '0', '--app-key', appKey, '--data', data]);
  down.push(() => devnet.stop());
  const [, url = ''] = /^devnet ready at (\S+?),/.exec(await devnet.line(/^devnet ready/)) ?? [];
  say(`Golem       devnet at ${url}: its providers run their commands on this machine`);
  return {
    url,
    devnet: true,
    env: { YAGNA_API_URL: url, YAGNA_APPKEY: appKey, GOLEM_REGISTRY_URL: url },
  };
}
