/** Refuses a job spec that no worker would take, before anything is started. */
import { FAILURES } from '../model/failures';
import { specProblems } from '../model/spec-anywhere';
import { usageError } from './failure';

/** @throws CliError - with a line for each mistake */
export function requireSound(spec: object): void {
  const problems = specProblems(spec);
  if (problems.length === 0) return;
  throw usageError(['InvalidJobSpec:', ...problems, FAILURES.InvalidJobSpec.action].join('\n'));
}
