/**
 * A job of very many tasks, from a file: each runs once and its result is written once, whatever becomes of workers and
 * servers on the way, and no history grows with their number. In the tests Temporal suggests early that workflows
 * continue as new; with SOAK=1 the job is ten times as long besides, and they do so as they would in use.
 */
import { readFileSync } from 'node:fs';
import type { JobEvent } from '../client';
import type { TaskResult } from '../model/result';
import { FileJob } from './support/file-job';
import { expectAllPaidOnce, expectEachRunOnce } from './support/proof';
import { activitiesIn, runsByType, type Run } from './support/runs';
import { startWebServer, type WebServer } from './support/web-server';
import { startWorld, type World } from './support/world';

const SOAK = process.env.SOAK === '1';

interface Scale {
  tasks: number;
  providers: number;
  /** Default: as it is in use. */
  continueAsNewAfter?: number;
  /** Events of one run of any workflow. */
  longest: number;
}

const LARGE: Scale = { tasks: 1_000, providers: 5, continueAsNewAfter: 300, longest: 300 + 150 };
const HUGE: Scale = { tasks: 10_000, providers: 50, longest: 4_000 };
const TIMEOUT_MS = SOAK ? 3 * 3_600_000 : 600_000;
/** Of a job that takes up to two hours on a machine with other work to do, no agreement ends meanwhile. */
const DEMAND = { expirationSec: 4 * 3600 };

/** What the beginning and the end of a job, and of each rental, take, and each run of each workflow. */
const OF_A_JOB = 20;
const OF_A_RENTAL = 12;
const OF_A_RUN = 2;

let web: WebServer;
let world: World | undefined;
beforeAll(async () => {
  web = await startWebServer();
});
afterEach(() => world?.close());
afterAll(() => web.close());

const echoes = (count: number): string[] => Array.from({ length: count }, (_, i) => `echo ${i + 1}`);
const byName = (results: readonly TaskResult[]): Map<string, TaskResult> =>
  new Map(results.map((result) => [result.name, result]));
const seconds = (sinceMs: number): number => Math.round((performance.now() - sinceMs) / 1000);
const isScript = ({ name }: JobEvent): boolean => name === 'ScriptExecuted';

/** For whoever watches a run of an hour. */
function tell(line: string): void {
  if (SOAK || process.env.FIGURES) process.stderr.write(`${line}\n`);
}

