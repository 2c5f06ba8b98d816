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
import { startTemporalServer, type TemporalServer } from '../cli/temporal-server';
import { startDevnet, type Devnet } from '../devnet';
import { GolemClient } from '../client';
import { runWorker } from '../worker';
import { temporal as proto } from '@temporalio/proto';
import { runsOfJob } from './support/runs';
import { tempDir } from './support/temp-dir';

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
let temporal: TemporalServer;
let golem: GolemClient;
let worker: Promise<void>;
const stop = new AbortController();
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  devnet = await startDevnet();
  temporal = await startTemporalServer({
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 100 },
  });
  const taskQueue = `golem-${randomUUID()}`;
  const { address } = temporal;
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
  await temporal.close();
  await devnet.close();
});

/** @returns the runs of a job's workflows, of which none has a large event */
async function smallRuns(jobId: string): ReturnType<typeof runsOfJob> {
  const runs = await runsOfJob(golem, jobId);
  const large = runs
    .flatMap(({ history }) => history.events)
    .filter((event) => proto.api.history.v1.HistoryEvent.encode(event).finish().length > 3_000);
  expect(large.map(({ eventType }) => eventType)).toEqual([]);
  return runs;
}

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
  await smallRuns(jobId);
});

test('what a job takes along into its next runs goes through it, too', async () => {
  const { jobId } = await golem.startJob({
    ...{ image: 'golem/alpine:latest', budget: '1', providers: { max: 1 } },
    tasks: Array.from({ length: 24 }, (_, n) => ({
      name: `task-${n}`,
      commands: [`yes ${n + 100} | head -c 4000`],
      // Given one at a time, they make the history long.
      maxAttempts: 1,
    })),
  });
  const { state, tasks } = await golem.result(jobId);
  expect(state).toBe('done');
  expect(tasks.map(({ results: [only] }) => only?.stdout)).toEqual(
    tasks.map((_, n) => `${n + 100}\n`.repeat(1000)),
  );
  expect((await golem.settled(jobId)).state).toBe('settled');
  const runs = await smallRuns(jobId);
  const jobs = runs.filter(({ workflowId }) => workflowId === jobId);
  expect(jobs.length).toBeGreaterThan(1);
});
