/** The built command, as users run it. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { startChild, type Child } from '../../cli/child-process';
import { isStale } from '../../scripts/build';

export const CLI = join(__dirname, '..', '..', 'dist', 'cli', 'main.js');

/** @throws Error when dist is older than the sources: `npm test` builds, `npx jest` does not. */
export function requireBuild(): void {
  if (isStale()) throw new Error('dist is not built from the present sources: run `npm run build`');
}

export interface CliRun {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** `golem-temporal` as a bare process, for whoever reads its output in a way of their own. */
export function spawnCli(args: string[], env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...env } });
}

/** Runs `golem-temporal` to its end. */
export function runCli(
  args: string[],
  options: { env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<CliRun> {
  const child = spawnCli(args, options.env);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(options.input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Starts `golem-temporal` and leaves it running; end it with `stop` or `kill`. */
export function startCli(
  args: string[],
  env: NodeJS.ProcessEnv = {},
  onStderr?: (line: string) => void,
  onStdout?: (line: string) => void,
): Promise<Child> {
  const options = { env: { ...process.env, ...env }, onStderr, onStdout };
  return startChild(process.execPath, [CLI, ...args], options);
}
