/** Whether a worker is there: without one a job waits silently. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { DEFAULT_TASK_QUEUE } from '../model/ids';
import { shellWord } from './names';

/** Temporal may not know of it yet, in the moment when it begins. */
const LOOKS = 4;
const PAUSE_MS = 500;

/**
 * @param options.isPatient - one that is just beginning is waited for
 * @returns what to do about it; undefined where one is there, or was some minutes ago
 */
export async function missingWorker(
  client: Client,
  taskQueue: string,
  { isPatient = false }: { isPatient?: boolean } = {},
): Promise<string | undefined> {
  for (let looks = 1; ; looks++) {
    if (await isWorkerThere(client, taskQueue)) return undefined;
    if (!isPatient || looks >= LOOKS) break;
    await delay(PAUSE_MS);
  }
  const queue = taskQueue === DEFAULT_TASK_QUEUE ? '' : ` --task-queue ${shellWord(taskQueue)}`;
  return `no worker is there to run it yet: start one with \`golem-temporal worker${queue}\``;
}

export async function warnWithoutWorker(client: Client, taskQueue: string): Promise<void> {
  const missing = await missingWorker(client, taskQueue);
  if (missing) console.error(missing);
}

/** Whether one is there, or was some minutes ago; true where Temporal does not tell. */
export async function isWorkerThere(client: Client, taskQueue: string): Promise<boolean> {
  const described = await client.workflowService
    .describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: 1,
    })
    // That Temporal does not let us look, or does not answer now, says nothing.
    .catch(() => undefined);
  return !described || (described.pollers?.length ?? 0) > 0;
}
