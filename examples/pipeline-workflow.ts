import { executeChild } from '@temporalio/workflow';
import type { JobResult, JobSpec } from 'golem-temporal';

/** In your own worker; what it hands to Golem is done by a worker of golem-temporal, as a child workflow. */
export async function squares(numbers: number[]): Promise<string[]> {
  const tasks = numbers.map((n) => `awk 'BEGIN { print ${n} * ${n} }'`);
  const job: JobSpec = { image: 'golem/alpine:latest', budget: '1', tasks };
  const result: JobResult = await executeChild('golemJob', { taskQueue: 'golem', args: [job] });
  return result.tasks.map((task) => task.results[0]?.stdout?.trim() ?? task.state);
}
