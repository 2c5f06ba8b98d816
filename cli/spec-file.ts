/** Reads a job spec, or a script, from a file or, for `-`, from standard input. What it says is checked by the worker. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileProblem } from '../model/file-problem';
import { parseJsonText } from '../model/json-text';
import { usageError } from './failure';

export function readSpecFile(file: string): Promise<object> {
  return readJsonFile(file, 'job spec');
}

/** @param what - names what the file should hold */
export async function readJsonFile(file: string, what: string): Promise<object> {
  if (file === '') throw usageError(`no file is named for the ${what}`);
  const content =
    file === '-'
      ? await text(process.stdin)
      : await readFile(file, 'utf8').catch((error: unknown) => {
          throw usageError(`cannot read ${file}: ${fileProblem(error)}`);
        });
  const name = file === '-' ? 'standard input' : file;
  let spec: unknown;
  try {
    spec = parseJsonText(content);
  } catch (error) {
    throw usageError(`${name} is not JSON: ${(error as Error).message}`);
  }
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) {
    throw usageError(`${name} is not a ${what}: it must hold one JSON object`);
  }
  return spec;
}
