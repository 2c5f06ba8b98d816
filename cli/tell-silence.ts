/** Says once when nobody answers what is waited for, and once when somebody is back: else a wait without a worker looks like work. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { JobWorkflows } from '../client/job-workflows';
import { NoAnswerError } from '../client/index';
import { missingWorker } from './worker-there';

/** A worker that died can hold a workflow for 10 s. */
const ANSWER_LIMIT_MS = 15_000;
const ASK_EVERY_MS = 5_000;

/** Who looks after a while is to see why nothing happens. */
const REMIND_MS = 60_000;

/** Remembers whether somebody answers. */
export class Silence {
  private toldMs: number | undefined;

  constructor(private readonly say: (line: string) => void = (line) => console.error(line)) {}

  /** @param missing - what to do about it; undefined where a worker was there a moment ago */
  async begin(missing?: () => Promise<string | undefined>): Promise<void> {
    if (this.toldMs !== undefined && performance.now() - this.toldMs < REMIND_MS) return;
    this.toldMs = performance.now();
    const what = await missing?.().catch(() => undefined);
    this.say(what ?? 'no worker answers: it goes on as soon as one does (golem-temporal worker)');
  }

  end(): void {
    if (this.toldMs !== undefined) this.say('a worker answers');
    this.toldMs = undefined;
  }
}

/** @param id - of the workflow that is waited for */
export async function tellSilence<T>(client: Client, id: string, wait: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  const asking = ask(client, id, over.signal).catch(() => undefined);
  try {
    return await wait();
  } finally {
    over.abort();
    void asking;
  }
}

async function ask(client: Client, id: string, over: AbortSignal): Promise<void> {
  const workflows = new JobWorkflows(client, ANSWER_LIMIT_MS);
  const silence = new Silence();
  while (!over.aborted) {
    await delay(ASK_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) return;
    try {
      await workflows.query(id, 'progress');
      silence.end();
    } catch (error) {
      if (!(error instanceof NoAnswerError) || over.aborted) continue;
      await silence.begin(async () => {
        const { taskQueue } = await client.workflow.getHandle(id).describe();
        return await missingWorker(client, taskQueue);
      });
    }
  }
}
