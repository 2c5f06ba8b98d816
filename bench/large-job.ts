/** A job of very many tasks from a file, on many providers: what a task costs must not grow with their number. */
import { randomUUID } from 'node:crypto';
import Decimal from 'decimal.js';
import { activitiesIn, runsOfJob } from '../test/support/runs';
import { startWebServer, type WebServer } from '../test/support/web-server';
import { START_PRICE, type BenchWorld } from './bench-world';
import { checked } from './comparison';
import { cpuSeconds } from './process-figures';
import type { Row } from './row';
import { inWorld, type Setting } from './setting';
import { median } from './statistics';

/** Of a job that takes hours, no agreement ends meanwhile, and no debit note comes. */
const DEMAND = { expirationSec: 8 * 3600, midAgreementDebitNoteIntervalSec: 8 * 3600 };

/** Tasks and providers of the job before. */
const WARM = 4;
/** Jobs of each size. */
const TIMES = 2;

export async function largeJob(setting: Setting): Promise<Row[]> {
  const [providers, few, many] = setting.long
    ? [50, 1_000, 10_000]
    : setting.quick
      ? [5, 20, 60]
      : [20, 100, 400];
  const web = await startWebServer();
  const provider = { debitNoteIntervalSec: 8 * 3600 };
  try {
    return await inWorld(setting, { latency: 'none', providers, provider }, async (world) => {
      const run = (tasks: number, on = providers) => new LargeRun(world, web, setting, on, tasks).measure();
      await run(WARM, WARM);
      const growths: Growth[] = [];
      for (let n = 0; n < (setting.quick ? 1 : TIMES); n++)
        growths.push({ base: await run(providers), few: await run(few), many: await run(many) });
      return rowsOf(providers, growths);
    });
  } finally {
    await web.close();
  }
}

/** With fewer, the cost of a further task is lost in that of the rentals, and of code that is not warm. */
const LEAST = 1000;

interface Cost {
  tasks: number;
  /** To all settled, seconds. */
  workerCpuSec: number;
  serverCpuSec: number;
  activities: number;
  events: number;
  longestHistory: number;
}

/** One job of each size. The smallest has one task for each provider: nearly all of it is what a job and its rentals take once. */
interface Growth {
  base: Cost;
  few: Cost;
  many: Cost;
}

const cpu = ({ workerCpuSec, serverCpuSec }: Cost): number => workerCpuSec + serverCpuSec;

/** What each task costs that the larger of two jobs has more. */
const further = (of: (cost: Cost) => number, from: Cost, to: Cost): number =>
  (of(to) - of(from)) / (to.tasks - from.tasks);

function rowsOf(providers: number, growths: readonly Growth[]): Row[] {
  const each = (of: (cost: Cost) => number): number[] =>
    growths.map(({ few, many }) => further(of, few, many));
  const [{ few, many }] = growths as [Growth];
  const name = `${many.tasks} tasks on ${providers} providers`;
  const isLarge = few.tasks >= LEAST;
  const cpuSec = median(growths.map((growth) => cpu(growth.many)));
  return [
    {
      ...{ measure: `${name}: CPU a task, to that of a job of ${few.tasks}`, unit: 'ratio' },
      ours: growths.map((growth) => cpu(growth.many) / many.tasks / (cpu(growth.few) / few.tasks)),
      ...(isLarge && { toReach: { atMost: 1.1 } }),
      note: `In all ${cpuSec.toFixed(0)} s of CPU, of worker and Temporal together. 10,000 tasks on 50 providers with --long.`,
    },
    ...(isLarge ? [beyond(name, growths)] : []),
    {
      ...{ measure: `${name}: activities a further task`, unit: 'each', toReach: { atMost: 2 } },
      ours: each(({ activities }) => activities),
      note: `Of the ${many.tasks - few.tasks} tasks that the larger of two jobs has more.`,
    },
    {
      ...{ measure: `${name}: events a further task`, unit: 'each' },
      ours: each(({ events }) => events),
    },
    {
      ...{ measure: `${name}: largest history`, unit: 'each', toReach: { atMost: 10_000 } },
      ours: growths.map(({ many: { longestHistory } }) => longestHistory),
      note: 'Events of one run of any workflow.',
    },
  ];
}

