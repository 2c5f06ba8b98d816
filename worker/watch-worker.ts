/**
 * The worker of the long polls, beside one that has the Golem activities: it works on the queue `<queue>-watch`, and is in all
 * else as the other one was configured.
 */
import { Worker, type WorkerOptions } from '@temporalio/worker';
import { given } from '../model/given';
import { watchQueueOf } from './task-queues';

export interface WatchWorkerOptions {
  activities: object;
  maxConcurrentWatches: number;
}

/** Workers that have their watches, and those that are them: whoever asks again is not to make more. */
const watched = new WeakSet<Worker>();

export function isWatched(worker: Worker): boolean {
  return watched.has(worker);
}

/** Runs a worker, and its watches as long. */
export async function runWithWatches(
  worker: Worker,
  options: WatchWorkerOptions,
  next: (worker: Worker) => Promise<void>,
): Promise<void> {
  watched.add(worker);
  const watches = await Worker.create(watchOptions(worker.options, options));
  watched.add(watches);
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

function watchOptions(
  { connection, taskQueue, interceptors, ...options }: Worker['options'],
  { activities, maxConcurrentWatches }: WatchWorkerOptions,
): WorkerOptions {
  // A version of a deployment is one of all its queues: what waits there is for the same build.
  const { namespace, identity, dataConverter, workerDeploymentOptions } = options;
  const { shutdownGraceTime, shutdownForceTime } = options;
  return {
    ...given({ namespace, identity, dataConverter, workerDeploymentOptions }),
    ...given({ shutdownGraceTime, shutdownForceTime }),
    // Not `worker.connection`: one that the worker made for itself closes with it.
    ...(connection && { connection: withoutPlugins(connection) }),
    taskQueue: watchQueueOf(taskQueue),
    activities,
    interceptors: { activity: interceptors.activity, client: interceptors.client },
    maxConcurrentActivityTaskExecutions: maxConcurrentWatches,
    // Idle watches beat once in 96 s; the SDK's own limit of 60 s would cost half as much again.
    maxHeartbeatThrottleInterval: '100 s',
  };
}

/** The connection, whose plugins are not asked again: what they have added is among the options already. */
function withoutPlugins(connection: NonNullable<WorkerOptions['connection']>): typeof connection {
  return Object.create(connection, { plugins: { value: [] } }) as typeof connection;
}
