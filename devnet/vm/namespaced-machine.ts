/**
 * A VM with mount, PID and IPC namespaces of its own, and a network namespace if it is in virtual networks. Its first
 * process builds a root directory (this machine's programs read-only, /golem and /tmp its own), and holds the namespaces
 * until it is killed or the daemon's end of a pipe closes; with it the kernel ends every process of the VM, daemonised
 * ones too. Programs enter by nsenter.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connectHere,
  environment,
  MachineGone,
  rootOf,
  type Machine,
  type MachineOptions,
  type OutputSink,
} from './machine';
import { lastWords } from './last-words';
import { launch, tellsSignals } from './launch';
import { freezeProcesses, namespaceSeconds, processIds } from './process-times';
import { REMOVE_TREE, removeTree } from './remove-tree';
import type { Membership, VirtualNetworks } from './virtual-networks';

// $1: the root directory, $2: the kind of namespaces, $3: what of this machine is not shown. Prints the first process's id as this machine knows it, which is all that /proc says before
// the VM's own is mounted. `wait` also buries orphans, so that their CPU time is counted where it belongs; a killed
// `cat` is started again.
const FIRST_PROCESS = `
set -e
read -r pid rest </proc/self/stat
mount --bind "$1" "$1"
cd "$1"
for name in usr bin sbin lib lib32 lib64 libx32 etc opt nix; do
  if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$name"
  elif [ -d "/$name" ]; then
    mkdir "$name"
    mount --rbind "/$name" "$name"
    mount -o remount,bind,ro "$name" 2>/dev/null || [ "$2" = user ]
  fi
done
if [ -d ".$3" ]; then mount -t tmpfs -o ro tmpfs ".$3"; fi
for name in null zero full random urandom tty; do
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
mount -t proc proc proc
mkdir .before
pivot_root . .before
cd /
umount -l .before
rmdir .before
cd /golem/work
echo "ready $pid"
set +e
while cat <&3 >/dev/null & wait $!; [ $? -gt 128 ]; do :; done
`;

// $1: the VM's directory; what follows is the command that holds the namespaces.
const HOLDER = `( directory=$1; shift; exec "$@" )
${REMOVE_TREE}
`;

export type Namespaces = 'root' | 'user';

let available: { namespaces: Namespaces | undefined } | undefined;

/** What of namespaces the kernel lets us have: as root, in a user namespace, or none. Tries it, once. */
export function availableNamespaces(): Namespaces | undefined {
  available ??= { namespaces: tryNamespaces() };
  return available.namespaces;
}

