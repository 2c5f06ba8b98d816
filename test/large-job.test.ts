/**
 * A job of very many tasks, from a file: each runs once and its result is written once, whatever becomes of workers and
 * servers on the way, and no history grows with their number. With SOAK=1 a hundred times as many, on the run's own Temporal.
 */
import type { JobEvent } from '../client';
import type { TaskResult } from '../model/result';
import { FileJob } from './support/file-job';
import { expectAllPaidOnce } from './support/proof';
import { activitiesIn } from './support/runs';
import { startWebServer, type WebServer } from './support/web-server';
import { startWorld, type World } from './support/world';

const SOAK = process.env.SOAK === '1';
const TASKS = SOAK ? 10_000 : 100;
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
const echoes = (count: number): string[] => Array.from({ length: count }, (_, i) => `echo ${i + 1}`);
const byName = (results: readonly TaskResult[]): Map<string, TaskResult> =>
  new Map(results.map((result) => [result.name, result]));

test(
  `${TASKS} tasks on ${PROVIDERS} providers`,
  async () => {
    const startedMs = performance.now();
    const job = await new FileJob(world, web, echoes(TASKS)).start({ providers: { max: PROVIDERS } });
    const told: JobEvent[] = [];
    const following = (async () => {
      for await (const event of world.golem.followEvents(job.jobId)) told.push(event);
    })();
    const result = await job.result();
    const tookMs = performance.now() - startedMs;
    expect(result).toMatchObject({ state: 'done', tasks: [] });
    expect(result.results).toEqual({
      ...{ parts: job.parts().length, firstFailed: [] },
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
