/** The folder that a flag names, or the one by default: made, or told in one line why it cannot be used. */
import { existsSync, rmdirSync } from 'node:fs';
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Option } from 'commander';
import { usageError } from './failure';
import { userFolder } from './user-folder';

/**
 * @returns the outermost folder that had to be made, if any
 * @throws CliError - it is a file, or cannot be made or written to
 */
export async function makeFolder(flag: string, folder: string): Promise<string | undefined> {
  try {
    const made = await make(resolve(folder));
    await access(folder, constants.W_OK | constants.X_OK);
    return made;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw usageError(`${flag} ${folder} cannot be used: ${REASONS[code ?? ''] ?? message}`);
  }
}

/** Takes back what {@link makeFolder} made, as far as it is empty still. */
export function removeMade(folder: string, made: string | undefined): void {
  if (made === undefined) return;
  try {
    for (let path = resolve(folder); path.startsWith(made); path = dirname(path)) {
      if (existsSync(path)) rmdirSync(path);
    }
  } catch {
    // Somebody put something there.
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
async function make(folder: string): Promise<string | undefined> {
  if (await isFolder(folder)) return undefined;
  const made = dirname(folder) === folder ? undefined : await make(dirname(folder));
  await mkdir(folder).catch(async (error: NodeJS.ErrnoException) => {
    // Somebody else was faster.
    if (error.code !== 'EEXIST' || !(await isFolder(folder))) throw error;
  });
  return made ?? folder;
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

/** `--data`: by default `$XDG_DATA_HOME/golem-temporal/<name>`, or that under `~/.local/share`. */
export function dataOption(what: string, name: string): Option {
  const folder = join('golem-temporal', name);
  // The same text on every machine: docs/cli.md has it.
  return new Option('--data <folder>', what).default(
    join(userFolder('XDG_DATA_HOME'), folder),
    `${folder} in XDG_DATA_HOME, or in ~/.local/share`,
  );
}
