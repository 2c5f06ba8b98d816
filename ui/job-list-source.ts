/** The list of jobs, read again and again while somebody looks at it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { GolemClient, ListedJob } from '../client/index';
import type { Amount } from '../model/ids';
import { spentOf } from './cost-curve';
import { LiveSource } from './live';
import { troubleOf } from './trouble';

const JOBS_SHOWN = 50;
const ASK_EVERY_MS = 2_000;
const ASK_RARELY_MS = 15_000;
/** All of a list may take so long. */
const ANSWER_LIMIT_MS = 20_000;

export class JobListSource extends LiveSource {
  constructor(
    private readonly golem: GolemClient,
    lingerMs: number,
  ) {
    super(lingerMs);
  }

  protected async read(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const askedMs = performance.now();
      try {
        const page = await jobsPage(this.golem);
        if (signal.aborted) return;
        this.tell('jobs', page);
        this.tell('trouble', null);
      } catch (error) {
        const trouble = await troubleOf(this.golem, error);
        if (signal.aborted) return;
        this.tell('trouble', trouble);
      }
      // Who looks on takes no more than half of the workers' time.
      const waitMs = Math.min(Math.max(ASK_EVERY_MS, performance.now() - askedMs), ASK_RARELY_MS);
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** A page of the list; `spent` is what a job has cost by now, GLM. @throws what `GolemClient.jobs` throws */
export async function jobsPage(
  golem: GolemClient,
  after?: string,
): Promise<{ jobs: (ListedJob & { spent?: Amount })[]; cursor?: string }> {
  const { jobs, cursor } = await golem.client.withDeadline(Date.now() + ANSWER_LIMIT_MS, () =>
    golem.jobs({ limit: JOBS_SHOWN, after }),
  );
  const listed = jobs.map((job) => {
    const { money, cost } = job;
    return money ? { ...job, spent: spentOf({ money, cost }) } : job;
  });
  return { jobs: listed, cursor };
}
