/**
 * The Temporal plugin: gives a worker the Golem activities, and a second worker beside it for the long polls, so
 * that they take no slot from short activities. Workflows cannot be added to a user's bundle by a plugin: put
 * `export * from 'golem-temporal/workflows'` into your own workflows file.
 */
import { SimplePlugin } from '@temporalio/plugin';
import { Runtime, type Logger, type Worker, type WorkerOptions } from '@temporalio/worker';
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
import type { SelectionStrategy } from '../model/selection';
import { eventSinks } from './event-target';
import { measureRequests } from './request-metrics';
import { isWatched, runWithWatches } from './watch-worker';

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
   * Default: a warning to `logger`.
   */
  onConnectionChange?: (change: ConnectionChange) => void;
  /**
   * Where the plugin's own messages go. What activities and workflows log goes where Temporal's `Runtime` has it. Default:
   * the logger of that.
   */
  logger?: Logger;
  /**
   * Is dispatched a {@link GolemEventNotice} for each event of the jobs whose workflows run in this worker, by the event's name
   * as type, when its workflow keeps it; neither a replay nor a workflow task that is done over repeats it. So an event comes
   * once as a rule; twice when its workflow task was done over by another worker, or went another way then (the later one of the
   * same `workflowId` and `event.seq` is what the log has); not at all when the process dies in that moment. Whoever must see
   * all reads `GolemClient.followEvents`. A listener that throws ends the process, as with any EventTarget of Node's.
   * Default: none.
   */
  eventTarget?: EventTarget;
  /**
   * Whether jobs set the search attributes GolemPhase, GolemProviders and GolemCost; those that are not registered in the
   * namespace keep a job from going on. Default: where all three are, as Temporal's operator service says. Temporal Cloud has
   * none to ask: set it to true there once they are registered.
   */
  searchAttributes?: boolean;
  /** Serves a folder to the VMs of jobs, as `files:/…` in transfers; see `startFileServer`. Default: none. */
  files?: WorkerFiles;
  /** Long polls at once in one worker. Default 2000: each waits and costs next to nothing. */
  maxConcurrentWatches?: number;
}

const DEFAULT_WATCHES = 2000;
/** What measurements showed to be best; the worker's own options go before them. */
const DEFAULTS = {
  // A dead worker's sticky queue holds its workflows back for so long.
  stickyQueueScheduleToStartTimeout: '5 s',
  // What rests needs no place in it, and a job of any size has less at work at a time.
  maxCachedWorkflows: 250,
} satisfies Partial<WorkerOptions>;
const INTERCEPTORS = require.resolve('../workflows/interceptors');
/** Activities of all plugins. */
const ours = new WeakSet<object>();

/**
 * To be given to a worker, to its connection, or to both; one plugin may serve several workers. Clients and connections take
 * it, and need nothing of it.
 */
export class GolemPlugin extends SimplePlugin {
  private readonly activities: GolemActivities;
  private readonly maxConcurrentWatches: number;
  private readonly sinks: WorkerOptions['sinks'];

  constructor(options: GolemPluginOptions = {}) {
    // Wherever workflows are bundled: by a worker, or beforehand with this plugin.
    super({ name: 'golem-temporal', workerInterceptors: { workflowModules: [INTERCEPTORS] } });
    const env = options.env ?? process.env;
    const connections = options.connections ?? new Connections(env);
    const warn = ({ line }: ConnectionChange): void =>
      (options.logger ?? Runtime.instance().logger).warn(line);
    connections.onChange(options.onConnectionChange ?? warn);
    measureRequests(connections);
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
      searchAttributes: options.searchAttributes,
    };
    this.activities = createGolemActivities(environment);
    for (const activity of Object.values(this.activities)) ours.add(activity);
    this.maxConcurrentWatches = options.maxConcurrentWatches ?? DEFAULT_WATCHES;
    this.sinks = eventSinks(options.eventTarget);
  }

  /**
   * Adds our activities and sinks, and sets what the worker's options leave open: `maxCachedWorkflows` (250) and
   * `stickyQueueScheduleToStartTimeout` (5 s). May be called twice for a worker, when the plugin is given to connection and worker both.
   * @throws TypeError - an activity of the user has the name of one of ours; or another GolemPlugin has come before
   */
  override configureWorker(options: WorkerOptions): WorkerOptions {
    const theirs: Record<string, unknown> = { ...options.activities };
    for (const [name, activity] of Object.entries(this.activities)) {
      const other = theirs[name];
      if (other === undefined || other === activity) continue;
      throw new TypeError(
        ours.has(Object(other) as object)
          ? 'golem-temporal: the worker has two GolemPlugins: give it one, the same to the worker and its connection'
          : `golem-temporal: an activity named ${name} is registered already; rename yours`,
      );
    }
    const activities = { ...theirs, ...this.activities };
    const sinks = { ...options.sinks, ...this.sinks };
    return super.configureWorker({ ...DEFAULTS, ...options, activities, sinks });
  }

  override async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    if (isWatched(worker)) return await next(worker);
    const { activities, maxConcurrentWatches } = this;
    await runWithWatches(worker, { activities, maxConcurrentWatches }, next);
  }
}
