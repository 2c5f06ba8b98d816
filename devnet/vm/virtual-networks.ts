/**
 * The virtual networks that VMs are in, each with a hub of its own (network-hub.ts), there as long as a VM is. Where this
 * machine lets us have none, VMs share its network. Users may make network namespaces only within a user namespace,
 * and those that are to be connected, within the same: a keeper process holds it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Ipv4Network } from '../net-api/ipv4-network';
import { environment, type VmNetwork } from './machine';
import { NetworkHub } from './network-hub';

interface Member {
  network: VmNetwork;
  hub: NetworkHub;
}

/** What a VM is in. */
export interface Membership {
  /** Program and arguments that lead to where its namespaces are to be made. */
  enter: readonly string[];
  /** Connects it, by a process in its network namespace. */
  plug(pid: number): Promise<void>;
  /** As {@link NetworkHub.connect}. */
  connect(networkId: string, port: number, signal: AbortSignal): Promise<Socket>;
  leave(): void;
}

export class VirtualNetworks {
  private readonly hubs = new Map<string, { hub: Promise<NetworkHub>; members: number }>();
  private readonly closing = new Set<Promise<void>>();
  private keeper: Promise<ChildProcess> | undefined;
  private isAvailable = true;

  constructor(
    private readonly namespaces: 'root' | 'user',
    private readonly log: (line: string) => void,
    private readonly startHub: typeof NetworkHub.start = NetworkHub.start,
  ) {}

  /** @returns undefined when this machine's network is all there is. */
  async join(networks: readonly VmNetwork[]): Promise<Membership | undefined> {
    if (networks.length === 0 || !this.isAvailable) return undefined;
    const enter = await this.enter();
    const joined = await Promise.allSettled(networks.map((network) => this.enroll(network, enter)));
    const members = joined.flatMap((join) => (join.status === 'fulfilled' ? [join.value] : []));
    const leave = (): void => members.forEach(({ network }) => this.leave(network.id));
    const failed = joined.find((join) => join.status === 'rejected');
    if (failed) {
      leave();
      this.isAvailable = false;
      this.log(
        `VMs share this machine's network, for it lets them have none of their own: ${String(failed.reason)}`,
      );
      return undefined;
    }
    return {
      ...{ enter, leave },
      plug: async (pid) => {
        for (const [index, { hub, network }] of members.entries()) await hub.plug(pid, index, network.nodeIp);
      },
      connect: async (networkId, port, signal) => {
        const member = members.find(({ network }) => network.id === networkId);
        if (!member) throw new Error(`the VM is not in the network ${networkId}`);
        return await member.hub.connect(member.network.nodeIp, port, signal);
      },
    };
  }

  private async enroll(network: VmNetwork, enter: readonly string[]): Promise<Member> {
    let entry = this.hubs.get(network.id);
    if (!entry) {
      const range = Ipv4Network.parse(network.ip, network.mask);
      if (!range) throw new Error(`${network.ip} is no network`);
      entry = { hub: this.startHub(network.id, range, enter), members: 0 };
      this.hubs.set(network.id, entry);
    }
    entry.members += 1;
    try {
      return { network, hub: await entry.hub };
    } catch (error) {
      this.leave(network.id);
      throw error;
    }
  }

  private leave(id: string): void {
    const entry = this.hubs.get(id);
    if (!entry || --entry.members > 0) return;
    this.hubs.delete(id);
    const closed = entry.hub
      .then(
        (hub) => hub.close(),
        () => undefined,
      )
      .finally(() => this.closing.delete(closed));
    this.closing.add(closed);
  }

  private async enter(): Promise<readonly string[]> {
    if (this.namespaces === 'root') return [];
    this.keeper ??= keep();
    const { pid } = await this.keeper;
    return ['nsenter', '-t', String(pid), '-U', '--preserve-credentials', '--'];
  }

  /** Once all VMs are gone. */
  async close(): Promise<void> {
    await Promise.all(this.closing);
    const keeper = await this.keeper;
    if (!keeper || keeper.exitCode !== null) return;
    keeper.stdio[3]?.destroy();
    await once(keeper, 'exit');
  }
}

/** A process in a user namespace that it holds until the daemon is gone. */
async function keep(): Promise<ChildProcess> {
  const keeper = spawn('unshare', ['-U', '-r', '/bin/sh', '-c', 'echo ready; cat <&3 >/dev/null'], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
    env: environment('/'),
    detached: true,
  });
  // The machine could make one for its own VMs, so this one, too, can be made.
  if (keeper.stdout) await once(keeper.stdout, 'data');
  return keeper;
}
