/** What `golem-temporal validate` does. */
import { specProblems } from '../model/spec-anywhere';
import { writePath } from '../model/spec-problems';
import { usageError } from './failure';
import { readSpecFile } from './spec-file';

export async function validate(file: string, options: { json?: boolean }): Promise<void> {
  const { value, placeOf } = await readSpecFile(file);
  const problems = specProblems(value);
  if (options.json) {
    const told = problems.map(({ problem, at }) => ({
      path: writePath(at),
      // The path is told above.
      problem: problem.replace(`${writePath(at)}: `, ''),
      ...lineAndColumn(placeOf(at)),
    }));
    console.log(JSON.stringify({ valid: problems.length === 0, problems: told }, null, 2));
  }
  if (problems.length > 0) {
    const count = problems.length === 1 ? '1 mistake' : `${problems.length} mistakes`;
    const lines = options.json ? [] : problems.map(({ problem, at }) => `${placeOf(at)}: ${problem}`);
    throw usageError([`${count} in ${file === '-' ? 'standard input' : file}`, ...lines].join('\n'));
  }
  if (options.json) return;
  console.log(`${file === '-' ? 'standard input' : file} is a sound job spec`);
}

function lineAndColumn(place: string): { line: number; column: number } {
  const [line, column] = place.split(':').slice(-2).map(Number);
  return { line: line ?? 1, column: column ?? 1 };
}
