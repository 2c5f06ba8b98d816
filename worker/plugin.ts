/**
 * The Temporal plugin: gives a worker the Golem activities, and a second worker beside it for the long polls, so
 * that they take no slot from short activities. Workflows cannot be added to a user's bundle by a plugin: put
 * `export * from 'golem-temporal/workflows'` into your own workflows file.
 */
import { SimplePlugin } from '@temporalio/plugin';
import { Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import {
  Connections,
  createGolemActivities,
  type ActivityEnvironment,
  type ConnectionChange,
  type GolemActivities,
} from '../activities';
import { readAllocationLife } from '../activities/allocation-life';
import { readDurationClasses } from '../activities/duration-settings';
import { readRegistryUrl } from '../activities/image';
import type { WorkerFiles } from '../activities/worker-files';
import type { ProviderAvoidStore } from '../model/avoid';
import type { DurationClasses } from '../model/duration-classes';
import { given } from '../model/given';
import type { SelectionStrategy } from '../model/selection';
import { watchQueueOf } from './task-queues';

export interface GolemPluginOptions {
  /** Connections to yagna. Default: from YAGNA_APPKEY, YAGNA_API_URL and the file GOLEM_CONNECTIONS. */
  connections?: Connections;
  /**
   * Names this installation in the marks on yagna. Default: the id of the Temporal namespace. Each namespace needs one of
   * its own: a reconcile closes what bears its owner and is of no job that its namespace knows.
   */
  owner?: string;
  /** Selection strategies by name, for `providers.select`. */
  strategies?: Record<string, SelectionStrategy>;
  /**
   * Where providers that broke faith are remembered, such as `fileAvoidStore(path)`: no job of this worker rents them,
   * for as long as the entry says. Default: nowhere; they are avoided for the rest of their job alone.
   */
  avoid?: ProviderAvoidStore;
  /**
   * Thresholds and defaults of the duration classes, seconds, for a market that differs. Default: GOLEM_DURATION_CLASSES, a
   * JSON object, else ya-provider's.
   */
  durationClasses?: Partial<DurationClasses>;
  /** Environment to read defaults from (YAGNA_SUBNET, PAYMENT_NETWORK, PAYMENT_DRIVER, GOLEM_REGISTRY_URL, GOLEM_ALLOCATION_LIFE_SEC). */
  env?: Readonly<Record<string, string | undefined>>;
  /**
   * Told when a yagna stops answering, refuses the app key, or answers again: once each time, however many wait for it.
   * Default: a warning in the log of Temporal's `Runtime`.
   */
  onConnectionChange?: (change: ConnectionChange) => void;
  /** Serves a folder to the VMs of jobs, as `files:/…` in transfers; see `startFileServer`. Default: none. */
  files?: WorkerFiles;
  /** Long polls at once in one worker. Default 2000: each waits and costs next to nothing. */
  maxConcurrentWatches?: number;
}

const DEFAULT_WATCHES = 2000;
const INTERCEPTORS = require.resolve('../workflows/interceptors');

export class GolemPlugin extends SimplePlugin {
  private readonly activities: GolemActivities;
  private readonly maxConcurrentWatches: number;

  constructor(options: GolemPluginOptions = {}) {
    // Wherever workflows are bundled: by a worker, or beforehand with this plugin.
    super({ name: 'golem-temporal', workerInterceptors: { workflowModules: [INTERCEPTORS] } });
    const env = options.env ?? process.env;
    const connections = options.connections ?? new Connections(env);
    connections.onChange(options.onConnectionChange ?? logged);
    const environment: ActivityEnvironment = {
      connections,
      owner: options.owner,
      specSettings: {
        subnetTag: env.YAGNA_SUBNET,
        network: env.PAYMENT_NETWORK,
        driver: env.PAYMENT_DRIVER,
        durationClasses: { ...readDurationClasses(env), ...options.durationClasses },
      },
      strategies: options.strategies ?? {},
      registryUrl: readRegistryUrl(env),
      allocationLifeSec: readAllocationLife(env),
      avoid: options.avoid,
      files: options.files,
    };
    this.activities = createGolemActivities(environment);
    this.maxConcurrentWatches = options.maxConcurrentWatches ?? DEFAULT_WATCHES;
  }

  /** @throws TypeError - an activity of the user has the name of one of ours */
  override configureWorker(options: WorkerOptions): WorkerOptions {
    const theirs: Record<string, unknown> = { ...options.activities };
    for (const [name, activity] of Object.entries(this.activities)) {
      // The hook may run twice, when the plugin is given to connection and worker both.
      if (theirs[name] !== undefined && theirs[name] !== activity) {
        throw new TypeError(`golem-temporal: an activity named ${name} is registered already; rename yours`);
      }
    }
    return super.configureWorker({ ...options, activities: { ...theirs, ...this.activities } });
  }

  override async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    // Not `worker.connection`: one that the worker made for itself closes with it.
    const { connection, namespace, identity, dataConverter, interceptors, taskQueue, shutdownGraceTime } =
      worker.options;
    const watches = await Worker.create({
      ...given({ connection, namespace, identity, dataConverter, shutdownGraceTime }),
      taskQueue: watchQueueOf(taskQueue),
      activities: this.activities,
      interceptors: { activity: interceptors.activity },
      maxConcurrentActivityTaskExecutions: this.maxConcurrentWatches,
      // Idle watches beat once in 96 s; the SDK's own limit of 60 s would cost half as much again.
      maxHeartbeatThrottleInterval: '100 s',
    });
    const watching = watches.run();
    // Without its watches a worker is of no use: whoever supervises it had better start a new one.
    watching.catch(() => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    });
    try {
      await next(worker);
    } finally {
      if (watches.getState() === 'RUNNING') watches.shutdown();
      await watching;
    }
  }
}

function logged({ line }: ConnectionChange): void {
  Runtime.instance().logger.warn(line);
}
