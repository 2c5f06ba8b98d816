/** Temporal's own external storage of large payloads, where a user has configured it: nothing large is in a history. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ExternalStorage,
  StorageDriverClaim,
  type DataConverter,
  type Payload,
  type StorageDriver,
} from '@temporalio/common';
import { startDevnet, type Devnet } from '../devnet';
import { GolemClient } from '../client';
import { runWorker } from '../worker';
import { temporal as proto } from '@temporalio/proto';
import { tempDir } from './support/temp-dir';
import { temporalAddress } from './support/temporal';

const folder = tempDir('storage');

/** A folder in place of what a user would have in a cloud. */
class FolderDriver implements StorageDriver {
  readonly name = 'folder';
  readonly type = 'test.folder';

  async store(_context: unknown, payloads: Payload[]): Promise<StorageDriverClaim[]> {
    return await Promise.resolve(
      payloads.map((payload) => {
        const file = randomUUID();
        writeFileSync(join(folder, file), proto.api.common.v1.Payload.encode(payload).finish());
        return new StorageDriverClaim({ file });
      }),
    );
  }

  async retrieve(_context: unknown, claims: StorageDriverClaim[]): Promise<Payload[]> {
    return await Promise.resolve(
      claims.map(({ claimData }) =>
        proto.api.common.v1.Payload.decode(readFileSync(join(folder, claimData.file ?? ''))),
      ),
    );
  }
}

const converter = (): DataConverter => ({
  externalStorage: new ExternalStorage({ drivers: [new FolderDriver()], payloadSizeThreshold: 2_000 }),
});

let devnet: Devnet;
let golem: GolemClient;
let worker: Promise<void>;
const stop = new AbortController();
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  devnet = await startDevnet();
  const taskQueue = `golem-${randomUUID()}`;
  const address = temporalAddress();
  golem = await GolemClient.connect({ address, taskQueue, dataConverter: converter() });
  const env = {
    YAGNA_APPKEY: devnet.appKey,
    YAGNA_API_URL: devnet.url,
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  };
  await new Promise<void>((resolve, reject) => {
    worker = runWorker({
      ...{ address, taskQueue, env, signal: stop.signal, dataConverter: converter(), namespace: 'default' },
      onReady: () => resolve(),
    });
    worker.catch(reject);
  });
});
afterAll(async () => {
  stop.abort();
  await worker;
  await golem.close();
  await devnet.close();
});

test('outputs of a job go through it, and its settlement reads what it needs', async () => {
  const { jobId } = await golem.startJob({
    ...{ image: 'golem/alpine:latest', budget: '1' },
    tasks: [
      'yes lots and lots of it | head -c 20000',
      { name: 'padding', commands: [`: ${'x'.repeat(5000)}`] },
    ],
  });
  const { state, tasks } = await golem.result(jobId);
  expect(state).toBe('done');
  expect(tasks[0]?.results[0]?.stdout).toHaveLength(20_000);
  expect((await golem.settled(jobId)).state).toBe('settled');
  expect((await golem.progress(jobId)).tasks).toMatchObject({ done: 2 });
  expect(readdirSync(folder).length).toBeGreaterThan(0);
  for (const id of [jobId, `${jobId}/rental/1`, `${jobId}/settlement`]) {
    const { events } = await golem.client.workflowService
      .getWorkflowExecutionHistory({
        namespace: 'default',
        execution: { workflowId: id },
      })
      .then(({ history }) => history ?? { events: [] });
    const large = (events ?? []).filter(
      (event) => proto.api.history.v1.HistoryEvent.encode(event).finish().length > 3_000,
    );
    expect(large.map(({ eventType }) => eventType)).toEqual([]);
  }
});
