/** The process that `golem-temporal worker` is. */
import { isGrpcServiceError, type Client } from '@temporalio/client';
import type * as workerIndex from '../worker/index';
import { usageError } from './failure';
import { asCliError, noNamespace } from './job-failure';
import { dataConverter, withTemporal } from './temporal-client';
import { loadTemporal } from './temporal-sdk';

export async function work(
  taskQueue: string,
  avoidFile?: string,
  served?: workerIndex.FileServerOptions,
): Promise<void> {
  // The worker's own connection is native, and so are its complaints.
  const namespace = await withTemporal(requireNamespace);
  // Only now, because it takes half a second that a wrong address need not wait for.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const worker = loadTemporal(() => require('../worker/index') as typeof workerIndex);
  const { fileAvoidStore, logPlainly, prepareAvoidFile, runWorker, startFileServer } = worker;
  const avoid = avoidFile === undefined ? undefined : fileAvoidStore(avoidFile);
  // A file that cannot be used is best known before the first job.
  if (avoidFile !== undefined) {
    await prepareAvoidFile(avoidFile).catch((error: Error) => {
      throw usageError(error.message);
    });
  }
  const files =
    served &&
    (await startFileServer(served).catch((error: Error) => {
      throw usageError(`--files: ${error.message}`);
    }));
  logPlainly();
  if (files) console.log(`files of ${served.folder} are served at ${files.url}`);
  const running = runWorker({
    ...{ taskQueue, avoid, files, dataConverter: dataConverter(namespace) },
    onReady: (queues) => console.log(`worker ready on task queues ${queues.join(', ')}`),
    onConnection: (line) => console.log(line),
    onTrouble: (line) => console.error(`golem-temporal: ${line}`),
  });
  await running
    .catch((error: unknown) => {
      throw asCliError(error);
    })
    .finally(() => files?.close());
}

/** @returns its name. @throws CliError - the server does not know the namespace */
async function requireNamespace({ workflowService, options: { namespace } }: Client): Promise<string> {
  try {
    await workflowService.describeNamespace({ namespace });
    return namespace;
  } catch (error) {
    if (!isGrpcServiceError(error) || error.code !== NOT_FOUND) throw error;
    throw usageError(noNamespace(namespace));
  }
}

const NOT_FOUND = 5;