function tryNamespaces(): Namespaces | undefined {
  if (process.platform !== 'linux') return undefined;
  const candidates: Namespaces[] = process.getuid?.() === 0 ? ['root'] : ['user'];
  const nothing = openSync('/dev/null', 'r');
  const found = candidates.find((namespaces) => {
    const directory = mkdtempSync(join(tmpdir(), 'devnet-vm-'));
    try {
      makeRoot(rootOf(directory));
      const [program = '', ...args] = firstProcess(rootOf(directory), namespaces);
      const probe = spawnSync(program, args, {
        // Nothing to be read from descriptor 3: the VM ends at once.
        stdio: ['ignore', 'pipe', 'ignore', nothing],
        env: environment('/'),
        encoding: 'utf8',
        timeout: 10_000,
      });
      const entered = spawnSync('nsenter', ['--version'], { stdio: 'ignore' });
      return probe.status === 0 && probe.stdout.startsWith('ready ') && entered.status === 0;
    } catch {
      return false;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
  closeSync(nothing);
  return found;
}

function firstProcess(root: string, namespaces: Namespaces, hidden = '', membership?: Membership): string[] {
  const user = namespaces === 'user' && !membership ? ['-U', '-r'] : [];
  const own = [...user, ...(membership ? ['-n'] : []), '-m', '-p', '-i', '-f'];
  const vm = ['/bin/sh', '-c', FIRST_PROCESS, 'vm', root, namespaces, hidden || root];
  return [...(membership?.enter ?? []), 'unshare', ...own, ...vm];
}

function makeRoot(root: string): void {
  for (const path of ['golem/input', 'golem/work', 'golem/output', 'tmp', 'root', 'dev/shm', 'proc']) {
    mkdirSync(join(root, path), { recursive: true });
  }
}

export class NamespacedMachine implements Machine {
  readonly root: string;
  readonly gone: Promise<void>;
  private ending = false;
  private seconds = 0;
  private readonly secondsBefore: number;
  private readonly pin: string[];
  /** Process groups, outside the VM, of those who enter it. */
  private readonly entering = new Set<number>();

  /** @throws Error - the VM could not be set up */
  static async start(
    options: MachineOptions,
    namespaces: Namespaces,
    networks?: VirtualNetworks,
  ): Promise<NamespacedMachine> {
    const membership = await networks?.join(options.networks ?? []);
    const root = rootOf(options.directory);
    makeRoot(root);
    const vm = firstProcess(root, namespaces, realpathSync(options.dataDir), membership);
    // It outlives the daemon for as long as it takes to remove the VM's files.
    const child = spawn('/bin/sh', ['-c', HOLDER, 'holder', options.directory, ...vm], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: environment('/'),
      // Ctrl-C in the daemon's terminal is the daemon's to answer.
      detached: true,
    });
    const complaint = lastWords(child);
    let failure = '';
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', (error) => {
        failure = error.message;
        resolve();
      });
    });
    if (membership) void exited.then(() => membership.leave());
    const pid = await Promise.race([firstProcessId(child), exited]);
    if (pid === undefined) {
      await removeTree(options.directory);
      throw new Error(`the VM could not be set up: ${complaint()}${failure}`);
    }
    const machine = new NamespacedMachine({ ...options, namespaces, membership }, child, pid, exited);
    await membership?.plug(pid).catch(async (error: Error) => {
      await machine.destroy();
      throw new Error(`the VM could not be put into its network: ${error.message}`);
    });
    return machine;
  }

  private constructor(
    private readonly options: MachineOptions & { namespaces: Namespaces; membership?: Membership },
    private readonly holder: ChildProcess,
    private readonly firstPid: number,
    exited: Promise<void>,
  ) {
    this.root = rootOf(options.directory);
    this.gone = exited;
    this.secondsBefore = namespaceSeconds(this.procDir) ?? 0;
    this.pin = pinning(options.cpuThreads);
  }

  async run(program: string, args: readonly string[], output: OutputSink): Promise<number> {
    if (this.ending) throw new MachineGone();
    const net = this.options.membership ? ['-n'] : [];
    const entry = ['-t', String(this.firstPid), ...net, '-m', '-p', '-i', '-w'];
    const user = this.options.namespaces === 'user' ? ['-U', '--preserve-credentials'] : [];
    let group = 0;
    const ended = await launch({
      enter: ['nsenter', ...user, ...entry, '--'],
      command: [...this.pin, program, ...args],
      bareSignals: tellsSignals(),
      environment: environment('/root'),
      output,
      onStart: (started) => this.entering.add((group = started)),
    });
    this.entering.delete(group);
    if (ended) return ended.exitCode;
    // Whoever waited for the program was killed: with the whole VM, or by one of its own programs.
    if (this.ending || !this.alive()) {
      await this.gone;
      throw new MachineGone();
    }
    return tellsSignals() ? SIGKILL : 128 + SIGKILL;
  }

  connect(networkId: string, port: number, signal: AbortSignal): Promise<Socket> {
    const { membership } = this.options;
    return membership ? membership.connect(networkId, port, signal) : connectHere(port, signal);
  }

  cpuSeconds(): number {
    const now = this.ending ? undefined : namespaceSeconds(this.procDir);
    if (now !== undefined) this.seconds = Math.max(this.seconds, now - this.secondsBefore);
    return this.seconds;
  }

  freeze(frozen: boolean): void {
    // nsenter stops with what it has started, and has to be told to go on as well.
    if (!frozen)
      freezeProcesses(
        [...this.entering].map((group) => -group),
        false,
      );
    freezeProcesses(this.processes(), frozen);
  }

  /** Ids, as this machine knows them, of all processes in the VM's PID namespace, but for the first. */
  private processes(): number[] {
    const namespace = namespaceOf(this.firstPid);
    if (namespace === undefined) return [];
    return processIds('/proc').filter((pid) => pid !== this.firstPid && namespaceOf(pid) === namespace);
  }

  async destroy(): Promise<void> {
    if (!this.ending) {
      this.cpuSeconds();
      this.ending = true;
      // By its first process, not by the holder, whose exit then tells that all others are gone.
      if (this.alive()) killQuietly(this.firstPid);
    }
    await this.gone;
    this.holder.stdio[3]?.destroy();
    await removeTree(this.options.directory);
  }

  private get procDir(): string {
    return `/proc/${this.firstPid}/root/proc`;
  }

  /** False from the moment at which the kernel starts to end the VM's processes. */
  private alive(): boolean {
    try {
      readlinkSync(`/proc/${this.firstPid}/root`);
      return true;
    } catch {
      return false;
    }
  }
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

async function firstProcessId(child: ChildProcess): Promise<number | undefined> {
  // The holder is piped, so its stdout is there.
  if (!child.stdout) return undefined;
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return Number(/^ready (\d+)/.exec(line)?.[1]) || undefined;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in the meantime.
  }
}

const SIGKILL = 9;

let nextCpu = 0;

/** Keeps a VM of n threads to n CPUs; each VM starts at another one. */
function pinning(threads: number): string[] {
  const cpus = allowedCpus();
  if (threads <= 0 || threads >= cpus.length) return [];
  const chosen = Array.from({ length: threads }, (_, n) => cpus[(nextCpu + n) % cpus.length]);
  nextCpu = (nextCpu + threads) % cpus.length;
  return ['taskset', '-c', chosen.join(',')];
}

function allowedCpus(): number[] {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}
