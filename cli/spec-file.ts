/**
 * Reads a job spec, or a script, from a file or, for `-`, from standard input: YAML, or JSON with or without comments. It
 * knows at which line each part is; what the parts say is checked elsewhere.
 */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileProblem } from '../model/file-problem';
import { parseJsonText } from '../model/json-text';
import type { Path } from '../model/spec-problems';
import { usageError } from './failure';
import { readJsonWithComments, readYaml, type PlacedText } from './placed-text';

export interface SpecFile {
  value: object;
  /** `job.yaml:3:5`, of the part at a path, or else of what it should be in. */
  placeOf(path: Path): string;
}

/** @throws CliError - it cannot be read, or holds something else than one object */
export async function readSpecFile(file: string, what = 'job spec'): Promise<SpecFile> {
  const { name, content } = await read(file, what);
  const isJson = /^\s*[{[]/.test(content) || /\.jsonc?$/i.test(file);
  let placed: PlacedText;
  try {
    placed = isJson ? readJsonWithComments(content) : readYaml(content);
  } catch (error) {
    const wanted = isJson ? 'JSON' : 'YAML, nor JSON';
    throw usageError(`${name} is not ${wanted}: ${(error as Error).message}`);
  }
  const { value } = placed;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usageError(`${name} is not a ${what}: it must hold one object, in YAML or JSON`);
  const placeOf = (path: Path): string => {
    const { line, column } = placed.placeOf(path);
    return `${name}:${line}:${column}`;
  };
  return { value, placeOf };
}

/** @param what - names what the file should hold */
export async function readJsonFile(file: string, what: string): Promise<object> {
  const { name, content } = await read(file, what);
  let value: unknown;
  try {
    value = parseJsonText(content);
  } catch (error) {
    throw usageError(`${name} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw usageError(`${name} is not a ${what}: it must hold one JSON object`);
  }
  return value;
}

async function read(file: string, what: string): Promise<{ name: string; content: string }> {
  if (file === '') throw usageError(`no file is named for the ${what}`);
  const content =
    file === '-'
      ? await text(process.stdin)
      : await readFile(file, 'utf8').catch((error: unknown) => {
          throw usageError(`cannot read ${file}: ${fileProblem(error)}`);
        });
  return { name: file === '-' ? 'standard input' : file, content };
}
