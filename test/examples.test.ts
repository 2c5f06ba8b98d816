/** The examples, run as they say: the package by its name, a worker on the queue `golem`. Pipelines: pipelines.test.ts. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { GolemClient } from '../client';
import { Program, startExampleWorld, type ExampleWorld } from './support/example-world';

const EXAMPLES = join(__dirname, '..', 'dist', 'examples');

let world: ExampleWorld;
beforeAll(async () => {
  world = await startExampleWorld();
});
afterAll(() => world?.close());

const example = (name: string): Program => new Program([process.execPath, join(EXAMPLES, name)]);

test("squares-workflow: a job from a user's own workflow", async () => {
  const { nativeConnection: connection, namespace, client } = world.temporal;
  const workflowsPath = join(EXAMPLES, 'squares-workflow.js');
  const theirs = await Worker.create({ connection, namespace, taskQueue: 'theirs', workflowsPath });
  const squares = await theirs.runUntil(
    client.workflow.execute('squares', { workflowId: randomUUID(), taskQueue: 'theirs', args: [[3, 12]] }),
  );
  expect(squares).toEqual(['9', '144']);
});

test("own-worker: a worker of the user's own with the plugin", async () => {
  const own = await example('own-worker.js').start(world.yagnaEnv);
  try {
    const golem = new GolemClient({ client: world.temporal.client, taskQueue: 'own' });
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
  const { code, stdout } = await example('start-job.js').run(world.env);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^hello\n\npaid 0\.\d+ of 1$/)]);
});

test('interactive: a VM that a program talks to', async () => {
  const { code, stdout } = await example('interactive/rent-vm.js').run(world.env);
  expect([code, stdout]).toEqual([0, 'done 42\n']);
});

test('batch-map: a function over 1,000 inputs, in chunks on several providers', async () => {
  const { code, stdout, stderr } = await example('batch-map/main.js').run(world.env, ['1000']);
  expect({ code, stdout, stderr }).toMatchObject({
    ...{ code: 0, stdout: '1000 numbers: 871 takes the most steps, 178' },
  });
});

test('schedule: a job each night, and whenever it is told to run', async () => {
  const nightly = example('schedule/nightly.js');
  const { url, files } = world.storage;
  const created = await nightly.run(world.env, ['create', url]);
  expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/^next at \S+T02:00:00.000Z$/) });
  expect(await nightly.run(world.env, ['run'])).toMatchObject({ code: 0 });
  const schedule = world.temporal.client.schedule.getHandle('golem-nightly');
  let jobId: string | undefined;
  while (!jobId) jobId = (await schedule.describe()).info.recentActions[0]?.action.workflow.workflowId;
  expect((await world.golem.result(jobId)).state).toBe('done');
  const coldest = String(files.get('/coldest.csv')).trimEnd().split('\n');
  expect(coldest).toHaveLength(10);
  expect(new Set(coldest.map((line) => line.split(',')[1]))).toEqual(new Set(['-250']));
  expect(await nightly.run(world.env, ['delete'])).toMatchObject({ code: 0 });
  await expect(schedule.describe()).rejects.toThrow('not found');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
});

test('the job specs of README.md', async () => {
  const readme = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');
  const specs = [...readme.matchAll(/```json\n([^]*?)```/g)].map(
    ([, json = '']) => JSON.parse(json) as unknown,
  );
  const golem = new GolemClient({ client: world.temporal.client });
  const results = await Promise.all(
    specs.map(async (spec) => {
      const { jobId } = await golem.startJob(spec);
      return await golem.result(jobId);
    }),
  );
  expect(results.map(({ state }) => state)).toEqual(['done', 'done']);
  expect(results[1]?.tasks[1]?.results[2]?.stdout).toBe('2\n');
});
