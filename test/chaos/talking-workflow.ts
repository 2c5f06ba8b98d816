/** A user's own workflow that rents a VM and talks to it. */
import { rentGolemVm, type RentalSpec, type ScriptOutcome } from '../../workflow-helpers';

/** @returns what each script came to, each time that it was sent: one that is uncertain is sent again */
export async function talking(
  spec: RentalSpec,
  scripts: string[][],
  options: { taskQueue: string; workflowId: string },
): Promise<ScriptOutcome[][]> {
  const rental = await rentGolemVm(spec, options);
  const all: ScriptOutcome[][] = [];
  for (const commands of scripts) {
    const outcomes: ScriptOutcome[] = [];
    do outcomes.push(await rental.executeScript(commands));
    while (outcomes.at(-1)?.state === 'uncertain');
    all.push(outcomes);
  }
  await rental.terminate('that was all');
  return all;
}
