/** Refuses a job spec that no worker would take, before anything is started. */
import { FAILURES } from '../model/failures';
import { specProblems } from '../model/spec-anywhere';
import { isNewer } from '../model/spec-schema';
import { usageError } from './failure';
import type { SpecFile } from './spec-file';

/**
 * @param placeOf - where in a file a part is, if the spec is from one
 * @throws CliError - with a line for each mistake
 */
export function requireSound(spec: object, placeOf?: SpecFile['placeOf']): void {
  const problems = specProblems(spec);
  if (problems.length === 0) return;
  const lines = problems.map(({ problem, at }) => (placeOf ? `${placeOf(at)}: ${problem}` : problem));
  // That says what to do, and nothing in the file is to be corrected.
  if (isNewer((spec as { version?: unknown }).version)) throw usageError(lines.join('\n'));
  throw usageError(['InvalidJobSpec:', ...lines, FAILURES.InvalidJobSpec.action].join('\n'));
}
