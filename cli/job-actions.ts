/** What `golem-temporal start | watch | result | events | cancel | topup` do: thin over GolemClient. */
import type { Client } from '@temporalio/client';
import { GolemClient } from '../client/index';
import type { GolemEvent } from '../model/events';
import { foreignText } from '../model/foreign-text';
import { DEFAULT_TASK_QUEUE } from '../model/ids';
import type { JobResult, ProviderInfo, TaskResult } from '../model/result';
import { CliError, EXIT_FAILED } from './failure';
import { jobView } from './job-view';
import { signerOf } from './key-file';
import { readSpecFile } from './spec-file';
import { withTemporal } from './temporal-client';
import { watchJob } from './watch-job';

export async function start(
  file: string,
  options: { id?: string; taskQueue: string; watch?: boolean },
): Promise<void> {
  const spec = await readSpecFile(file);
  await withTemporal(async (client) => {
    const golem = new GolemClient({ client, taskQueue: options.taskQueue });
    const { jobId } = await golem.startJob(spec, { jobId: options.id });
    console.log(jobId);
    if (options.watch) await watchToEnd(client, golem, jobId);
    else await warnWithoutWorker(client, options.taskQueue);
  });
}

export function watch(id: string): Promise<void> {
  return withGolem((golem, client) => watchToEnd(client, golem, id));
}

export function result(id: string, options: { settled?: boolean }): Promise<void> {
  return withGolem(async (golem, client) => {
    await warnIfItWaits(client, golem, id);
    if (options.settled) {
      const settlement = await golem.settled(id);
      console.log(JSON.stringify(settlement, null, 2));
      if (settlement.state !== 'settled') throw new CliError(`not all of job ${id} is paid`, EXIT_FAILED);
      return;
    }
    const ended = await golem.result(id);
    console.log(JSON.stringify(ended, null, 2));
    requireDone(ended);
  });
}

export function events(id: string, options: { follow?: boolean; json?: boolean }): Promise<void> {
  return withGolem(async (golem) => {
    const print = (event: GolemEvent): void =>
      console.log(options.json ? JSON.stringify(event) : eventLine(event));
    for await (const event of golem.followEvents(id, { untilNow: !options.follow })) print(event);
  });
}

export function cancel(id: string): Promise<void> {
  return withGolem(async (golem) => {
    const cancelled = await golem.cancel(id);
    console.log(cancelled ? `cancelling ${id}` : `${id} is over already: there is nothing to cancel`);
  });
}

export async function topUp(id: string, amount: string, options: { key?: string }): Promise<void> {
  const signer = await signerOf(options);
  await withTemporal(async (client) => {
    const { reserved, budget } = await new GolemClient({ client, signer }).topUp(id, amount);
    console.log(`${id}: ${reserved} GLM are reserved, of a budget of ${budget}`);
  });
}

async function withGolem(use: (golem: GolemClient, client: Client) => Promise<void>): Promise<void> {
  await withTemporal((client) => use(new GolemClient({ client }), client));
}

async function watchToEnd(client: Client, golem: GolemClient, jobId: string): Promise<void> {
  await warnIfItWaits(client, golem, jobId);
  const stop = new AbortController();
  const onSignal = (): void =>
    stop.abort(new CliError(`the job goes on: golem-temporal watch ${jobId}`, 130));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const result = await watchJob(golem, jobId, jobView(), { signal: stop.signal });
    for (const line of taskLines(result)) console.log(line);
    console.log(`all of it: golem-temporal result ${jobId}`);
    requireDone(result);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** Lines of a task's output that are shown; all of it is in the result. */
const LINES_SHOWN = 10;

/** How each task ended, and below it the end of what its commands printed. */
function taskLines({ tasks, results }: JobResult): string[] {
  const { parts = 0, tasks: count, firstFailed = [] } = results ?? {};
  const written = count
    ? [
        `${count.done} tasks done, ${count.failed} failed, ${count.cancelled} cancelled: results in ${parts} parts`,
      ]
    : [];
  return [...[...tasks, ...firstFailed].flatMap(linesOfTask), ...written];
}

function linesOfTask(task: TaskResult): string[] {
  const where = task.provider ? ` on ${task.provider.name}` : '';
  const why = task.failure ? `: ${task.failure.type}: ${task.failure.message}` : '';
  const printed = task.results.flatMap(({ stdout, stderr }) => [stdout ?? '', stderr ?? '']);
  const lines = foreignLines(printed.join(''));
  return [
    `${task.name}: ${task.state}${where}${why}`,
    ...lines.slice(-LINES_SHOWN).map((line) => `  ${line}`),
  ];
}

/** What a provider's commands printed, without what would steer the terminal. */
function foreignLines(text: string): string[] {
  return text.trimEnd() === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => foreignText(line));
}

function requireDone(result: JobResult): void {
  if (result.state === 'done') return;
  const { jobId, tasks, results } = result;
  const failed = tasks.filter((task) => task.state !== 'done');
  const count = results?.tasks;
  const bad = count ? count.failed + count.cancelled : failed.length;
  const all = count ? count.done + bad : tasks.length;
  const first = (results?.firstFailed ?? failed)[0]?.failure ?? result.failure;
  const reason = first ? `: ${first.type}: ${first.message}` : '';
  throw new CliError(`job ${jobId} failed, ${bad} of ${all} tasks${reason}`);
}

/** The short form: a provider by its name, an amount once, and no long lists; `--json` has it all. */
function eventLine(event: GolemEvent): string {
  const details = Object.entries(event.details).flatMap(([name, value]) => {
    if (name === 'provider') return `provider=${(value as ProviderInfo).name ?? (value as ProviderInfo).id}`;
    if (name === 'amountPrecise' || (typeof value === 'object' && value !== null)) return [];
    return `${name}=${String(value)}`;
  });
  return [event.at, event.name, ...details].join(' ');
}

async function warnIfItWaits(client: Client, golem: GolemClient, jobId: string): Promise<void> {
  const { running, taskQueue } = await golem.whereabouts(jobId);
  if (running) await warnWithoutWorker(client, taskQueue);
}

/** A job without a worker waits silently, so say it. */
export async function warnWithoutWorker(client: Client, taskQueue: string): Promise<void> {
  const described = await client.workflowService
    .describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: 1,
    })
    // The job is started: that Temporal does not let us look, or does not answer now, is no failure of it.
    .catch(() => undefined);
  if (!described || (described.pollers?.length ?? 0) > 0) return;
  const command = `golem-temporal worker${taskQueue === DEFAULT_TASK_QUEUE ? '' : ` --task-queue ${taskQueue}`}`;
  console.error(`no worker is there to run it yet: start one with \`${command}\``);
}
