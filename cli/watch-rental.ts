/** Follows a rental to its end: a line for each change. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { NoAnswerError, type GolemClient } from '../client/index';
import type { RentalProgress } from '../model/result';
import { describeRental } from './job-view';
import { Silence } from './tell-silence';
import { missingWorker } from './worker-there';

const ASK_EVERY_MS = 1_000;

/** @throws CliError, or what made the rental fail */
export async function watchRental(
  client: Client,
  golem: GolemClient,
  id: string,
  { json, signal }: { json?: boolean; signal: AbortSignal },
): Promise<void> {
  const handle = client.workflow.getHandle(id);
  const silence = new Silence();
  let last = '';
  const show = (progress: RentalProgress): void => {
    const line = json ? JSON.stringify(progress) : describeRental(progress);
    if (line !== last) console.log(line);
    last = line;
  };
  for (let isRunning = true; isRunning;) {
    signal.throwIfAborted();
    const { status, taskQueue } = await handle.describe();
    isRunning = status.name === 'RUNNING';
    try {
      show(await golem.rentalProgress(id));
      silence.end();
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      await silence.begin(() => missingWorker(client, taskQueue));
    }
    if (isRunning) await delay(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  const ended: unknown = await handle.result();
  if (json) console.log(JSON.stringify(ended));
}
