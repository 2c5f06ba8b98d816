/**
 * Starts one program of a VM and waits for its end, not for the end of what it left running in the background, even
 * when that still holds its stdout.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OutputSink } from './machine';

// The program becomes a child of a waiting shell, and that shell an orphan of the VM, so that the VM's first process
// buries it and with it gets the CPU time. The exit code and the CPU time of what it waited for come by descriptor 3.
// The trap lets the waiting shell outlive a program that signals its whole group; what it has to say itself of a program's
// end is none of the program's stderr.
const WAIT_FOR_PROGRAM =
  '( trap : TERM HUP INT; exec 5>&2 2>/dev/null; ( exec "$@" 2>&5 5>&- ) 3>&-; { echo $?; times; } >&3 ) &';

// A shell cannot tell a program that a signal has ended from one that exits with 128 and more. util-linux's setsid exits
// with the bare wait status, and then says that its child did not exit normally; 128 in it is for a dumped core.
const WAIT_AND_TELL_SIGNALS = `( trap : TERM HUP INT
exec 4>&1 5>&2
said=$(exec setsid --fork --wait /bin/sh -c 'exec "$@" >&4 2>&5 4>&- 5>&-' sh "$@" 2>&1 3>&-)
code=$?
[ -z "$said" ] || code=$((code & 127))
{ echo $code; times; } >&3 ) &`;

let signalsAreTold: boolean | undefined;

/** Whether this machine has what it takes to tell a signal from an exit code. */
export function tellsSignals(): boolean {
  signalsAreTold ??= spawnSync('setsid', ['--fork', '--wait', '/bin/sh', '-c', 'kill -9 $$']).status === 9;
  return signalsAreTold;
}

export interface Launch {
  /** Program and arguments that lead into the VM, if it takes any. */
  enter: string[];
  command: string[];
  /**
   * A program that signal n has ended gets the exit code n, and runs in a session of its own; else it is 128 + n. Only
   * where {@link tellsSignals}.
   */
  bareSignals?: boolean;
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
  const { enter, command, bareSignals, environment, cwd, output, onStart } = launched;
  const wait = bareSignals ? WAIT_AND_TELL_SIGNALS : WAIT_FOR_PROGRAM;
  const [program = '', ...args] = [...enter, '/bin/sh', '-c', wait, 'sh', ...command];
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
