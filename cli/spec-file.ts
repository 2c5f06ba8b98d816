/** Reads a job spec from a file or, for `-`, from standard input. What it says is checked by the worker. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { usageError } from './failure';

const WHY: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'it is a folder' };

export async function readSpecFile(file: string): Promise<object> {
  const content =
    file === '-'
      ? await text(process.stdin)
      : await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
          throw usageError(`cannot read ${file}: ${WHY[error.code ?? ''] ?? error.message}`);
        });
  const name = file === '-' ? 'standard input' : file;
  let spec: unknown;
  try {
    // Editors on Windows begin a file with a byte-order mark.
    spec = JSON.parse(content.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw usageError(`${name} is not JSON: ${(error as Error).message}`);
  }
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) {
    throw usageError(`${name} is not a job spec: it must hold one JSON object`);
  }
  return spec;
}
