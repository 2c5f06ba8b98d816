/**
 * Python and Go, for the examples in these languages: whether they are here, and what it takes to run an example.
 * Packages of Python are kept in the project's cache; Go keeps its own.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startChild } from '../../cli/child-process';
import { cachedTemporalPath } from '../../cli/temporal-binary';

export interface Toolchain {
  /** Why it can't be used here; undefined where it can. */
  missing?: string;
}

const PYTHON_CHECK = 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))';

export const python: Toolchain = {
  missing: answers('python3', ['-c', PYTHON_CHECK])
    ? undefined
    : 'this machine has no Python 3.10 with its venv',
};

/** The version that the example's go.mod asks for. */
export const go: Toolchain = {
  missing: goVersion() >= 23 ? undefined : 'this machine has no Go 1.23',
};

/** @returns folder of a venv that has the packages of a requirements file, taken from the cache where it has them */
export async function venvWith(requirements: string): Promise<string> {
  const version = spawnSync('python3', ['-c', 'import sys; print(sys.prefix, sys.version)']).stdout;
  const key = createHash('sha256')
    .update(version)
    .update(await readFile(requirements));
  const caches = dirname(dirname(cachedTemporalPath()));
  const folder = join(caches, `python-${key.digest('hex').slice(0, 16)}`);
  const interpreter = join(folder, 'bin', 'python');
  if (existsSync(interpreter)) return folder;
  // Made beside it and moved: it is there whole or not at all.
  const made = `${folder}-${randomUUID()}`;
  try {
    await mkdir(caches, { recursive: true });
    await finish('python3', ['-m', 'venv', made]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', '--requirement', requirements];
    await finish(join(made, 'bin', 'python'), pip);
    await rename(made, folder).catch((error: unknown) => {
      if (!existsSync(interpreter)) throw error;
    });
    return folder;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/** @throws Error with the last of what it has printed, when it fails */
async function finish(command: string, args: string[]): Promise<void> {
  const printed: string[] = [];
  const onLine = (line: string): unknown => printed.push(line);
  const child = await startChild(command, args, { onStdout: onLine, onStderr: onLine });
  const { code } = await child.exited;
  if (code !== 0) throw new Error([`${command} ${args.join(' ')}`, ...printed.slice(-10)].join('\n'));
}

function answers(command: string, args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}

/** Its second number, of 1.23 for instance; 0 where there is no Go. */
function goVersion(): number {
  const { stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  return Number(/^go1\.(\d+)/.exec(stdout ?? '')?.[1] ?? 0);
}
