/** Fetch, split, compute on Golem, merge, publish. */
import {
  ActivityCancellationType,
  ApplicationFailure,
  CancellationScope,
  defineQuery,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { executeGolemJob, type JobProgress } from 'golem-temporal/workflow-helpers';
import type * as activities from './activities';
import { merge, type Report } from './merge';

export interface Order {
  /** URL of the readings: lines of `station,tenths of a degree`. */
  source: string;
  /** URL of a storage that takes files by PUT. Providers read from it, too. */
  storage: string;
  parts: number;
}

export const progressQuery = defineQuery<JobProgress | undefined>('progress');

const { fetchSource, split, publish, remove } = proxyActivities<typeof activities>({
  startToCloseTimeout: '5 minutes',
  // When cancelled, what they have begun to write is written before the clean-up.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** Runs in a VM for one part: `station,count,sum,min,max`, a line a station. */
const STATISTICS = `awk -F, -v OFS=, '
  $2 !~ /^-?[0-9]+$/ { print "not a reading: " $0 > "/dev/stderr"; failed = 1; exit 1 }
  { if (!n[$1]++) { min[$1] = max[$1] = $2 + 0 }
    sum[$1] += $2
    if ($2 < min[$1]) min[$1] = $2 + 0
    if ($2 > max[$1]) max[$1] = $2 + 0 }
  END { if (!failed) for (s in n) print s, n[s], sum[s], min[s], max[s] }' /golem/input/part.csv`;

// region compute
async function compute(parts: string[], onProgress: (progress: JobProgress) => void): Promise<string[]> {
  const spec = {
    image: 'golem/alpine:latest',
    budget: '1',
    tasks: parts.map((from) => ({
      commands: [{ transfer: { from, to: '/golem/input/part.csv' } }, STATISTICS],
      timeoutSec: 600,
    })),
  };
  const workflowId = `${workflowInfo().workflowId}-golem`;
  const job = await executeGolemJob(spec, { workflowId, onProgress });
  return job.tasks.map(({ name, state, failure, results }) => {
    if (state === 'done') return results[1]?.stdout ?? '';
    const stderr = results.at(-1)?.stderr ?? '';
    throw ApplicationFailure.nonRetryable(`${name}: ${failure?.message} ${stderr}`, 'ComputeFailed');
  });
}
// endregion

export async function pipeline({ source, storage, parts: count }: Order): Promise<Report & { url: string }> {
  let progress: JobProgress | undefined;
  setHandler(progressQuery, () => progress);

  const folder = `${storage}/${workflowInfo().workflowId}`;
  const snapshot = `${folder}/source.csv`;
  const parts = Array.from({ length: count }, (_, n) => `${folder}/part-${n + 1}.csv`);
  const url = `${folder}/report.json`;
  try {
    await fetchSource(source, snapshot);
    await split(snapshot, parts);
    const outputs = await compute(parts, (now) => (progress = now));
    const report = merge(outputs);
    await publish(report, url);
    return { ...report, url };
  } finally {
    // Also when it is cancelled: then the job has ended by now, and nobody reads these any more.
    await CancellationScope.nonCancellable(() => remove([snapshot, ...parts]));
  }
}
