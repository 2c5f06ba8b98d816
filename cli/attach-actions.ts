/** What `golem-temporal attach` and `detach` do: thin over the client. */
import { ApplicationFailure } from '@temporalio/common';
import { attach, detach } from '../client/index';
import { FAILURES } from '../model/failures';
import { CliError, EXIT_FAILED, EXIT_REFUSED, EXIT_USAGE } from './failure';
import { warnWithoutWorker } from './job-actions';
import { signerOf } from './key-file';
import { withTemporal } from './temporal-client';

export interface AttachOptions {
  batch?: string[];
  budget?: string;
  connection: string;
  taskQueue: string;
  key?: string;
  json?: boolean;
}

export async function attachTo(activityId: string, options: AttachOptions): Promise<void> {
  const { batch: batchIds, budget, connection, taskQueue, json } = options;
  const signer = await signerOf(options);
  await withTemporal(async (client) => {
    await warnWithoutWorker(client, taskQueue);
    const spec = { activityId, batchIds, budget, connection };
    const { rentalId, progress } = await named(attach({ client, taskQueue, signer }, spec));
    if (json) return console.log(JSON.stringify({ rentalId, ...progress }, null, 2));
    const { provider, agreementId, currentBatch, note } = progress;
    console.log(rentalId);
    console.log(`${provider.name} (${provider.id}), agreement ${agreementId}`);
    if (currentBatch !== undefined) console.log(`batch ${currentBatch} is under way`);
    if (note !== undefined) console.log(note);
  });
}

export async function detachFrom(id: string, options: { key?: string; json?: boolean }): Promise<void> {
  const signer = await signerOf(options);
  await withTemporal(async (client) => {
    const detached = await named(detach({ client, signer }, id));
    if (options.json) return console.log(JSON.stringify(detached, null, 2));
    console.log(`${id} is detached from Golem activity ${detached.activityId}`);
    for (const line of detached.says) console.log(line);
  });
}

/** A failure of ours says what to do about it. */
async function named<T>(doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    if (!(error instanceof ApplicationFailure) || !error.type || !Object.hasOwn(FAILURES, error.type))
      throw error;
    const { action } = FAILURES[error.type as keyof typeof FAILURES];
    const isUsage = error.type === 'InvalidJobSpec' || error.type === 'UnknownConnection';
    const text = `${error.type}: ${error.message}\n${action}`;
    const isRefused = error.type === 'ControlRefused';
    const code = isUsage ? EXIT_USAGE : isRefused ? EXIT_REFUSED : EXIT_FAILED;
    throw new CliError(text, code, { cause: error });
  }
}
