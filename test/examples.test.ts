/** The examples, run as they say: the package by its name, a worker on the queue `golem`. Pipelines: pipelines.test.ts. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { startChild } from '../cli/child-process';
import { GolemClient } from '../client';
import type { mapOnGolem } from '../examples/batch-map/map';
import type { squares } from '../examples/squares-workflow';
import { ExampleFolder } from './support/example-folder';
import { startExampleWorld, type ExampleWorld } from './support/example-world';

const SOURCES = join(__dirname, '..', 'examples');
const EXAMPLES = join(__dirname, '..', 'dist', 'examples');

let world: ExampleWorld;
beforeAll(async () => {
  world = await startExampleWorld();
});
afterAll(() => world?.close());

describe("from a user's own workflow", () => {
  let theirs: Worker;
  let stopped: Promise<void>;
  beforeAll(async () => {
    const { nativeConnection: connection, namespace } = world.temporal;
    const workflowsPath = require.resolve('./support/example-workflows');
    theirs = await Worker.create({ connection, namespace, taskQueue: 'theirs', workflowsPath });
    stopped = theirs.run();
  });
  afterAll(async () => {
    theirs.shutdown();
    await stopped;
  });
  const own = (): { workflowId: string; taskQueue: string } => ({
    workflowId: randomUUID(),
    taskQueue: 'theirs',
  });

  test('squares-workflow: a job', async () => {
    const { workflow } = world.temporal.client;
    const numbers = await workflow.execute<typeof squares>('squares', { ...own(), args: [[3, 12]] });
    expect(numbers).toEqual(['9', '144']);
  });

  test('batch-map: inputs of any text, and a chunk that fails fails alone', async () => {
    const inputs = ["it's", 'a  b', 'bad', '$HOME'];
    const { workflow } = world.temporal.client;
    const mapped = await workflow.execute<typeof mapOnGolem>('mapOnGolem', {
      ...own(),
      args: [
        '[ "$1" != bad ]; echo "<$1>"',
        inputs,
        { image: 'golem/alpine:latest', budget: '1', chunk: 2, providers: 2 },
      ],
    });
    expect(mapped).toEqual([
      ...inputs.slice(0, 2).map((input) => ({ input, output: `<${input}>` })),
      ...inputs.slice(2).map((input) => ({ input, failure: expect.stringContaining('exited with code 1') })),
    ]);
  });
});

test("own-worker: a worker of the user's own with the plugin", async () => {
  const own = await startChild(process.execPath, [join(EXAMPLES, 'own-worker.js')], { env: world.yagnaEnv });
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

/** Runs one to its end. @returns the lines that it has printed */
async function printedBy(file: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const printed: string[] = [];
  const program = await startChild(process.execPath, [file], { env, onStdout: (line) => printed.push(line) });
  expect(await program.exited).toEqual({ code: 0, signal: null });
  return printed;
}

test('start-job: a job from a program', async () => {
  expect(await printedBy(join(EXAMPLES, 'start-job.js'), world.env)).toEqual([
    ...['hello', '', expect.stringMatching(/^paid 0\.\d+ of 1$/)],
  ]);
});

test('from-golem-js: the program that uses golem-js and the one that uses this package do the same', async () => {
  const theirs = await printedBy(join(SOURCES, 'from-golem-js', 'golem-js.mjs'), theirEnv());
  const ours = await printedBy(join(EXAMPLES, 'from-golem-js', 'golem-temporal.js'), world.env);
  expect([theirs, ours]).toEqual([['9 144 1600'], ['9 144 1600']]);
});

/** golem-js logs where DEBUG is set. */
const theirEnv = (): NodeJS.ProcessEnv => ({ ...world.yagnaEnv, DEBUG: '' });

describe('what the README says of', () => {
  const folders: ExampleFolder[] = [];
  afterAll(() => Promise.all(folders.map((folder) => folder.close())));
  const follow = async (name: string): Promise<{ folder: ExampleFolder; lines: string[] }> => {
    const folder = new ExampleFolder(name).useBuild();
    folders.push(folder);
    const { stdout } = await folder.run(world.env, world.storage.url);
    // npm repeats the command that it runs.
    return { folder, lines: stdout.split('\n').filter((line) => !/^(> .*)?$/.test(line)) };
  };

  test('interactive: a VM that a program talks to, as one that uses golem-js does', async () => {
    expect((await follow('interactive')).lines).toEqual(['done 42']);
    const theirs = await printedBy(join(SOURCES, 'from-golem-js', 'golem-js-rental.mjs'), theirEnv());
    expect(theirs).toEqual(['done 42', '']);
  });

  test('batch-map: a function over 1,000 inputs, in chunks on several providers', async () => {
    const before = world.devnet.effects.all().length;
    expect((await follow('batch-map')).lines).toEqual(['1000 numbers: 871 takes the most steps, 178']);
    const hired = world.devnet.effects.all(before, ['agreement-created']);
    expect(new Set(hired.map(({ providerId }) => providerId)).size).toBeGreaterThan(1);
  });

  test('schedule: a job each night, and whenever it is told to run', async () => {
    const { url, files } = world.storage;
    const { folder, lines } = await follow('schedule');
    expect(lines).toEqual([expect.stringMatching(/^next at \S+T02:00:00.000Z$/)]);
    const handle = world.temporal.client.schedule.getHandle('golem-nightly');
    let jobId: string | undefined;
    while (!jobId) jobId = (await handle.describe()).info.recentActions[0]?.action.workflow.workflowId;
    expect((await world.golem.result(jobId)).state).toBe('done');
    const coldest = String(files.get('/coldest.csv')).trimEnd().split('\n');
    expect(coldest).toHaveLength(10);
    expect(new Set(coldest.map((line) => line.split(',')[1]))).toEqual(new Set(['-250']));
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await folder.run(world.env, url, 'npm run nightly delete');
    await expect(handle.describe()).rejects.toThrow('not found');
  });
});

test('the job specs of the page of specs', async () => {
  const page = readFileSync(join(__dirname, '..', 'docs', 'spec.md'), 'utf8');
  const specs = [...page.matchAll(/```json\n([^]*?)```/g)].map(
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
