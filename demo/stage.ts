/**
 * What the demo runs on: a Temporal server, a Golem network and a worker. What the environment names is used as it
 * is; the rest is started here as child processes on free ports and ended in reverse order.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { startChild, stopAllChildren, type Child } from '../cli/child-process';
import { startTemporalServer } from '../cli/temporal-server';

const CLI = join(__dirname, '..', 'cli', 'main.js');

export interface Stage {
  /** Address of the Temporal server, and of its UI if it is ours. */
  temporal: { address: string; uiUrl?: string };
  /** Base URL of the yagna in use, and of the admin API when it is our devnet. */
  golem: { url: string; adminUrl?: string };
  /** Starts the worker and waits until it takes work. */
  startWorker(): Promise<Child>;
}

/** Runs `play` on a stage and takes the stage down after it, at once when `signal` is aborted. */
export async function withStage<T>(
  say: (line: string) => void,
  signal: AbortSignal,
  play: (stage: Stage) => Promise<T>,
): Promise<T> {
  const data = await mkdtemp(join(tmpdir(), 'golem-temporal-demo-'));
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  const played = (async () => {
    const temporal = await openTemporal(say, data);
    const golem = await openGolem(say, data);
    const env = { ...process.env, ...golem.env, TEMPORAL_ADDRESS: temporal.address };
    const startWorker = async (): Promise<Child> => {
      const worker = await startChild(process.execPath, [CLI, 'worker'], { env });
      await worker.line(/^worker ready/);
      return worker;
    };
    return play({ temporal, golem, startWorker });
  })();
  // After an abort it fails for lack of processes, which is no news.
  played.catch(() => {});
  try {
    return await Promise.race([played, aborted]);
  } finally {
    await stopAllChildren();
    await rm(data, { recursive: true, force: true });
  }
}

async function openTemporal(say: (line: string) => void, data: string): Promise<Stage['temporal']> {
  const given = loadClientConnectConfig().connectionOptions.address;
  if (given) {
    say(
      `Temporal    ${given} (${process.env.TEMPORAL_ADDRESS ? 'TEMPORAL_ADDRESS' : 'your Temporal profile'})`,
    );
    return { address: given };
  }
  // A namespace, key or certificate meant for another server is none of this one's.
  for (const name of Object.keys(process.env)) if (name.startsWith('TEMPORAL_')) delete process.env[name];
  process.env.TEMPORAL_CONFIG_FILE = join(data, 'temporal.toml');
  await writeFile(process.env.TEMPORAL_CONFIG_FILE, '[profile.default]\n');
  const server = await startTemporalServer({ ui: true, onProgress: say });
  say(`Temporal    ${server.address}, UI ${server.uiUrl}`);
  return server;
}

async function openGolem(
  say: (line: string) => void,
  data: string,
): Promise<Stage['golem'] & { env: NodeJS.ProcessEnv }> {
  const { YAGNA_APPKEY, YAGNA_API_URL } = process.env;
  if (YAGNA_APPKEY && YAGNA_API_URL) {
    say(`Golem       yagna at ${YAGNA_API_URL} (YAGNA_API_URL)`);
    return { url: YAGNA_API_URL, env: {} };
  }
  const appKey = 'try_golem';
  const devnet = await startChild(process.execPath, [
    CLI,
    'devnet',
    '--port',
    '0',
    '--app-key',
    appKey,
    '--data',
    data,
  ]);
  const [, adminUrl] = /at (\S+)$/.exec(await devnet.line(/^devnet admin/)) ?? [];
  const [, url = ''] = /^devnet ready at (\S+?),/.exec(await devnet.line(/^devnet ready/)) ?? [];
  say(`Golem       devnet at ${url}: its providers run their commands on this machine`);
  // Defaults meant for another network would leave the job without providers on this one.
  const foreign = ['YAGNA_SUBNET', 'PAYMENT_NETWORK', 'PAYMENT_DRIVER', 'GOLEM_CONNECTIONS'];
  return {
    url,
    adminUrl,
    env: {
      ...Object.fromEntries(foreign.map((name) => [name, undefined])),
      ...{ YAGNA_API_URL: url, YAGNA_APPKEY: appKey, GOLEM_REGISTRY_URL: `${url}/registry` },
    },
  };
}

/** How many computations our devnet's providers really started: what the network saw, whatever the job believes. */
export async function scriptsStarted(adminUrl: string): Promise<number> {
  const response = await fetch(`${adminUrl}/effects?kind=script-started`);
  const effects = (await response.json()) as { commands?: string[] }[];
  return effects.filter((effect) => effect.commands?.includes('run')).length;
}
