/**
 * The same pipeline in three languages, as its folder's README runs it: a worker of its own, in that language's SDK of
 * Temporal, which starts `golemJob` as a child on our worker.
 */
import { randomUUID } from 'node:crypto';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { CancelledFailure, ApplicationFailure, type TemporalFailure } from '@temporalio/common';
import type { JobProgress } from '../model/result';
import { ExampleFolder, type Output } from './support/example-folder';
import { startExampleWorld, type ExampleWorld } from './support/example-world';
import { go, python, venvWith } from './support/toolchains';
import { NOTHING_OPEN } from './support/world';

interface Pipeline {
  language: string;
  name: string;
  workflowType: string;
  /** Why it cannot be run here. */
  missing?: string;
  /** Gets what its README has a reader install. */
  setUp(folder: ExampleFolder): Promise<unknown>;
}

const PIPELINES: Pipeline[] = [
  {
    ...{ language: 'TypeScript', name: 'pipeline-typescript', workflowType: 'pipeline' },
    setUp: async (folder) => folder.useBuild(),
  },
  {
    ...{ language: 'Python', name: 'pipeline-python', workflowType: 'Pipeline', missing: python.missing },
    setUp: async ({ path }) =>
      symlinkSync(await venvWith(join(path, 'requirements.txt')), join(path, '.venv')),
  },
  {
    ...{ language: 'Go', name: 'pipeline-go', workflowType: 'Pipeline', missing: go.missing },
    // Go gets what it needs as it builds.
    setUp: async () => undefined,
  },
];

let world: ExampleWorld;
beforeAll(async () => {
  world = await startExampleWorld();
});
afterAll(() => world?.close());

describe.each(PIPELINES)('the pipeline in $language', ({ name, workflowType, missing, setUp }) => {
  const orSkipped = missing ? test.skip : test;
  const because = missing ? ` (skipped because ${missing})` : '';
  let folder: ExampleFolder | undefined;
  let output: Output;
  beforeAll(async () => {
    if (missing) return;
    folder = new ExampleFolder(name);
    await setUp(folder);
    const { env, storage } = world;
    output = await folder.run(env, storage.url);
  }, 15 * 60_000);
  afterAll(() => folder?.close());

  const begin = async (source: string, parts: number): Promise<WorkflowHandle> =>
    await world.temporal.client.workflow.start(workflowType, {
      ...{ taskQueue: name, workflowId: `pipeline-${randomUUID()}` },
      args: [{ source, storage: world.storage.url, parts }],
    });
  /** The end of a chain of causes. */
  const reasonOf = async (handle: WorkflowHandle): Promise<TemporalFailure | undefined> => {
    const failure: unknown = await handle.result().catch((error: unknown) => error);
    if (!(failure instanceof WorkflowFailedError)) throw failure;
    let reason = failure.cause as TemporalFailure | undefined;
    while (reason?.cause) reason = reason.cause as TemporalFailure;
    return reason;
  };
  const filesOf = ({ workflowId }: WorkflowHandle): string[] =>
    [...world.storage.files.keys()].filter((path) => path.startsWith(`/${workflowId}/`));

  orSkipped(`fetches, splits, computes on Golem, merges and publishes${because}`, async () => {
    const { url, files } = world.storage;
    const [, workflowId = ''] = /^started (pipeline-\S+)$/m.exec(output.stderr) ?? [];
    const [json = ''] = /^\{[^]*^\}$/m.exec(output.stdout) ?? [];
    const report = reportOf(String(files.get('/readings.csv')));
    expect(JSON.parse(json)).toEqual({ ...report, url: `${url}/${workflowId}/report.json` });
    const handle = world.temporal.client.workflow.getHandle(workflowId);
    expect(filesOf(handle)).toEqual([`/${workflowId}/report.json`]);
    expect(JSON.parse(String(files.get(`/${workflowId}/report.json`)))).toEqual(report);
    expect(await handle.query<JobProgress>('progress')).toMatchObject({
      ...{ phase: 'done', jobId: `${workflowId}-golem` },
      tasks: { total: 8, waiting: 0, running: 0, done: 8, failed: 0 },
    });
    expect((await world.golem.settled(`${workflowId}-golem`)).state).toBe('settled');
    expect(world.devnet.open().counts).toEqual(NOTHING_OPEN);
  });

  orSkipped(`cancelled, ends its job, pays, and leaves nothing behind${because}`, async () => {
    const hang = world.devnet.faults.arm({ on: 'provider.run', do: 'hang', times: 4 });
    const handle = await begin(`${world.storage.url}/readings.csv`, 4);
    await hang.hit();
    const { env, storage } = world;
    const told = await folder?.run(env, storage.url, folder.commandsWith(handle.workflowId));
    expect(told?.stdout).toContain('"phase"');
    expect(await reasonOf(handle)).toBeInstanceOf(CancelledFailure);
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    world.devnet.faults.disarmAll();
    expect((await handle.query<JobProgress>('progress')).phase).toBe('cancelled');
    const { state, money } = await world.golem.settled(`${handle.workflowId}-golem`);
    expect([state, money.paid]).toEqual(['settled', money.accepted]);
    expect(Number(money.paid)).toBeGreaterThan(0);
    expect(world.devnet.open().counts).toEqual(NOTHING_OPEN);
    expect(filesOf(handle)).toEqual([]);
  });

  orSkipped(`says what was wrong, and does not try again what cannot help${because}`, async () => {
    const { url, files } = world.storage;
    const missingSource = await begin(`${url}/nothing.csv`, 4);
    const refused = await reasonOf(missingSource);
    expect(refused).toMatchObject({ type: 'StorageRefused' });
    expect(refused?.message).toContain(`GET ${url}/nothing.csv: 404`);
    files.set('/bad.csv', Buffer.from('Oslo,12\nOslo,warm\n'));
    const failed = await begin(`${url}/bad.csv`, 1);
    const reason = await reasonOf(failed);
    expect(reason).toBeInstanceOf(ApplicationFailure);
    expect(reason).toMatchObject({ type: 'ComputeFailed' });
    expect(reason?.message).toContain('not a reading: Oslo,warm');
    expect([...filesOf(missingSource), ...filesOf(failed)]).toEqual([]);
  });
});

/** What the pipelines are to find, computed in another way. */
function reportOf(csv: string): { readings: number; stations: object } {
  const lines = csv.trimEnd().split('\n');
  const names = [...new Set(lines.map((line) => line.split(',')[0] ?? ''))];
  const stations = names.map((name) => {
    const tenths = lines
      .filter((line) => line.startsWith(`${name},`))
      .map((line) => Number(line.split(',')[1]));
    const sum = tenths.reduce((total, one) => total + one, 0);
    const count = tenths.length;
    return [
      name,
      { count, min: Math.min(...tenths) / 10, mean: sum / count / 10, max: Math.max(...tenths) / 10 },
    ] as const;
  });
  return { readings: lines.length, stations: Object.fromEntries(stations) };
}
