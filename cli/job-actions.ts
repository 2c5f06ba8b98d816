/** What `golem-temporal start | watch | result | events | cancel | topup` do: thin over GolemClient. */
import type { Client } from '@temporalio/client';
import { GolemClient } from '../client/index';
import type { GolemEvent } from '../model/events';
import { foreignText } from '../model/foreign-text';
import { settlementId } from '../model/ids';
import type { JobResult, ProviderInfo, TaskResult } from '../model/result';
import { requireSound } from './check-spec';
import { CliError, EXIT_FAILED } from './failure';
import { interruptible } from './interruptible';
import { jobView } from './job-view';
import { signerOf } from './key-file';
import { shellWord } from './names';
import { readSpecFile } from './spec-file';
import { withTemporal } from './temporal-client';
import { watchJob } from './watch-job';
import { warnWithoutWorker } from './worker-there';

export async function start(
  file: string,
  options: { id?: string; taskQueue: string; watch?: boolean },
): Promise<void> {
  const spec = await readSpecFile(file);
  requireSound(spec);
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
    const isRunning = await warnIfItWaits(client, golem, id);
    if (isRunning) console.error(`waiting for job ${id} to end${options.settled ? ' and to be paid' : ''}`);
    if (options.settled) {
      if (!isRunning && (await isRunningStill(client, settlementId(id))))
        console.error(`waiting for the payments of job ${id}`);
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
    const golem = new GolemClient({ client, signer });
    await warnIfItWaits(client, golem, id);
    const message = `the budget of ${id} may still be raised: golem-temporal watch ${shellWord(id)} shows it`;
    const { reserved, budget } = await interruptible(message, (signal) =>
      client.withAbortSignal(signal, () => golem.topUp(id, amount)),
    );
    console.log(`${id}: ${reserved} GLM are reserved, of a budget of ${budget}`);
  });
}

async function withGolem(use: (golem: GolemClient, client: Client) => Promise<void>): Promise<void> {
  await withTemporal((client) => use(new GolemClient({ client }), client));
}

async function watchToEnd(client: Client, golem: GolemClient, jobId: string): Promise<void> {
  await warnIfItWaits(client, golem, jobId);
  const id = shellWord(jobId);
  const result = await interruptible(`the job goes on: golem-temporal watch ${id}`, (signal) =>
    watchJob(golem, jobId, jobView(), { signal }),
  );
  for (const line of taskLines(result)) console.log(line);
  console.log(`all of it: golem-temporal result ${id}`);
  requireDone(result);
}

/** Lines of a task's output that are shown; all of it is in the result. */
const LINES_SHOWN = 10;
/** Of more tasks only those that failed are named, so many of them. */
const TASKS_SHOWN = 50;
const FAILED_SHOWN = 10;

/** How each task ended, and below it the end of what its commands printed. */
function taskLines({ tasks, results }: JobResult): string[] {
  const { parts = 0, tasks: count, firstFailed = [] } = results ?? {};
  const written = count
    ? [
        `${count.done} tasks done, ${count.failed} failed, ${count.cancelled} cancelled: results in ${parts} ${parts === 1 ? 'part' : 'parts'}`,
      ]
    : [];
  return [...linesOfTasks([...tasks, ...firstFailed]), ...written];
}

function linesOfTasks(tasks: readonly TaskResult[]): string[] {
  if (tasks.length <= TASKS_SHOWN) return tasks.flatMap(linesOfTask);
  const states = [...new Set(tasks.map(({ state }) => state))];
  const counts = states.map((state) => `${tasks.filter((task) => task.state === state).length} ${state}`);
  const failed = tasks.filter(({ state }) => state !== 'done').slice(0, FAILED_SHOWN);
  return [...failed.flatMap(linesOfTask), `${tasks.length} tasks: ${counts.join(', ')}`];
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

/** @returns whether it runs */
async function warnIfItWaits(client: Client, golem: GolemClient, jobId: string): Promise<boolean> {
  const { running, taskQueue } = await golem.whereabouts(jobId);
  if (running) await warnWithoutWorker(client, taskQueue);
  return running;
}

async function isRunningStill(client: Client, workflowId: string): Promise<boolean> {
  const seen = await client.workflow
    .getHandle(workflowId)
    .describe()
    .catch(() => undefined);
  return seen?.status.name === 'RUNNING';
}
