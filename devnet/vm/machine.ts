/**
 * A VM: a directory that holds its files, and a way to run programs in it, count their CPU time and end them all.
 * Two kinds exist: with Linux namespaces of its own (namespaced-machine.ts), and, where the kernel allows none,
 * plain child processes (plain-machine.ts).
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';

export interface OutputSink {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
}

export interface Machine {
  /** Directory on this machine that is the VM's `/`, for what programs in the VM can write. */
  readonly root: string;
  /** Resolves when the VM is gone, destroyed or by itself. */
  readonly gone: Promise<void>;
  /**
   * Runs a program to its end, with nothing on stdin and none of the daemon's environment.
   * @returns its exit code; 127 when there is no such program, n after signal n, or 128 + n where that cannot be told.
   * @throws MachineGone - the VM ended before the program did
   */
  run(program: string, args: readonly string[], output: OutputSink): Promise<number>;
  /**
   * Connects to a TCP port of the VM, in one of its networks.
   * @throws an Error as of `net.connect`, with `ECONNREFUSED` where nothing listens; the signal's reason
   */
  connect(networkId: string, port: number, signal: AbortSignal): Promise<Socket>;
  /** CPU seconds of all its processes, ended and living, by the kernel's count. Never falls. */
  cpuSeconds(): number;
  /** Stops every process of the VM, or lets them go on. */
  freeze(frozen: boolean): void;
  /** Kills every process of the VM and removes its files. Repeating it is harmless. */
  destroy(): Promise<void>;
}

export class MachineGone extends Error {}

export interface MachineOptions {
  /** Made by the machine, and removed by it. */
  directory: string;
  /** The devnet's own files, hidden from programs where that can be done. */
  dataDir: string;
  /** How many CPUs its programs may use at once. */
  cpuThreads: number;
  /** It is to be in these. */
  networks?: readonly VmNetwork[];
}

/** A virtual network that a VM is in, as `deploy` describes it. */
export interface VmNetwork {
  id: string;
  /** Of the network: an address that `mask` goes with, or with a prefix such as `/24`. */
  ip: string;
  mask?: string;
  /** The VM's own. */
  nodeIp: string;
}

/** The directories that every image has. */
export const VOLUMES = ['/golem/work', '/golem/output', '/golem/input'] as const;

/** All that a program in a VM finds in its environment. */
export function environment(home: string): NodeJS.ProcessEnv {
  return { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: home };
}

/** Connects to a port of this machine, whose network VMs share that have none of their own. */
export async function connectHere(port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

export function rootOf(directory: string): string {
  return join(directory, 'root');
}
