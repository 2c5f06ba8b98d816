/** What `golem-temporal start | watch | cancel | topup` do: thin over GolemClient. */
import type { Client } from '@temporalio/client';
import { GolemClient } from '../client/index';
import { requireSound } from './check-spec';
import { interruptible } from './interruptible';
import { requireDone, resultLines } from './job-result';
import { jobView, jsonView } from './job-view';
import { signerOf } from './key-file';
import { shellWord } from './names';
import { requireJob, whatIs } from './rental-id';
import { readSpecFile } from './spec-file';
import { withTemporal } from './temporal-client';
import { watchJob } from './watch-job';
import { watchRental } from './watch-rental';
import { missingWorker, warnWithoutWorker } from './worker-there';

export async function start(
  file: string,
  options: { id?: string; taskQueue: string; watch?: boolean },
): Promise<void> {
  const { value: spec, placeOf } = await readSpecFile(file);
  requireSound(spec, placeOf);
  await withTemporal(async (client) => {
    const golem = new GolemClient({ client, taskQueue: options.taskQueue });
    const { jobId } = await golem.startJob(spec, { jobId: options.id });
    console.log(jobId);
    if (options.watch) await watchToEnd(client, golem, jobId, {});
    else await warnWithoutWorker(client, options.taskQueue);
  });
}

export async function watch(id: string, options: { json?: boolean }): Promise<void> {
  await withTemporal(async (client) => {
    const golem = new GolemClient({ client });
    if ((await whatIs(client, id)) !== 'rental') return await watchToEnd(client, golem, id, options);
    await interruptible(goesOn('the rental', id), (signal) =>
      watchRental(client, golem, id, { ...options, signal }),
    );
  });
}

export async function cancel(id: string): Promise<void> {
  await withTemporal(async (client) => {
    await requireJob(client, id, () => `golem-temporal terminate ${shellWord(id)} ends it`);
    const cancelled = await new GolemClient({ client }).cancel(id);
    console.log(cancelled ? `cancelling ${id}` : `${id} is over already: there is nothing to cancel`);
  });
}

export async function topUp(id: string, amount: string, options: { key?: string }): Promise<void> {
  const signer = await signerOf(options);
  await withTemporal(async (client) => {
    await requireJob(client, id, (job, activity = 'ACTIVITY_ID') =>
      job === undefined
        ? `it has no job whose budget could be raised; detach it, and golem-temporal attach ${activity} --budget GLM`
        : `golem-temporal topup ${shellWord(job)} ${amount} raises the budget of its job`,
    );
    const golem = new GolemClient({ client, signer });
    const { running, taskQueue } = await golem.whereabouts(id);
    if (running) await warnWithoutWorker(client, taskQueue);
    const message = `the budget of ${id} may still be raised: golem-temporal watch ${shellWord(id)} shows it`;
    const { reserved, budget } = await interruptible(message, (signal) =>
      client.withAbortSignal(signal, () => golem.topUp(id, amount)),
    );
    console.log(`${id}: ${reserved} GLM are reserved, of a budget of ${budget}`);
  });
}

const goesOn = (what: string, id: string): string =>
  `${what} goes on: golem-temporal watch ${shellWord(id)} shows it again`;

async function watchToEnd(
  client: Client,
  golem: GolemClient,
  jobId: string,
  { json }: { json?: boolean },
): Promise<void> {
  const id = shellWord(jobId);
  const { taskQueue } = await golem.whereabouts(jobId);
  const missing = () => missingWorker(client, taskQueue);
  const result = await interruptible(goesOn('the job', jobId), (signal) =>
    watchJob(golem, jobId, json ? jsonView() : jobView(), { signal, missing }),
  );
  if (json) console.log(JSON.stringify(result));
  else for (const line of resultLines(result)) console.log(line);
  if (!json) console.log(`all of it: golem-temporal result ${id}`);
  requireDone(result);
}
