/** What `golem-temporal reconcile` does: thin over the client. */
import { WorkflowFailedError, type Client } from '@temporalio/client';
import { reconcile, scheduleReconcile, unscheduleReconcile } from '../client/index';
import type { ReconcileResult } from '../model/reconcile';
import type { SettlementResult } from '../model/result';
import { durationText } from './duration';
import { CliError, EXIT_FAILED } from './failure';
import { orphanLines } from './orphan-view';
import { withTemporal } from './temporal-client';
import { warnWithoutWorker } from './worker-there';

export interface Options {
  dryRun?: boolean;
  /** Seconds. */
  every?: number;
  remove?: boolean;
  connection: string;
  /** Seconds. */
  olderThan?: number;
  taskQueue: string;
  wait: boolean;
  json?: boolean;
}

export async function reconcileOnce(options: Options): Promise<void> {
  const { connection, olderThan: olderThanSec, dryRun, taskQueue, json, wait } = options;
  await withTemporal(async (client) => {
    await warnWithoutWorker(client, taskQueue);
    const found = await reconcile({ client, taskQueue }, { connection, olderThanSec, dryRun });
    if (json) console.log(JSON.stringify(found, null, 2));
    else for (const line of orphanLines(found)) console.log(line);
    if (wait) await settle(client, found, json ?? false);
  });
}

export async function makeSchedule(options: Options, everySec: number): Promise<void> {
  const { connection, olderThan: olderThanSec, taskQueue } = options;
  await withTemporal(async (client) => {
    const id = await scheduleReconcile({ client, taskQueue }, everySec * 1000, { connection, olderThanSec });
    console.log(`${id} runs every ${durationText(everySec)}`);
  });
}

export async function removeSchedule({ connection, taskQueue }: Options): Promise<void> {
  await withTemporal(async (client) => {
    const { id, removed } = await unscheduleReconcile({ client, taskQueue }, connection);
    console.log(removed ? `${id} is removed` : `there is no schedule ${id}`);
  });
}

/** Waits for the settlements, which go on whether or not somebody does. */
async function settle(client: Client, { settlements }: ReconcileResult, isQuiet: boolean): Promise<void> {
  const say = (line: string): void => (isQuiet ? undefined : console.log(line));
  if (settlements.length === 1) say('1 settlement closes them; it goes on without this command');
  if (settlements.length > 1)
    say(`${settlements.length} settlements close them; they go on without this command`);
  const unpaid: string[] = [];
  await Promise.all(
    settlements.map(async (workflowId) => {
      try {
        const ended = (await client.workflow.getHandle(workflowId).result()) as SettlementResult;
        say(`${workflowId}: ${ended.state}, ${ended.money.paid} GLM paid in all`);
        if (ended.state === 'settled') return;
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        say(`${workflowId}: failed: ${error.cause?.message ?? error.message}`);
      }
      unpaid.push(workflowId);
    }),
  );
  if (unpaid.length > 0) throw new CliError(`not all is paid: ${unpaid.join(', ')}`, EXIT_FAILED);
}
