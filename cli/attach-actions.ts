/** What `golem-temporal attach` and `detach` do: thin over the client. */
import { attach, detach } from '../client/index';
import { signerOf } from './key-file';
import { named } from './named-failure';
import { withTemporal } from './temporal-client';
import { warnWithoutWorker } from './worker-there';

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
    const owner = signer?.key;
    if (json) return console.log(JSON.stringify({ rentalId, ...progress, owner }, null, 2));
    const { provider, agreementId, currentBatch, note } = progress;
    console.log(rentalId);
    console.log(`${provider.name} (${provider.id}), agreement ${agreementId}`);
    if (currentBatch !== undefined) console.log(`batch ${currentBatch} is under way`);
    if (note !== undefined) console.log(note);
    if (owner !== undefined)
      console.log(`closed from now on: it obeys ${owner} alone, and those whom that grants something`);
  });
}

export async function detachFrom(id: string, options: { key?: string; json?: boolean }): Promise<void> {
  const signer = await signerOf(options);
  await withTemporal(async (client) => {
    const there = await client.workflow
      .getHandle(id)
      .describe()
      .catch(() => undefined);
    if (there) await warnWithoutWorker(client, there.taskQueue);
    const detached = await named(detach({ client, signer }, id));
    if (options.json) return console.log(JSON.stringify(detached, null, 2));
    console.log(`${id} is detached from Golem activity ${detached.activityId}`);
    for (const line of detached.says) console.log(line);
  });
}
