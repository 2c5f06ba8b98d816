/**
 * Child processes that never outlive this one. Each runs in a process group of its own, so that Ctrl-C in the
 * terminal reaches only us and we end our children in the order we want; and a guard (a small `sh`) ends
 * what is left of them when this process is gone, however it went, `kill -9` included.
 */
import { once } from 'node:events';
import { spawn, type ChildProcess } from 'node:child_process';

export interface ChildOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Called with each line of stdout. */
  onStdout?: (line: string) => void;
  /** Called with each line of stderr. */
  onStderr?: (line: string) => void;
}

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  /** Resolves when the process has ended and its output was read to the end. */
  readonly exited: Promise<ChildExit>;
  readonly running: boolean;
  /** Resolves with the first line of stdout that matches, rejects when the process ends before. */
  line(pattern: RegExp): Promise<string>;
  /** SIGKILL to the whole group, as a crash would. */
  kill(): Promise<ChildExit>;
  /** SIGTERM, and SIGKILL to the whole group after `graceMs` (default 5000). */
  stop(graceMs?: number): Promise<ChildExit>;
}

/** Those that run, in the order they were started. */
const running = new Set<Child>();
let closed = false;

/** Ends all children, the last started first, and lets none be started from now on. */
export async function stopAllChildren(): Promise<void> {
  closed = true;
  for (const child of [...running].reverse()) await child.stop();
  if (!guardProcess) return;
  guardProcess.ref();
  const gone = once(guardProcess, 'close');
  guardProcess.stdin?.end();
  await gone;
}

/** Starts `command` in a process group of its own, under the guard. */
export async function startChild(
  command: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<Child> {
  if (closed) throw new Error(`${command} is not started: everything is being stopped`);
  const child = spawn(command, args, {
    detached: true,
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`cannot start ${command}: ${error.message}`)));
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`cannot start ${command}`);
  guard().stdin?.write(`+ ${pid}\n`);

  let ended = false;
  const listeners = new Set<(line: string) => void>();
  const lastLines: string[] = [];
  readLines(child.stdout, (line) => {
    remember(line);
    options.onStdout?.(line);
    for (const listener of listeners) listener(line);
  });
  readLines(child.stderr, (line) => {
    remember(line);
    options.onStderr?.(line);
  });
  function remember(line: string): void {
    lastLines.push(line);
    if (lastLines.length > 20) lastLines.shift();
  }

  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', () => {
      ended = true;
    });
    child.once('close', (code, signal) => {
      signalGroup(pid, 'SIGKILL');
      guard().stdin?.write(`- ${pid}\n`);
      running.delete(self);
      resolve({ code, signal });
    });
  });

  const self: Child = {
    pid,
    exited,
    get running() {
      return !ended;
    },
    line(pattern) {
      return new Promise((resolve, reject) => {
        const seen = lastLines.find((line) => pattern.test(line));
        if (seen !== undefined) return resolve(seen);
        const listener = (line: string): void => {
          if (!pattern.test(line)) return;
          listeners.delete(listener);
          resolve(line);
        };
        listeners.add(listener);
        void exited.then(({ code, signal }) => {
          const reason = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
          reject(new Error([`${command} ${args.join(' ')} ${reason}`, ...lastLines].join('\n  ')));
        });
      });
    },
    kill() {
      signalGroup(pid, 'SIGKILL');
      return exited;
    },
    async stop(graceMs = 5000) {
      if (!ended) child.kill('SIGTERM');
      const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
  running.add(self);
  return self;
}

/** Sends a signal to every process of the group; one that is gone already is fine. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function readLines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  stream?.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}

// Reads "+ pid" and "- pid"; at the end of its input, which is the end of this process, it ends the groups still listed.
const GUARD_SCRIPT = `
trap '' INT TERM HUP
pids=
while read -r sign pid; do
  case $sign in
    +) pids="$pid $pids" ;;
    -) rest=; for p in $pids; do [ "$p" = "$pid" ] || rest="$rest $p"; done; pids=$rest ;;
  esac
done
for p in $pids; do kill -s TERM -- "-$p"; done
tries=0
while [ -n "$pids" ] && [ $tries -lt 50 ]; do
  rest=; for p in $pids; do kill -s 0 -- "-$p" && rest="$rest $p"; done; pids=$rest
  [ -z "$pids" ] || sleep 0.1
  tries=$((tries + 1))
done
for p in $pids; do kill -s KILL -- "-$p"; done
`;

let guardProcess: ChildProcess | undefined;

function guard(): ChildProcess {
  if (guardProcess) return guardProcess;
  guardProcess = spawn('/bin/sh', ['-c', GUARD_SCRIPT], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guardProcess.on('error', () => {});
  guardProcess.stdin?.on('error', () => {});
  // Neither the guard nor its pipe keeps this process alive.
  guardProcess.unref();
  (guardProcess.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return guardProcess;
}
