/** The virtual networks of a node's requestors: blueprint, addresses, nodes. In memory, as yagna has them. */
import { hexId } from '../clock';
import { failure, HttpError } from '../server/errors';
import { Stream } from '../server/long-poll';
import type { Ipv4Network } from './ipv4-network';

export interface VirtualNetwork {
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

  create(requestorId: string, network: Ipv4Network, gateway = network.firstHost): VirtualNetwork {
    const blueprint = { id: hexId(16), ip: network.cidr, mask: network.mask, gateway };
    const created = { network, blueprint, addresses: new Set([network.firstHost]), nodes: new Map() };
    this.of(requestorId).set(blueprint.id, created);
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
    this.get(requestorId, id);
    this.of(requestorId).delete(id);
    this.changes.wake();
  }

  /** An address that is taken stays with the node that has it, and yagna says nothing of it. */
  addNode({ nodes }: VirtualNetwork, ip: string, nodeId: string): void {
    if (nodes.has(ip)) return;
    nodes.set(ip, nodeId);
    this.changes.wake();
  }

  removeNode({ nodes }: VirtualNetwork, nodeId: string): void {
    for (const [ip, id] of nodes) if (id === nodeId) nodes.delete(ip);
    this.changes.wake();
  }

  /** Who has an address, if the requestor has the network. */
  nodeAt(requestorId: string, id = '', ip = ''): string | undefined {
    return this.byRequestor.get(requestorId)?.get(id)?.nodes.get(ip);
  }
}

export function invalidAddress(): HttpError {
  return failure(400, 'Invalid IP address: invalid IP address syntax');
}
