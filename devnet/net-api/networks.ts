/** The virtual networks of a node's requestors: blueprint, addresses, nodes. In memory, as yagna has them. */
import { hexId } from '../clock';
import type { EffectLog } from '../contract';
import { failure, HttpError } from '../server/errors';
import { Stream } from '../server/long-poll';
import type { Ipv4Network } from './ipv4-network';

export interface VirtualNetwork {
  requestorId: string;
  network: Ipv4Network;
  blueprint: { id: string; ip: string; mask: string; gateway: string };
  addresses: Set<string>;
  /** Node id by address. */
  nodes: Map<string, string>;
}

export class Networks {
  /** Woken when a node or a network comes or goes. */
  readonly changes = new Stream();
  private readonly byRequestor = new Map<string, Map<string, VirtualNetwork>>();

  constructor(private readonly effects: EffectLog) {}

  create(requestorId: string, network: Ipv4Network, gateway = network.firstHost): VirtualNetwork {
    const blueprint = { id: hexId(16), ip: network.cidr, mask: network.mask, gateway };
    const addresses = new Set([network.firstHost]);
    const created = { requestorId, network, blueprint, addresses, nodes: new Map<string, string>() };
    this.of(requestorId).set(blueprint.id, created);
    this.effects.record('network-created', { ...named(created), ip: blueprint.ip });
    return created;
  }

  of(requestorId: string): Map<string, VirtualNetwork> {
    let networks = this.byRequestor.get(requestorId);
    if (!networks) this.byRequestor.set(requestorId, (networks = new Map<string, VirtualNetwork>()));
    return networks;
  }

  /**
   * As with yagna, who has networks is forbidden others, and who has none is told that there is none.
   * @throws HttpError
   */
  get(requestorId: string, id: string): VirtualNetwork {
    const networks = this.of(requestorId);
    const network = networks.get(id);
    if (network) return network;
    throw networks.size > 0 ? new HttpError(403, undefined) : failure(404, 'Network not found');
  }

  remove(requestorId: string, id: string): void {
    const removed = this.get(requestorId, id);
    this.of(requestorId).delete(id);
    this.effects.record('network-removed', named(removed));
    this.changes.wake();
  }

  /** The node goes down. */
  forget(): void {
    for (const networks of this.byRequestor.values())
      for (const network of networks.values()) this.effects.record('network-forgotten', named(network));
    this.byRequestor.clear();
  }

  addAddress(network: VirtualNetwork, ip: string): void {
    if (network.addresses.has(ip)) return;
    network.addresses.add(ip);
    this.effects.record('network-address-added', { ...named(network), ip });
  }

  /** An address that is taken stays with the node that has it, and yagna says nothing of it. */
  addNode(network: VirtualNetwork, ip: string, nodeId: string): void {
    if (network.nodes.has(ip)) return;
    network.nodes.set(ip, nodeId);
    this.effects.record('network-node-added', { ...named(network), nodeId, ip });
    this.changes.wake();
  }

  removeNode(network: VirtualNetwork, nodeId: string): void {
    const its = [...network.nodes].filter(([, id]) => id === nodeId);
    if (its.length === 0) return;
    for (const [ip] of its) network.nodes.delete(ip);
    this.effects.record('network-node-removed', { ...named(network), nodeId });
    this.changes.wake();
  }

  /** Who has an address, if the requestor has the network. */
  nodeAt(requestorId: string, id = '', ip = ''): string | undefined {
    return this.byRequestor.get(requestorId)?.get(id)?.nodes.get(ip);
  }
}

/** What a network's effects call it. */
function named({ requestorId, blueprint }: VirtualNetwork): { networkId: string; requestorId: string } {
  return { networkId: blueprint.id, requestorId };
}

export function invalidAddress(): HttpError {
  return failure(400, 'Invalid IP address: invalid IP address syntax');
}
