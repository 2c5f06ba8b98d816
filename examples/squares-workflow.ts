import { executeGolemJob } from 'golem-temporal/workflow-helpers';

/** A workflow of your own, on a worker of your own: it needs nothing but Temporal. */
export async function squares(numbers: number[]): Promise<string[]> {
  const { tasks } = await executeGolemJob({
    image: 'golem/alpine:latest',
    budget: '1',
    tasks: numbers.map((n) => `awk 'BEGIN { print ${n} * ${n} }'`),
  });
  return tasks.map((task) => task.results[0]?.stdout?.trim() ?? task.state);
}
