/** What `golem-temporal list | result | events | logs | costs` do: thin over GolemClient. */
import type { Client } from '@temporalio/client';
import { GolemClient, type ListedJob } from '../client/index';
import type { GolemEvent } from '../model/events';
import { jobOfRental, settlementId } from '../model/ids';
import type { ProviderInfo, RentalProgress, SettlementResult, TaskNow } from '../model/result';
import { costLines, costsCsv } from './cost-view';
import { CliError, EXIT_NOT_NOW, usageError } from './failure';
import { requireDone } from './job-result';
import { jobLines } from './job-list-view';
import { shellWord } from './names';
import { requireJob, whatIs } from './rental-id';
import { resultPrinter } from './script-output';
import { withTemporal } from './temporal-client';
import { tellSilence } from './tell-silence';
import { warnWithoutWorker } from './worker-there';

const PAGE = 200;

export async function list(options: {
  running?: boolean;
  limit: number;
  all?: boolean;
  json?: boolean;
}): Promise<void> {
  await withGolem(async (golem) => {
    const { running, all } = options;
    const jobs: ListedJob[] = [];
    let after: string | undefined;
    do {
      const limit = all ? PAGE : options.limit - jobs.length;
      const page = await golem.jobs({ running, limit, after });
      jobs.push(...page.jobs);
      after = page.cursor;
    } while (after !== undefined && (all || jobs.length < options.limit));
    if (options.json) return console.log(JSON.stringify(jobs, null, 2));
    for (const line of jobLines(jobs)) console.log(line);
    if (after !== undefined) console.error(`there are more: --limit, or --all`);
  });
}

export async function result(id: string, options: { settled?: boolean }): Promise<void> {
  await withGolem(async (golem, client) => {
    if ((await whatIs(client, id)) === 'rental') return await rentalResult(client, golem, id, options);
    const isRunning = await warnIfItWaits(client, golem, id);
    if (isRunning) console.error(`waiting for job ${id} to end${options.settled ? ' and to be paid' : ''}`);
    if (options.settled) {
      if (!isRunning && (await isRunningStill(client, settlementId(id))))
        console.error(`waiting for the payments of job ${id}`);
      printSettled(id, await golem.settled(id));
      return;
    }
    const ended = await golem.result(id);
    console.log(JSON.stringify(ended, null, 2));
    requireDone(ended);
  });
}

/** Of a rental: why and how it ended; with `settled` what is paid for it and all that its settlement looks after. */
async function rentalResult(
  client: Client,
  golem: GolemClient,
  id: string,
  { settled }: { settled?: boolean },
): Promise<void> {
  const handle = client.workflow.getHandle(id);
  if (settled) {
    const { settlementId: own }: RentalProgress = await golem.rentalProgress(id);
    const jobId = jobOfRental(id);
    const settlement = own ?? (jobId === undefined ? undefined : settlementId(jobId));
    if (settlement === undefined) throw usageError(`${id} does not tell who pays for it`);
    console.error(`waiting for ${settlement} to end`);
    printSettled(id, (await client.workflow.getHandle(settlement).result()) as SettlementResult);
    return;
  }
  if (await isRunningStill(client, id)) console.error(`waiting for rental ${id} to end`);
  console.log(JSON.stringify(await handle.result(), null, 2));
}

function printSettled(id: string, settlement: SettlementResult): void {
  console.log(JSON.stringify(settlement, null, 2));
  if (settlement.state !== 'settled') throw new CliError(`not all of ${id} is paid`);
}

export async function events(id: string, options: { follow?: boolean; json?: boolean }): Promise<void> {
  await withGolem(async (golem, client) => {
    const print = (event: GolemEvent): void =>
      console.log(options.json ? JSON.stringify(event) : eventLine(event));
    const follow = async (): Promise<void> => {
      for await (const event of golem.followEvents(id, { untilNow: !options.follow })) print(event);
    };
    if (options.follow) await tellSilence(client, id, follow);
    else await follow();
  });
}

export async function logs(id: string, name: string, options: { json?: boolean }): Promise<void> {
  await withGolem(async (golem, client) => {
    await requireJob(
      client,
      id,
      () => `golem-temporal exec ${shellWord(id)} --result SCRIPT prints a script's output`,
    );
    const task = await golem.task(id, name);
    if (!task) throw usageError(await noSuchTask(golem, id, name));
    if (options.json) return console.log(JSON.stringify(task, null, 2));
    const printer = resultPrinter();
    for (const each of task.results) printer.print(each);
    printer.end();
    const { state, provider, failure } = task;
    const where = provider ? ` on ${provider.name}` : '';
    if (state === 'waiting' || state === 'running')
      throw new CliError(`${name} is ${state}${where}: its output comes when it has ended`, EXIT_NOT_NOW);
    if (state === 'done') return;
    const why = failure ? `: ${failure.type}: ${failure.message}` : '';
    console.error(`golem-temporal: ${name}: ${state}${where}${why}`);
  });
}

async function noSuchTask(golem: GolemClient, id: string, name: string): Promise<string> {
  const { running } = await golem.whereabouts(id);
  const ended = running ? undefined : await golem.result(id).catch(() => undefined);
  const names = (ended?.tasks ?? []).map((task: Pick<TaskNow, 'name'>) => task.name);
  const [first, last] = [names[0], names.at(-1)];
  const has =
    first === undefined ? '' : names.length === 1 ? `; it has ${first}` : `; it has ${first} to ${last}`;
  const inFile = ended?.results?.to;
  if (inFile !== undefined)
    return `job ${id} has no task ${name} in its result: tasks of a file are in the parts at ${inFile}`;
  return `job ${id} has no task ${name}${has}`;
}

export async function costs(id: string, options: { csv?: boolean; json?: boolean }): Promise<void> {
  if (options.csv && options.json) throw usageError('give --csv or --json, not both');
  await withGolem(async (golem) => {
    const found = await golem.costs(id);
    if (options.json) return console.log(JSON.stringify(found, null, 2));
    for (const line of options.csv ? costsCsv(found) : costLines(found)) console.log(line);
  });
}

async function withGolem(use: (golem: GolemClient, client: Client) => Promise<void>): Promise<void> {
  await withTemporal((client) => use(new GolemClient({ client }), client));
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
