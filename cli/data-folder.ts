/** Makes the folder that a flag names, or says in one line why it cannot be used. */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { usageError } from './failure';

/** @throws CliError - it is a file, or cannot be made or written to */
export async function makeFolder(flag: string, folder: string): Promise<void> {
  try {
    await make(resolve(folder));
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw usageError(`${flag} ${folder} cannot be used: ${REASONS[code ?? ''] ?? message}`);
  }
}

const REASONS: Record<string, string> = {
  ENOTDIR: 'it is a file, or lies in one',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'you may not write there',
  ENOENT: 'it cannot be made there',
};

/** One folder after the other: node's recursive mkdir never ends in places such as /proc. */
async function make(folder: string): Promise<void> {
  if (await isFolder(folder)) return;
  if (dirname(folder) !== folder) await make(dirname(folder));
  await mkdir(folder).catch(async (error: NodeJS.ErrnoException) => {
    // Somebody else was faster.
    if (error.code !== 'EEXIST' || !(await isFolder(folder))) throw error;
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  throw Object.assign(new Error(`${path} is no folder`), { code: 'ENOTDIR' });
}
