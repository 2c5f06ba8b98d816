/**
 * One virtual network of VMs: a process in a network namespace with a bridge, to which each VM of the network has a
 * cable. On the bridge it has the requestor's address, and opens TCP connections from there; these it hands over, so
 * that the daemon itself reads and writes them. It ends with the daemon's end of its channel.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import type { Ipv4Network } from '../net-api/ipv4-network';
import { lastWords } from './last-words';
import { environment } from './machine';

// $1: the requestor's address, $2: node, $3: what it runs, $4: the network's name, for who looks at processes. The probe
// says whether VMs can get cables.
const SET_UP = `
set -e
ip link set lo up
ip link add br0 type bridge
ip link add probe0 type veth peer name probe1
ip link del probe0
ip addr add "$1" dev br0
ip link set br0 up
exec "$2" -e "$3" "$4"
`;

// Paused, so that what the VM says first is read by the daemon.
const CONNECT = `
const { connect } = require('node:net');
const open = new Map();
process.on('message', ({ id, host, port }) => {
  if (port === undefined) return open.get(id)?.destroy();
  const socket = connect({ host, port }).pause();
  open.set(id, socket);
  socket.once('close', () => open.delete(id));
  socket.once('connect', () => open.delete(id) && process.send({ id }, socket));
  socket.on('error', ({ code }) => open.delete(id) && process.send({ id, code }));
});
process.send({});
`;

// $1: the hub, $2: the VM's first process, $3: number of the network in the VM, $4: its address, $5: its MAC address,
// which goes with the address, so that who comes after it there is found; from $6 on: how to enter a namespace.
const PLUG = `
set -e
hub=$1 vm=$2 cable="v$2n$3" name="eth$3" address=$4 mac=$5
shift 5
"$@" -t "$hub" -n -- ip link add "$cable" type veth peer name "$name" address "$mac" netns "$vm"
"$@" -t "$hub" -n -- ip link set "$cable" master br0 up
"$@" -t "$vm" -n -- ip link set lo up
"$@" -t "$vm" -n -- ip addr add "$address" dev "$name"
"$@" -t "$vm" -n -- ip link set "$name" up
`;

interface Answer {
  /** Absent once, when it is ready. */
  id?: number;
  code?: string;
}

export class NetworkHub {
  private readonly asked = new Map<number, (answer: Answer | undefined, socket?: Socket) => void>();
  private lastId = 0;
  private readonly exited: Promise<unknown>;

  /**
   * @param enter program and arguments that lead to where namespaces can be made
   * @throws Error - this machine allows none, or has not what they are made with
   */
  static async start(name: string, network: Ipv4Network, enter: readonly string[]): Promise<NetworkHub> {
    const address = `${network.firstHost}/${network.prefix}`;
    const setUp = [SET_UP, 'hub', address, process.execPath, CONNECT, name];
    const [program = '', ...args] = [...enter, 'unshare', '-n', '/bin/sh', '-c', ...setUp];
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: environment('/'),
      detached: true,
    });
    const complaint = lastWords(child);
    const failed = Promise.race([once(child, 'close'), once(child, 'error')]).then(([why]: unknown[]) => {
      throw why instanceof Error ? why : new Error(complaint() || `it ended with ${String(why)}`);
    });
    await Promise.race([once(child, 'message'), failed]);
    failed.catch(() => undefined);
    return new NetworkHub(network, child, enter);
  }

  private constructor(
    private readonly network: Ipv4Network,
    private readonly child: ChildProcess,
    private readonly enter: readonly string[],
  ) {
    this.exited = once(child, 'exit').then(() => {
      for (const answer of this.asked.values()) answer(undefined);
    });
    child.on('message', ({ id, code }: Answer, socket) => {
      const answer = this.asked.get(id ?? 0);
      if (answer) answer({ id, code }, socket as Socket | undefined);
      else (socket as Socket | undefined)?.destroy();
    });
    // One that is killed from outside closes its channel under what is being sent.
    child.on('error', () => undefined);
  }

  /**
   * Gives a VM an address in the network.
   * @param pid of a process in the VM's network namespace
   * @param index counts the VM's networks
   */
  async plug(pid: number, index: number, ip: string): Promise<void> {
    const { prefix } = this.network;
    const mac = ['a0', '13', ...ip.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'))];
    const vm = [String(this.child.pid), String(pid), String(index), `${ip}/${prefix}`, mac.join(':')];
    const how = this.enter.length > 0 ? ['nsenter', '-U', '--preserve-credentials'] : ['nsenter'];
    await promisify(execFile)('/bin/sh', ['-c', PLUG, 'plug', ...vm, ...how], { env: environment('/') });
  }

  /** @throws an Error with the code of `net.connect`; the signal's reason */
  async connect(host: string, port: number, signal: AbortSignal): Promise<Socket> {
    signal.throwIfAborted();
    const id = ++this.lastId;
    let stop = (): void => undefined;
    try {
      return await new Promise<Socket>((resolve, reject) => {
        stop = () => {
          this.tell({ id });
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', stop);
        this.asked.set(id, (answer, socket) => {
          if (socket) resolve(socket);
          else reject(Object.assign(new Error('no connection'), { code: answer?.code ?? 'EHOSTUNREACH' }));
        });
        this.tell({ id, host, port });
      });
    } finally {
      this.asked.delete(id);
      signal.removeEventListener('abort', stop);
    }
  }

  private tell(message: object): void {
    if (this.child.connected) this.child.send(message);
    else this.asked.get((message as { id: number }).id)?.(undefined);
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}
