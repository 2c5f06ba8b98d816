/** The examples that README.md shows, run as it says: the package by its name, a worker on the queue `golem`. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { startChild, type Child } from '../cli/child-process';
import { GolemClient } from '../client';
import { startDevnet, type Devnet } from '../devnet';
import { requireBuild, startCli } from './support/cli';
import { openTemporal, type TestTemporal } from './support/temporal';

const EXAMPLES = join(__dirname, '..', 'dist', 'examples');

let devnet: Devnet;
let temporal: TestTemporal;
let worker: Child;
beforeAll(async () => {
  requireBuild();
  devnet = await startDevnet();
  temporal = await openTemporal();
  worker = await startCli(['worker'], {
    ...temporal.env,
    YAGNA_API_URL: devnet.url,
    YAGNA_APPKEY: devnet.appKey,
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  });
  await worker.line(/^worker ready on task queues golem, golem-watch$/);
});
afterAll(async () => {
  await worker?.stop();
  await temporal?.close();
  await devnet?.close();
});

test("squares-workflow: a job from a user's own workflow", async () => {
  const { nativeConnection: connection, namespace, client } = temporal;
  const workflowsPath = join(EXAMPLES, 'squares-workflow.js');
  const theirs = await Worker.create({ connection, namespace, taskQueue: 'theirs', workflowsPath });
  const squares = await theirs.runUntil(
    client.workflow.execute('squares', { workflowId: randomUUID(), taskQueue: 'theirs', args: [[3, 12]] }),
  );
  expect(squares).toEqual(['9', '144']);
});

test("own-worker: a worker of the user's own with the plugin", async () => {
  const own = await startChild(process.execPath, [join(EXAMPLES, 'own-worker.js')], {
    env: {
      ...process.env,
      ...temporal.env,
      YAGNA_API_URL: devnet.url,
      YAGNA_APPKEY: devnet.appKey,
      GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
    },
  });
  try {
    const golem = new GolemClient({ client: temporal.client, taskQueue: 'own' });
    const { jobId } = await golem.startJob({
      image: 'golem/alpine:latest',
      budget: '1',
      tasks: ['echo own'],
    });
    expect((await golem.result(jobId)).tasks[0]?.results[0]?.stdout).toBe('own\n');
    expect((await golem.settled(jobId)).state).toBe('settled');
  } finally {
    await own.stop();
  }
});

test('start-job: a job from a program', async () => {
  const program = spawn(process.execPath, [join(EXAMPLES, 'start-job.js')], {
    env: { ...process.env, ...temporal.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(await text(program.stdout)).toMatch(/^hello\n\npaid 0\.\d+ of 1\n$/);
});

test('rent-vm: a VM that a program talks to', async () => {
  const program = spawn(process.execPath, [join(EXAMPLES, 'rent-vm.js')], {
    env: { ...process.env, ...temporal.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(await text(program.stdout)).toBe('done 42\n\n');
});

test('the job specs of README.md', async () => {
  const readme = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');
  const specs = [...readme.matchAll(/```json\n([^]*?)```/g)].map(
    ([, json = '']) => JSON.parse(json) as unknown,
  );
  const golem = new GolemClient({ client: temporal.client });
  const results = await Promise.all(
    specs.map(async (spec) => {
      const { jobId } = await golem.startJob(spec);
      return await golem.result(jobId);
    }),
  );
  expect(results.map(({ state }) => state)).toEqual(['done', 'done']);
  expect(results[1]?.tasks[1]?.results[2]?.stdout).toBe('2\n');
});
