/** Follows a job to its end and keeps a view of it current. */
import { setTimeout as delay } from 'node:timers/promises';
import { NoAnswerError, type GolemClient } from '../client/index';
import type { JobProgress, JobResult } from '../model/result';
import type { JobView } from './job-view';
import { Silence } from './tell-silence';

/** Temporal tells nobody when a query's answer changes, so it is asked. */
const ASK_EVERY_MS = 1_000;

export interface WatchOptions {
  /** Ends the watching; the job goes on. */
  signal?: AbortSignal;
  onProgress?: (progress: JobProgress) => void;
  /** What to do where no worker is; undefined where one was there a moment ago. */
  missing?: () => Promise<string | undefined>;
}

/** @throws what `GolemClient.result` throws when the job fails, and an AbortError when `signal` ends it. */
export async function watchJob(
  client: GolemClient,
  jobId: string,
  view: JobView,
  options: WatchOptions = {},
): Promise<JobResult> {
  options.signal?.throwIfAborted();
  const ended = new AbortController();
  const result = client.result(jobId).finally(() => ended.abort());
  const aborted = new Promise<never>((_, reject) => {
    options.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error), { once: true });
  });
  const asking = ask(client, jobId, view, ended.signal, options);
  try {
    const value = await Promise.race([result, aborted]);
    await asking;
    await show(client, jobId, view, options);
    return value;
  } finally {
    ended.abort();
    // Nobody may be left to hear of a failure that comes after the watching ended.
    result.catch(() => {});
    view.stop();
  }
}

async function ask(
  client: GolemClient,
  jobId: string,
  view: JobView,
  ended: AbortSignal,
  options: WatchOptions,
): Promise<void> {
  const silence = new Silence((line) => view.print(line));
  while (!ended.aborted) {
    await show(client, jobId, view, options, silence);
    await delay(ASK_EVERY_MS, undefined, { signal: ended }).catch(() => {});
  }
}

/** A query needs a worker; while none answers, the view keeps what it shows, and says so. */
async function show(
  client: GolemClient,
  jobId: string,
  view: JobView,
  options: WatchOptions,
  silence?: Silence,
): Promise<void> {
  let progress: JobProgress;
  try {
    progress = await client.progress(jobId);
  } catch (error) {
    if (error instanceof NoAnswerError) await silence?.begin(options.missing);
    return;
  }
  silence?.end();
  view.update(progress);
  options.onProgress?.(progress);
}
