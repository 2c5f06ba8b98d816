/** Processes as /proc shows them: their CPU time, and which there are. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

let ticks: number | undefined;

function ticksPerSecond(): number {
  if (ticks === undefined) {
    try {
      ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || 100;
    } catch {
      ticks = 100;
    }
  }
  return ticks;
}

export interface ProcessTimes {
  pid: number;
  group: number;
  /** Own CPU seconds plus those of all descendants it has waited for. */
  seconds: number;
}

/** Undefined when there is no such process (any more). */
export function processTimes(procDir: string, pid: number): ProcessTimes | undefined {
  let stat: string;
  try {
    stat = readFileSync(`${procDir}/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The command's name, in parentheses, may hold anything: fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const sum = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
  return { pid, group: Number(fields[2]), seconds: sum / ticksPerSecond() };
}

export function processIds(procDir: string): number[] {
  return readdirSync(procDir)
    .map(Number)
    .filter((pid) => pid > 0);
}

/**
 * CPU seconds of a whole PID namespace, from its own /proc. Nothing is missed or counted twice: a process's time moves
 * to its parent when it is waited for, and orphans are waited for by the namespace's first process.
 * Undefined when it is not there to be read.
 */
export function namespaceSeconds(procDir: string): number | undefined {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      const before = processTimes(procDir, 1);
      const pids = processIds(procDir);
      const times = pids.map((pid) => processTimes(procDir, pid));
      const after = processTimes(procDir, 1);
      if (!before || !after) return undefined;
      // A process that ended in between has been counted twice or not at all: look again.
      const steady = before.seconds === after.seconds && times.every((time) => time !== undefined);
      if (steady || attempt === 4) return times.reduce((total, time) => total + (time?.seconds ?? 0), 0);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** Stops processes, or lets them go on; one that has ended is left out. */
export function freezeProcesses(pids: readonly number[], frozen: boolean): void {
  for (const pid of pids) {
    try {
      process.kill(pid, frozen ? 'SIGSTOP' : 'SIGCONT');
    } catch {
      // It ended in the meantime.
    }
  }
}
