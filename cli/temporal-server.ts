/** Starts a Temporal development server as a child process, and says when it can really be used. */
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { startChild, type Child } from './child-process';
import { freePort } from './free-port';
import { findTemporalBinary, type TemporalBinaryOptions } from './temporal-binary';

export interface TemporalServerOptions extends TemporalBinaryOptions {
  /** Also serve Temporal's UI. Default false. */
  ui?: boolean;
  /** File to keep the state in. Default: in memory only. */
  dbFilename?: string;
  /** On loopback. Default: a free one. */
  port?: number;
  /** Settings of the server by their names, such as `{ 'limit.historyCount.suggestContinueAsNew': 500 }`. */
  dynamicConfig?: Record<string, number | string | boolean>;
}

export interface TemporalServer {
  /** `127.0.0.1:<port>`. */
  address: string;
  /** Where the UI is, when asked for. */
  uiUrl?: string;
  process: Child;
  close(): Promise<void>;
}

/** The default of 20 a second makes each activity wait; a job is many short ones. */
const SETTINGS = { 'history.transferProcessorMaxPollRPS': 2000 };
/** How long a server that was started may take to answer. */
const START_LIMIT_MS = 60_000;

export async function startTemporalServer(options: TemporalServerOptions = {}): Promise<TemporalServer> {
  const binary = await findTemporalBinary(options);
  const port = options.port ?? (await freePort());
  const uiPort = options.ui ? await freePort() : undefined;
  const child = await startChild(binary, [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--log-level', 'error'],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...(options.dbFilename === undefined ? [] : ['--db-filename', options.dbFilename]),
    ...Object.entries({ ...SETTINGS, ...options.dynamicConfig }).flatMap(([name, value]) => [
      ...['--dynamic-config-value', `${name}=${JSON.stringify(value)}`],
    ]),
  ]);
  const address = `127.0.0.1:${port}`;
  try {
    await untilReady(address, child);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return {
    address,
    uiUrl: uiPort === undefined ? undefined : `http://127.0.0.1:${uiPort}`,
    process: child,
    close: async () => {
      await child.stop();
    },
  };
}

/** The server announces itself before it answers, so it is asked until it does. */
async function untilReady(address: string, child: Child): Promise<void> {
  const limit = Date.now() + START_LIMIT_MS;
  for (;;) {
    if (!child.running) {
      await child.line(/^$/);
      throw new Error('the Temporal server ended');
    }
    try {
      const connection = await Connection.connect({ address, connectTimeout: 1000 });
      try {
        await connection.workflowService.describeNamespace({ namespace: 'default' });
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (Date.now() > limit)
        throw new Error(`the Temporal server at ${address} does not answer`, { cause: error });
      await delay(50);
    }
  }
}
