/** A user's workflows file: some of their own that use Golem, and ours beside them. */
import { ApplicationFailure } from '@temporalio/workflow';
import {
  executeGolemJob,
  rentGolemVm,
  type JobSpec,
  type RentalSpec,
  type ScriptOutcome,
} from '../../workflow-helpers';

export * from '../../workflows';

export async function pipeline(
  spec: JobSpec,
  taskQueue: string,
): Promise<{ printed: (string | null)[]; phases: string[] }> {
  const phases: string[] = [];
  const result = await executeGolemJob(spec, { taskQueue, onProgress: ({ phase }) => phases.push(phase) });
  return { printed: result.tasks.map((task) => task.results[0]?.stdout ?? null), phases };
}

/** Rents a VM, runs scripts in it one after the other, and ends it. */
export async function conversation(
  spec: RentalSpec,
  scripts: string[],
  options: { taskQueue: string; workflowId: string },
): Promise<ScriptOutcome[]> {
  const rental = await rentGolemVm(spec, options);
  const outcomes: ScriptOutcome[] = [];
  for (const script of scripts) outcomes.push(await rental.executeScript([script], { timeoutSec: 60 }));
  await rental.terminate('that was all');
  await rental.executeScript(['true']).then(
    () => {
      throw ApplicationFailure.nonRetryable('a rental that is over takes scripts');
    },
    () => undefined,
  );
  return outcomes;
}
