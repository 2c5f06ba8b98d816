/** The worker process: our workflows on the task queue `golem`, the long polls on `golem-watch`. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import {
  NativeConnection,
  Worker,
  type NativeConnectionOptions,
  type WorkerOptions,
  type WorkerPlugin,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { Connections } from '../activities';
import { isYagnaError, supportedVersion } from '../activities/yagna';
import { foreignText } from '../model/foreign-text';
import { GolemPlugin, type GolemPluginOptions } from './plugin';
import { TASK_QUEUE, watchQueueOf } from './task-queues';

export interface RunWorkerOptions extends GolemPluginOptions {
  /** Temporal's address. Default: TEMPORAL_ADDRESS or the envconfig profile, else localhost:7233. */
  address?: string;
  namespace?: string;
  /** Default `golem`. */
  taskQueue?: string;
  /**
   * Yours, with codecs (encryption) or Temporal's external storage of large payloads, as all of your workers and clients
   * have it. Default: the SDK's.
   */
  dataConverter?: DataConverter;
  /** Over what `@temporalio/envconfig` says: TLS, API key, metadata, a connection's plugins. */
  connectionOptions?: Omit<NativeConnectionOptions, 'address'>;
  /**
   * More of Temporal's own options, such as `interceptors`, `sinks`, `plugins`, `workerDeploymentOptions`, `tuner` or
   * `maxCachedWorkflows` (default 250). With workflow interceptors, plugins that may bring some, or a converter given by path the workflows
   * are bundled when the worker starts, which takes some seconds; else the bundle that comes with the package is taken.
   */
  workerOptions?: Omit<
    WorkerOptions,
    'connection' | 'namespace' | 'taskQueue' | 'dataConverter' | 'workflowsPath' | 'workflowBundle'
  >;
  /** Called when both workers have begun to poll, with the names of their task queues. */
  onReady?: (queues: string[]) => void;
  /** Shuts the worker down when aborted, as SIGINT and SIGTERM do. */
  signal?: AbortSignal;
  /** Told at the start, in one line each, which yagna a connection leads to. Default: nobody. */
  onConnection?: (line: string) => void;
  /** Told, in one line, that jobs cannot run on a connection, and why. Default: nobody. */
  onTrouble?: (line: string) => void;
}

/** Runs until SIGINT, SIGTERM or the signal; rejects when Temporal cannot be reached. */
export async function runWorker(options: RunWorkerOptions = {}): Promise<void> {
  const config = loadClientConnectConfig();
  const connections = options.connections ?? new Connections(options.env ?? process.env);
  const taskQueue = options.taskQueue ?? TASK_QUEUE;
  const { plugins = [], ...workerOptions } = options.workerOptions ?? {};
  const connection = await NativeConnection.connect({
    ...config.connectionOptions,
    ...options.connectionOptions,
    address: options.address ?? config.connectionOptions.address ?? 'localhost:7233',
  });
  try {
    const worker = await Worker.create({
      shutdownGraceTime: '2 s',
      ...workerOptions,
      connection,
      namespace: options.namespace ?? config.namespace ?? 'default',
      taskQueue,
      dataConverter: options.dataConverter,
      plugins: [
        new GolemPlugin({ ...options, connections }),
        onceRunning(() => options.onReady?.([taskQueue, watchQueueOf(taskQueue)])),
        ...plugins,
      ],
      ...workflowSource(options),
    });
    const stop = (): void => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    };
    options.signal?.addEventListener('abort', stop, { once: true });
    void tellConnections(connections, options);
    try {
      await worker.run();
    } finally {
      options.signal?.removeEventListener('abort', stop);
    }
  } finally {
    // Where a worker could not be made or ended, its own error matters, not that its connection is in use.
    await connection.close().catch(() => undefined);
  }
}

/** A wrong key or an old yagna is best known before the first job. */
async function tellConnections(
  connections: Connections,
  { onConnection, onTrouble }: Pick<RunWorkerOptions, 'onConnection' | 'onTrouble'>,
): Promise<void> {
  if (!onConnection && !onTrouble) return;
  const ask = async (name: string): Promise<void> => {
    try {
      const yagna = connections.get(name);
      const version = await supportedVersion(yagna);
      const { identity } = await yagna.me();
      onConnection?.(`connection ${name}: yagna ${version}, as ${foreignText(identity)}`);
    } catch (error) {
      // What concerns the connection itself its own change tells.
      const isTold = isYagnaError(error) && (error.unanswered !== undefined || error.status === 401);
      if (!isTold)
        onTrouble?.(`connection ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  await Promise.all(connections.names().map(ask));
}

/** To be given after {@link GolemPlugin}, which begins its watches before it lets the next plugin run the worker. */
function onceRunning(tell: () => void): WorkerPlugin {
  return {
    name: 'golem-temporal-ready',
    async runWorker(worker, next) {
      const running = next(worker);
      tell();
      await running;
    },
  };
}

/** The bundle made by the build, unless something of the user's is to be in it; a checkout that was not built has none. */
function workflowSource(
  options: RunWorkerOptions,
): { workflowBundle: WorkflowBundleOption } | { workflowsPath: string } {
  if (isBundledAnew(options)) return { workflowsPath: require.resolve('../workflows') };
  const bundle = [
    join(__dirname, '..', 'workflow-bundle.js'),
    join(__dirname, '..', 'dist', 'workflow-bundle.js'),
  ];
  const codePath = bundle.find((path) => existsSync(path) && isOfThisWorker(path));
  return codePath ? { workflowBundle: { codePath } } : { workflowsPath: require.resolve('../workflows') };
}

function isBundledAnew({ dataConverter, connectionOptions, workerOptions = {} }: RunWorkerOptions): boolean {
  const { interceptors, plugins = [], bundlerOptions } = workerOptions;
  const { payloadConverterPath, failureConverterPath } = dataConverter ?? {};
  const all: object[] = [...plugins, ...(connectionOptions?.plugins ?? [])];
  return (
    (payloadConverterPath ?? failureConverterPath ?? bundlerOptions) !== undefined ||
    (interceptors?.workflowModules ?? []).length > 0 ||
    all.some((plugin) => 'configureBundler' in plugin)
  );
}

/** A prebuilt bundle runs only on the very version of the SDK that made it; the build writes that beside it. */
function isOfThisWorker(bundle: string): boolean {
  try {
    const made = JSON.parse(readFileSync(bundle.replace(/\.js$/, '.json'), 'utf8')) as {
      workerVersion?: string;
    };
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the version that is really loaded
    const { version } = require('@temporalio/worker/package.json') as { version: string };
    return made.workerVersion === version;
  } catch {
    return false;
  }
}
