/**
 * Finds Temporal's command line tool, which holds the development server, or gets it: from PATH, from the
 * project's cache, by the SDK's own download, or built with Go. Whatever is fetched or built lands in the cache.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  access,
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startChild } from './child-process';
import { userFolder } from './user-folder';

/** The newest release that `go install` accepts; later ones have `replace` lines in their go.mod. */
const GO_PACKAGE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
/** A download that brings nothing for so long is given up. */
const DOWNLOAD_STALL_MS = 10_000;

export interface TemporalBinaryOptions {
  env?: NodeJS.ProcessEnv;
  /** Told what happens when it takes time; one line each. */
  onProgress?: (line: string) => void;
  /** False: do not try the SDK's download. Default true. */
  download?: boolean;
}

/** Path of the project's own copy: `$GOLEM_TEMPORAL_CACHE/bin/temporal`, by default under `~/.cache/golem-temporal`. */
export function cachedTemporalPath(env: NodeJS.ProcessEnv = process.env): string {
  const cache = env.GOLEM_TEMPORAL_CACHE || join(userFolder('XDG_CACHE_HOME', env), 'golem-temporal');
  // Go takes no other.
  return resolve(cache, 'bin', 'temporal');
}

/**
 * @returns the path of a `temporal` that can be run.
 * @throws Error that says what to install, when there is none and none can be had.
 */
export async function findTemporalBinary(options: TemporalBinaryOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const onProgress = options.onProgress ?? (() => {});
  const cached = cachedTemporalPath(env);
  const present = (await onPath('temporal', env)) ?? ((await isExecutable(cached)) ? cached : undefined);
  if (present) return present;

  await mkdir(dirname(cached), { recursive: true });
  const unlock = await lock(`${cached}.lock`, onProgress);
  try {
    if (await isExecutable(cached)) return cached;
    const work = await mkdtemp(`${cached}-`);
    try {
      const reasons: string[] = [];
      for (const get of options.download === false ? [goInstall] : [download, goInstall]) {
        const got = await get(work, env, onProgress).catch((error: unknown) => {
          reasons.push(error instanceof Error ? error.message : String(error));
          onProgress(`${reasons.at(-1)}`);
        });
        if (!got) continue;
        await chmod(got, 0o755);
        await rename(got, cached);
        return cached;
      }
      throw new Error(
        "Temporal's command line tool is needed and could not be had. Install it so that `temporal` is on PATH " +
          '(https://docs.temporal.io/cli), or install Go 1.23 or newer and try again.\n  ' +
          reasons.join('\n  '),
      );
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  } finally {
    await unlock();
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK)
    .then(async () => (await stat(path)).isFile())
    .catch(() => false);
}

async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/** The test package of Temporal's SDK can download the tool; it is there in a checkout, not in an installed package. */
async function download(
  work: string,
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<string | undefined> {
  const sdk = resolveTesting();
  if (!sdk) throw new Error('download by the Temporal SDK: @temporalio/testing is not installed here');
  onProgress('getting Temporal: trying the download of its SDK');
  // A process of its own: the SDK's download cannot be cancelled, a process can.
  const child = await startChild(process.execPath, ['-e', DOWNLOAD_SCRIPT, sdk, work], { env });
  let timer: NodeJS.Timeout | undefined;
  let stalled = false;
  const watch = async (seenBytes: number): Promise<void> => {
    const bytes = await folderBytes(work);
    if (!child.running) return;
    if (bytes > seenBytes) {
      if (seenBytes > 0) onProgress(`getting Temporal: ${Math.round(bytes / 1e6)} MB`);
      timer = setTimeout(() => void watch(bytes), DOWNLOAD_STALL_MS);
    } else {
      stalled = true;
      await child.kill();
    }
  };
  timer = setTimeout(() => void watch(0), DOWNLOAD_STALL_MS);
  const { code } = await child.exited;
  clearTimeout(timer);
  const file = (await readdir(work)).find((name) => name.startsWith('temporal-'));
  if (code === 0 && file) return join(work, file);
  throw new Error(`download by the Temporal SDK: ${stalled ? 'nothing arrives' : 'not possible from here'}`);
}

// Starts the server the download belongs to, which fetches it first, and ends it again.
const DOWNLOAD_SCRIPT = `
const [sdk, downloadDir] = process.argv.slice(1);
const { TestWorkflowEnvironment } = require(sdk);
TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'cached-download', downloadDir } } })
  .then((env) => env.teardown())
  .then(() => process.exit(0), () => process.exit(1));
`;

function resolveTesting(): string | undefined {
  try {
    return require.resolve('@temporalio/testing');
  } catch {
    return undefined;
  }
}

async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (entry) => entry.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function goInstall(
  work: string,
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<string | undefined> {
  const go = await onPath('go', env);
  if (!go) throw new Error('build with Go: no `go` on PATH');
  onProgress('getting Temporal: building it with Go, once, in about 5 minutes');
  const started = Date.now();
  let downloaded = 0;
  let compiled = 0;
  const timer = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1000);
    onProgress(
      `getting Temporal: ${seconds} s, ${downloaded} modules downloaded, ${compiled} packages compiled`,
    );
  }, 15_000);
  const errors: string[] = [];
  try {
    // -v prints each package as it is compiled; -s -w leaves the debug tables out, which halves the file.
    const child = await startChild(go, ['install', '-v', '-ldflags=-s -w', GO_PACKAGE], {
      env: { ...env, GOBIN: work },
      onStderr: (line) => {
        if (line.startsWith('go: downloading')) downloaded++;
        else if (/^[\w.-]+(\/[\w.~-]+)*$/.test(line)) compiled++;
        else errors.push(line);
      },
    });
    const { code } = await child.exited;
    if (code !== 0) throw new Error(`build with Go: ${errors.slice(-3).join(' ') || `exit code ${code}`}`);
    onProgress(`getting Temporal: built in ${Math.round((Date.now() - started) / 1000)} s`);
    return join(work, 'temporal');
  } finally {
    clearInterval(timer);
  }
}

/** One getter at a time across processes; a lock whose holder is gone is taken over. */
async function lock(path: string, onProgress: (line: string) => void): Promise<() => Promise<void>> {
  for (let waited = 0; ; waited++) {
    // The lock appears with its holder's pid in it, or not at all.
    const mine = `${path}.${randomUUID()}`;
    await writeFile(mine, String(process.pid));
    try {
      await link(mine, path);
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await rm(mine, { force: true });
    }
    const content = await readFile(path, 'utf8').catch(() => undefined);
    // Just released.
    if (content === undefined) continue;
    const holder = Number(content);
    if (!(holder > 0) || !isAlive(holder)) {
      await rm(path, { force: true });
      continue;
    }
    if (waited % 30 === 0) onProgress('getting Temporal: another process is at it, waiting');
    await delay(1000);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