/** Without what providers take once. */
function beyond(name: string, growths: readonly Growth[]): Row {
  const first = (of: (cost: Cost) => number): number[] =>
    growths.map(({ base, few }) => further(of, base, few));
  const last = (of: (cost: Cost) => number): number[] =>
    growths.map(({ few, many }) => further(of, few, many));
  const parts = (each: typeof first): string =>
    [each(({ workerCpuSec }) => workerCpuSec), each(({ serverCpuSec }) => serverCpuSec)]
      .map((sec) => (median(sec) * 1000).toFixed(1))
      .join(' and ');
  const [{ base, few, many }] = growths as [Growth];
  const before = first(cpu);
  return {
    ...{ measure: `${name}: CPU a task beyond ${few.tasks}, to that before`, unit: 'ratio' },
    ours: last(cpu).map((sec, i) => sec / (before[i] ?? NaN)),
    note:
      `Without what providers take once. CPU of worker and Temporal: ${parts(last)} ms for each task from ${few.tasks} to ` +
      `${many.tasks}, ${parts(first)} ms for each from ${base.tasks} to ${few.tasks}.`,
  };
}

class LargeRun {
  constructor(
    private readonly world: BenchWorld,
    private readonly web: WebServer,
    private readonly setting: Setting,
    private readonly providers: number,
    private readonly tasks: number,
  ) {}

  async measure(): Promise<Cost> {
    const { tasks, setting, world } = this;
    const before = this.cpu();
    const began = performance.now();
    const due = {
      printed: Array.from({ length: tasks }, (_, i) => `${i + 1}\n`),
      pays: new Decimal(START_PRICE).times(this.providers).toFixed(),
    };
    const { jobId } = await checked(world, 'ours', due, () => this.run());
    const after = this.cpu();
    setting.tell(`${tasks} tasks after ${Math.round((performance.now() - began) / 1000)} s`);
    const runs = (await runsOfJob(world, jobId)).map(({ history }) => history);
    const lengths = runs.map(({ events }) => events.length);
    return {
      tasks,
      workerCpuSec: after.worker - before.worker,
      serverCpuSec: after.server - before.server,
      activities: Object.values(activitiesIn(runs)).reduce((sum, count) => sum + count, 0),
      events: lengths.reduce((sum, length) => sum + length, 0),
      longestHistory: Math.max(...lengths),
    };
  }

  private cpu(): { worker: number; server: number } {
    return { worker: cpuSeconds(this.world.worker.pid), server: cpuSeconds(this.setting.temporal.pid) };
  }

  private async run(): Promise<{ jobId: string; printed: (string | null | undefined)[] }> {
    const { web, world, tasks } = this;
    const name = randomUUID();
    const lines = Array.from({ length: tasks }, (_, i) => `"echo ${i + 1}"\n`);
    web.files.set(`${name}.jsonl`, Buffer.from(lines.join('')));
    const { jobId } = await world.golem.startJob({
      ...{ image: 'golem/alpine:latest', budget: '50', providers: { max: this.providers }, demand: DEMAND },
      tasks: { from: web.fileUrl(`${name}.jsonl`) },
      resultsTo: web.fileUrl(`${name}-{part}.jsonl`),
    });
    await world.golem.result(jobId);
    await world.golem.settled(jobId);
    const written = [...web.files]
      .filter(([file]) => file.startsWith(`${name}-`))
      .flatMap(([, text]) => String(text).trimEnd().split('\n'))
      .map((line) => JSON.parse(line) as { name: string; results: { stdout: string }[] });
    const byName = new Map(written.map((task) => [task.name, task.results[0]?.stdout]));
    return { jobId, printed: Array.from({ length: tasks }, (_, i) => byName.get(`task-${i + 1}`)) };
  }
}
