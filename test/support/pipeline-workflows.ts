/** A user's workflows file: one of their own that runs a Golem job, and ours beside it. */
import { executeGolemJob, type JobSpec } from '../../workflow-helpers';

export * from '../../workflows';

export async function pipeline(
  spec: JobSpec,
  taskQueue: string,
): Promise<{ printed: (string | null)[]; phases: string[] }> {
  const phases: string[] = [];
  const result = await executeGolemJob(spec, { taskQueue, onProgress: ({ phase }) => phases.push(phase) });
  return { printed: result.tasks.map((task) => task.results[0]?.stdout ?? null), phases };
}
