/**
 * A job of very many tasks, from a file: each runs once and its result is written once, whatever becomes of workers and
 * servers on the way, and no history grows with their number. With SOAK=1 ten times as many, on the run's own Temporal.
 */
import type { JobEvent } from '../client';
import type { JobProgress, JobResult, TaskResult } from '../model/result';
import { expectAllPaidOnce, now } from './support/proof';
import { activitiesIn, runsOf, type Run } from './support/runs';
import { startWebServer, type WebServer } from './support/web-server';
import { startWorld, type World } from './support/world';

const SOAK = process.env.SOAK === '1';
const TASKS = SOAK ? 10_000 : 1_000;
const PROVIDERS = SOAK ? 50 : 5;
const AFTER = 300;
/** Events of one run of any workflow. */
const LONGEST = SOAK ? 10_000 : AFTER + 150;

let world: World;
let web: WebServer;
beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({
    continueAsNewAfter: SOAK ? undefined : AFTER,
    devnet: {
      paymentCycleSec: 0.1,
      providers: Array.from({ length: PROVIDERS }, (_, i) => ({ name: `provider-${i + 1}` })),
    },
  });
});
afterAll(async () => {
  await world?.close();
  await web.close();
});
beforeEach(() => {
  web.putStatus = 200;
});

let files = 0;
/** A job whose tasks are those lines, and whose results are read from the parts that it wrote. */
class FileJob {
  readonly name = `job-${++files}`;
  jobId = '';
  began = 0;

  constructor(lines: readonly unknown[]) {
    this.write(lines);
  }

  write(lines: readonly unknown[]): void {
    web.files.set(
      `${this.name}.jsonl`,
      Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join('')),
    );
  }

  async start(more: object = {}): Promise<this> {
    this.began = await now(world);
    const { jobId } = await world.golem.startJob({
      ...{ image: 'golem/alpine:latest', budget: '10', providers: { max: PROVIDERS } },
      tasks: { from: `${web.fileUrl(`${this.name}.jsonl`)}?key=secret` },
      resultsTo: `${web.fileUrl(`${this.name}-{part}.jsonl`)}?key=secret`,
      ...more,
    });
    this.jobId = jobId;
    return this;
  }

  result(): Promise<JobResult> {
    return world.golem.result(this.jobId);
  }

  async progressed(isSo: (progress: JobProgress) => boolean): Promise<JobProgress> {
    for (;;) {
      const progress = await world.golem.progress(this.jobId);
      if (isSo(progress)) return progress;
    }
  }

  /** In the order in which they were written. */
  written(): TaskResult[] {
    const parts = [...web.files.keys()].filter((name) => name.startsWith(`${this.name}-`)).sort();
    return parts.flatMap((part) =>
      String(web.files.get(part))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as TaskResult),
    );
  }

  async histories(): Promise<{ job: Run[]; all: Run[] }> {
    const job = await runsOf(world, this.jobId);
    const settlement = await runsOf(world, `${this.jobId}/settlement`);
    const { rentals } = await world.golem.progress(this.jobId);
    const all = [...job, ...settlement];
    for (const { workflowId } of rentals) all.push(...(await runsOf(world, workflowId)));
    return { job, all };
  }
}

const echoes = (count: number): string[] => Array.from({ length: count }, (_, i) => `echo ${i + 1}`);
const byName = (results: readonly TaskResult[]): Map<string, TaskResult> =>
  new Map(results.map((result) => [result.name, result]));

test(
  `${TASKS} tasks on ${PROVIDERS} providers`,
  async () => {
    const startedMs = performance.now();
    const job = await new FileJob(echoes(TASKS)).start();
    const told: JobEvent[] = [];
    const following = (async () => {
      for await (const event of world.golem.followEvents(job.jobId)) told.push(event);
    })();
    const result = await job.result();
    const tookMs = performance.now() - startedMs;
    const parts = [...web.files.keys()].filter((name) => name.startsWith(`${job.name}-`));
    expect(result).toMatchObject({ state: 'done', tasks: [] });
    expect(result.results).toEqual({
      ...{ parts: parts.length, firstFailed: [] },
      tasks: { done: TASKS, failed: 0, cancelled: 0 },
    });

    const written = job.written();
    expect(written).toHaveLength(TASKS);
    const named = byName(written);
    for (let n = 1; n <= TASKS; n++)
      expect(named.get(`task-${n}`)).toMatchObject({ state: 'done', results: [{ stdout: `${n}\n` }] });
    expect((await world.golem.progress(job.jobId)).tasks).toMatchObject({ total: TASKS, done: TASKS });
    await world.golem.settled(job.jobId);
    await following;

    const effects = await expectAllPaidOnce(world, job.began);
    expect(effects.taskScripts()).toHaveLength(TASKS);
    const batches = effects.taskScripts().map(({ batchId }) => batchId);
    expect(new Set(batches)).toEqual(new Set(written.map(({ attempts }) => attempts[0]?.batchId)));

    const { all, job: runs } = await job.histories();
    const largest = Math.max(...all.map(({ events }) => events.length));
    const counts = activitiesIn(all);
    const scripts = (counts.golemSendScript ?? 0) + (counts.golemWatchScript ?? 0);
    const files = (counts.golemReadTasks ?? 0) + (counts.golemWriteResults ?? 0);
    if (SOAK || process.env.FIGURES)
      console.log(
        `${TASKS} tasks on ${PROVIDERS} providers: ${Math.round(tookMs / 1000)} s, ${runs.length} runs of the job, ` +
          `largest history ${largest} events, ${(scripts / TASKS).toFixed(2)} activities a script, ` +
          `${files} pages and parts, ${JSON.stringify(counts)}`,
      );
    expect(runs.length).toBeGreaterThan(1);
    for (const { events } of runs) expect(events.length).toBeLessThanOrEqual(LONGEST);
    // Those of the VMs' own scripts besides.
    expect(scripts).toBeLessThanOrEqual(2 * (TASKS + 2 * PROVIDERS));
    expect(files).toBeLessThanOrEqual(Math.ceil(TASKS / 100) + runs.length);

    const seqs = new Map<string, number[]>();
    for (const { workflowId, seq } of told) seqs.set(workflowId, [...(seqs.get(workflowId) ?? []), seq]);
    if (!SOAK) for (const each of seqs.values()) expect(each).toEqual(each.map((_, i) => i + 1));
  },
  SOAK ? 3_600_000 : 400_000,
);
