/**
 * A VM without namespaces, for kernels that allow none: its programs are child processes that see this machine's own
 * file system. `/golem` in program, arguments and transfers stands for the VM's directory, by rewriting the text; a
 * path that a program makes up itself is not rewritten. What it started is ended by process group and, on Linux, also
 * what left its group. Should the daemon be killed, a keeper process does that, for the groups, in its place.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { launch } from './launch';
import {
  connectHere,
  environment,
  MachineGone,
  rootOf,
  type Machine,
  type MachineOptions,
  type OutputSink,
} from './machine';
import { freezeProcesses, processIds, processTimes } from './process-times';
import { REMOVE_TREE, removeTree } from './remove-tree';

// $1: the VM's directory, $2: its mark. Where /proc tells environments, the VM's processes are known by the mark, else by
// the files in `groups`, which are named after process groups that may be alive. Two rounds, for what the first missed.
const KEEPER = `
cat <&3 >/dev/null
if [ -r /proc/self/environ ]; then
  for round in 1 2; do
    for process in /proc/[0-9]*; do
      if grep -Fqs "$2" "$process/environ"; then kill -9 "\${process#/proc/}" 2>/dev/null; fi
    done
  done
else
  for group in "$1"/groups/*; do kill -9 "-\${group##*/}" 2>/dev/null; done
fi
${REMOVE_TREE}
`;

/** Environment variable by which a VM's processes are recognised. */
const MARK = 'GOLEM_VM';

export class PlainMachine implements Machine {
  readonly root: string;
  readonly gone: Promise<void>;
  private announceGone: () => void = () => undefined;
  private ending = false;
  private endedSeconds = 0;
  private seconds = 0;
  private readonly groups = new Set<number>();
  private readonly keeper: ChildProcess;
  private readonly keeperExit: Promise<unknown>;

  static start(options: MachineOptions): Promise<PlainMachine> {
    return Promise.resolve(new PlainMachine(options));
  }

  private constructor(private readonly options: MachineOptions) {
    this.root = rootOf(options.directory);
    for (const path of ['golem/input', 'golem/work', 'golem/output', 'tmp', 'home']) {
      mkdirSync(join(this.root, path), { recursive: true });
    }
    mkdirSync(join(options.directory, 'groups'));
    this.gone = new Promise((resolve) => (this.announceGone = resolve));
    this.keeper = spawn('/bin/sh', ['-c', KEEPER, 'keeper', options.directory, this.mark], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      env: environment('/'),
      detached: true,
    });
    this.keeperExit = once(this.keeper, 'exit');
  }

  async run(program: string, args: readonly string[], output: OutputSink): Promise<number> {
    if (this.ending) throw new MachineGone();
    this.forgetDeadGroups();
    const ended = await launch({
      enter: [],
      command: [program, ...args].map((text) => this.rewrite(text)),
      cwd: join(this.root, 'golem', 'work'),
      environment: {
        ...environment(join(this.root, 'home')),
        [MARK]: this.root,
        TMPDIR: join(this.root, 'tmp'),
      },
      output,
      onStart: (pid) => {
        this.groups.add(pid);
        writeFileSync(this.groupFile(pid), '');
      },
    });
    this.endedSeconds += ended?.seconds ?? 0;
    this.forgetDeadGroups();
    if (ended) return ended.exitCode;
    if (this.ending) throw new MachineGone();
    return 137;
  }

  connect(_networkId: string, port: number, signal: AbortSignal): Promise<Socket> {
    return connectHere(port, signal);
  }

  cpuSeconds(): number {
    if (!this.ending) this.seconds = Math.max(this.seconds, this.endedSeconds + this.livingSeconds());
    return this.seconds;
  }

  freeze(frozen: boolean): void {
    const marked = this.marked();
    freezeProcesses(marked.length > 0 ? marked : [...this.groups].map((group) => -group), frozen);
  }

  async destroy(): Promise<void> {
    if (!this.ending) {
      this.cpuSeconds();
      this.ending = true;
      this.forgetDeadGroups();
      for (const group of this.groups) killQuietly(-group);
      // Each round finds what the processes of the one before had started meanwhile.
      for (let left = this.marked(); left.length > 0; left = this.marked()) left.forEach(killQuietly);
    }
    this.keeper.stdio[3]?.destroy();
    await this.keeperExit;
    try {
      await removeTree(this.options.directory);
    } finally {
      this.announceGone();
    }
  }

  /** Their numbers may be given to others. */
  private forgetDeadGroups(): void {
    for (const group of this.groups) {
      if (groupAlive(group)) continue;
      this.groups.delete(group);
      rmSync(this.groupFile(group), { force: true });
    }
  }

  private get mark(): string {
    return `${MARK}=${this.root}`;
  }

  private groupFile(group: number): string {
    return join(this.options.directory, 'groups', String(group));
  }

  private rewrite(text: string): string {
    return text.replace(
      /(^|[^\w./-])\/golem(?=\/|$|[^\w.-])/g,
      (_all, before: string) => `${before}${this.root}/golem`,
    );
  }

  /** CPU seconds of living processes. On macOS and the like, of those in the VM's groups, by `ps`. */
  private livingSeconds(): number {
    if (existsSync('/proc/self/stat')) {
      const times = this.marked().map((pid) => processTimes('/proc', pid));
      return times.reduce((total, time) => total + (time?.seconds ?? 0), 0);
    }
    const lines = execFileSync('ps', ['-A', '-o', 'pgid=,time='], { encoding: 'utf8' }).trim().split('\n');
    return lines.reduce((total, line) => {
      const [group = '', time = ''] = line.trim().split(/\s+/);
      if (!this.groups.has(Number(group))) return total;
      return total + time.split(/[:-]/).reduce((sum, part) => sum * 60 + Number(part), 0);
    }, 0);
  }

  /** Living processes that inherited the VM's mark, in whatever group; only Linux can tell. */
  private marked(): number[] {
    if (!existsSync('/proc/self/environ')) return [];
    return processIds('/proc').filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(this.mark);
      } catch {
        return false;
      }
    });
  }
}

function groupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in the meantime.
  }
}
