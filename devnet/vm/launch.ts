/**
 * Starts one program of a VM and waits for its end, not for the end of what it left running in the background, even
 * when that still holds its stdout.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OutputSink } from './machine';

// The program becomes a child of a waiting shell, and that shell an orphan of the VM, so that the VM's first process
// buries it and with it gets the CPU time. The exit code and the CPU time of what it waited for come by descriptor 3.
// The trap lets the waiting shell outlive a program that signals its whole group.
const WAIT_FOR_PROGRAM = '( trap : TERM HUP INT; ( exec "$@" ) 3>&-; { echo $?; times; } >&3 ) &';

export interface Launch {
  /** Program and arguments that lead into the VM, if it takes any. */
  enter: string[];
  command: string[];
  environment: NodeJS.ProcessEnv;
  cwd?: string;
  output: OutputSink;
  /** Gets the process group in which it all runs. */
  onStart?(group: number): void;
}

export interface Ended {
  exitCode: number;
  /** CPU seconds of the program and of all of its descendants that were waited for. */
  seconds: number;
}

/** @returns undefined when whoever waited for the program was killed. */
export async function launch(launched: Launch): Promise<Ended | undefined> {
  const { enter, command, environment, cwd, output, onStart } = launched;
  const [program = '', ...args] = [...enter, '/bin/sh', '-c', WAIT_FOR_PROGRAM, 'sh', ...command];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: environment,
    cwd,
    detached: true,
  });
  // Pipes, as asked for; the type knows three at most.
  const [, stdout, stderr, report] = child.stdio as unknown as [null, Socket, Socket, Socket];
  stdout.on('data', output.stdout);
  stderr.on('data', output.stderr);
  let text = '';
  report.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const closed = Promise.allSettled([once(stdout, 'end'), once(stderr, 'end')]);
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
  if (child.pid !== undefined) onStart?.(child.pid);
  await Promise.race([once(report, 'end'), failed]);
  // What the program wrote is in the pipes by now, and read within a turn or two of the event loop.
  await Promise.race([closed, turns(3)]);
  for (const [stream, listener] of [
    [stdout, output.stdout],
    [stderr, output.stderr],
  ] as const) {
    stream.removeListener('data', listener);
    stream.resume();
    stream.unref();
  }
  return parseReport(text);
}

/** The exit code, and what `times` printed: the shell's own times, then those of its children. */
function parseReport(text: string): Ended | undefined {
  const [exitCode = '', , children = ''] = text.split('\n');
  if (!/^\d+$/.test(exitCode)) return undefined;
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (total, [, minutes, rest]) => total + Number(minutes) * 60 + Number(rest),
    0,
  );
  return { exitCode: Number(exitCode), seconds };
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await nextTurn();
}