/** Of the worker process, MB: `VmRSS` now, `VmHWM` at most. */
function memoryMb({ worker }: World, which: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${worker.pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
}

test.each(SOAK ? [LARGE, HUGE] : [LARGE])(
  '$tasks tasks on $providers providers',
  async ({ tasks, providers, continueAsNewAfter, longest }) => {
    const here = await startWorld({
      continueAsNewAfter,
      devnet: {
        paymentCycleSec: 0.1,
        providers: Array.from({ length: providers }, (_, i) => ({ name: `provider-${i + 1}` })),
      },
    });
    world = here;
    const memoryAtStart = memoryMb(here, 'VmRSS');
    const startedMs = performance.now();
    const spec = { providers: { max: providers }, demand: DEMAND };
    const job = await new FileJob(here, web, echoes(tasks)).start(spec);
    const told: JobEvent[] = [];
    const following = (async () => {
      let scripts = 0;
      for await (const event of here.golem.followEvents(job.jobId)) {
        told.push(event);
        if (isScript(event) && ++scripts % 1_000 === 0)
          tell(`${scripts} scripts after ${seconds(startedMs)} s, ${memoryMb(here, 'VmRSS')} MB`);
      }
    })();
    const result = await job.result();
    const took = seconds(startedMs);
    tell(`the job has ended after ${took} s`);
    expect(result).toMatchObject({ state: 'done', tasks: [] });
    expect(result.results).toMatchObject({
      ...{ parts: job.parts().length, firstFailed: [] },
      tasks: { done: tasks, failed: 0, cancelled: 0 },
    });

    const written = job.written();
    expect(written).toHaveLength(tasks);
    const named = byName(written);
    for (let n = 1; n <= tasks; n++)
      expect(named.get(`task-${n}`)).toMatchObject({ state: 'done', results: [{ stdout: `${n}\n` }] });
    const progress = await here.golem.progress(job.jobId);
    expect(progress.tasks).toMatchObject({ total: tasks, done: tasks });
    expect((await here.golem.settled(job.jobId)).state).toBe('settled');
    await following;
    tell(`all is settled, and its events are read, after ${seconds(startedMs)} s`);

    const effects = await expectAllPaidOnce(here, job.began);
    const again = expectEachRunOnce(effects, written);

    const { all } = await job.histories();
    const types = runsByType(all);
    for (const runs of types.values())
      for (const { events } of runs) expect(events.length).toBeLessThanOrEqual(longest);
    expect(types.get('golemJob')?.length).toBeGreaterThan(1);
    if (continueAsNewAfter) expect(types.get('golemRental')?.length).toBeGreaterThan(providers);

    const counts = activitiesIn(all);
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const scripts = (counts.golemSendScript ?? 0) + (counts.golemWatchScript ?? 0);
    const files = (counts.golemReadTasks ?? 0) + (counts.golemWriteResults ?? 0);
    const notes = (counts.golemDecideDocument ?? 0) + (counts.golemWatchSettlement ?? 0);
    const documents = told.filter(({ name }) => name === 'DebitNoteReceived' || name === 'InvoiceReceived');
    const { rentals } = progress;
    tell(
      `${tasks} tasks on ${providers} providers: ${took} s, a thousand each after ${thousands(written)} s; ` +
        `${figures(types)}; ${perPiece(scripts, tasks + rentals.length)} activities a script, ` +
        `${perPiece(notes, documents.length)} a note (${documents.length}), ${files} pages and parts; ` +
        `${rentals.length} rentals; worker ${memoryAtStart} MB at the start, ${memoryMb(here, 'VmHWM')} MB at most; ` +
        JSON.stringify(counts),
    );
    // Each rental's VM has a script of its own to come up.
    expect(scripts).toBeLessThanOrEqual(2 * (tasks + rentals.length) + all.length);
    expect(files).toBeLessThanOrEqual(Math.ceil(tasks / 100) + (types.get('golemJob')?.length ?? 0));
    expect(notes).toBeLessThanOrEqual(2 * documents.length + OF_A_JOB);
    const fixed = OF_A_JOB + OF_A_RENTAL * rentals.length + OF_A_RUN * all.length;
    expect(total - scripts - files - notes).toBeLessThanOrEqual(fixed);

    const seqs = new Map<string, number[]>();
    for (const { workflowId, seq } of told) seqs.set(workflowId, [...(seqs.get(workflowId) ?? []), seq]);
    for (const each of seqs.values()) expect(each).toEqual(each.map((_, i) => i + 1));
    expect(told.filter(isScript).length).toBeGreaterThanOrEqual(tasks + rentals.length);
    expect(told.filter(isScript).length).toBeLessThanOrEqual(tasks + rentals.length + 2 * again);

    // Addresses may be signed.
    const shown = JSON.stringify([progress, told, here.workerLog]);
    expect(shown).not.toContain('key=secret');
  },
  TIMEOUT_MS,
);

const perPiece = (activities: number, pieces: number): string => (activities / pieces).toFixed(2);

/** When a thousand more tasks were done each time, seconds. */
function thousands(written: readonly TaskResult[]): string {
  const began = Math.min(...written.map(({ startedAt }) => Date.parse(startedAt ?? '')));
  const ends = written.map(({ finishedAt }) => Date.parse(finishedAt ?? '') - began).sort((a, b) => a - b);
  return ends
    .filter((_, i) => (i + 1) % 1_000 === 0)
    .map((ms) => Math.round(ms / 1000))
    .join(', ');
}

function figures(types: ReadonlyMap<string, Run[]>): string {
  return [...types]
    .map(([type, runs]) => {
      const longest = Math.max(...runs.map(({ events }) => events.length));
      return `${type}: ${runs.length} runs, longest ${longest} events`;
    })
    .join(', ');
}
