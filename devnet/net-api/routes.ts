/**
 * yagna's net API: virtual private networks of a requestor, under both of yagna's paths. The devnet keeps their
 * blueprints, addresses and nodes, in memory as yagna does, and carries no traffic through them: VMs share one machine.
 */
import { isIPv4 } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { hexId } from '../clock';
import type { EffectLog } from '../contract';
import { failure, HttpError } from '../server/errors';
import { send } from '../server/http';
import { Body } from '../server/input';
import { Ipv4Network, isNodeAddress } from './ipv4-network';

/** The OpenAPI file has the first, client libraries call the second. */
const BASES = ['/net-api/v1', '/net-api/v2/vpn'];

interface VirtualNetwork {
  network: Ipv4Network;
  blueprint: { id: string; ip: string; mask: string; gateway: string };
  addresses: Set<string>;
  /** Node id by address. */
  nodes: Map<string, string>;
}

export function netRoutes(scope: FastifyInstance, effects: EffectLog): void {
  const byRequestor = new Map<string, Map<string, VirtualNetwork>>();
  for (const base of BASES) register(base);
  scope.addHook('onClose', () => {
    for (const [requestorId, networks] of byRequestor)
      for (const networkId of networks.keys())
        effects.record('network-forgotten', { networkId, requestorId });
  });

  function register(base: string): void {
    scope.get(`${base}/net`, (request, reply) =>
      send(
        reply,
        200,
        [...networksOf(request).values()].map(({ blueprint }) => blueprint),
      ),
    );

    scope.post(`${base}/net`, (request, reply) => {
      const body = Body.of('payment', request);
      const ip = body.string('ip');
      const [mask, gateway] = [optionalText(body, 'mask'), optionalText(body, 'gateway')];
      const network = Ipv4Network.parse(ip, mask);
      if (!network) throw failure(400, `Invalid network address: ${ip}`);
      if (gateway !== undefined && !isIPv4(gateway)) throw invalidAddress(gateway);
      const blueprint = {
        ...{ id: hexId(16), ip: network.cidr, mask: network.mask },
        gateway: gateway ?? network.firstHost,
      };
      const addresses = new Set([network.firstHost]);
      networksOf(request).set(blueprint.id, { network, blueprint, addresses, nodes: new Map() });
      effects.record('network-created', { ...named(request, blueprint.id), ip: blueprint.ip });
      return send(reply, 200, blueprint);
    });

    scope.get(`${base}/net/:net`, (request, reply) => send(reply, 200, networkOf(request).blueprint));

    scope.delete(`${base}/net/:net`, (request, reply) => {
      const networks = networksOf(request);
      const { id } = networkOf(request).blueprint;
      networks.delete(id);
      effects.record('network-removed', named(request, id));
      return send(reply, 200, null);
    });

    scope.get(`${base}/net/:net/addresses`, (request, reply) => {
      const { addresses, network } = networkOf(request);
      return send(
        reply,
        200,
        [...addresses].map((ip) => ({ ip: `${ip}/${network.prefix}` })),
      );
    });

    scope.post(`${base}/net/:net/addresses`, (request, reply) => {
      const { network, addresses } = networkOf(request);
      const ip = addressIn(network, Body.of('payment', request));
      if (!addresses.has(ip)) effects.record('network-address-added', { ...named(request), ip });
      addresses.add(ip);
      return send(reply, 200, null);
    });

    scope.get(`${base}/net/:net/nodes`, (request, reply) =>
      send(
        reply,
        200,
        [...networkOf(request).nodes].map(([ip, id]) => ({ id, ip })),
      ),
    );

    scope.post(`${base}/net/:net/nodes`, (request, reply) => {
      const { network, nodes } = networkOf(request);
      const body = Body.of('payment', request);
      const id = body.string('id');
      const ip = addressIn(network, body);
      // An address that is taken stays with the node that has it, and yagna says nothing of it.
      if (!nodes.has(ip)) {
        nodes.set(ip, id);
        effects.record('network-node-added', { ...named(request), nodeId: id, ip });
      }
      return send(reply, 200, null);
    });

    scope.delete(`${base}/net/:net/nodes/:node`, (request, reply) => {
      const { nodes } = networkOf(request);
      const { node } = request.params as { node: string };
      const its = [...nodes].filter(([, id]) => id === node);
      for (const [ip] of its) nodes.delete(ip);
      if (its.length > 0) effects.record('network-node-removed', { ...named(request), nodeId: node });
      return send(reply, 200, null);
    });

    for (const path of [`${base}/net/:net/tcp/:ip/:port`, `${base}/net/:net/raw/from/:source/to/:target`]) {
      scope.get(path, (request) => {
        networkOf(request);
        throw failure(501, 'the devnet carries no traffic through virtual networks');
      });
    }
  }

  function networksOf({ requestorId }: FastifyRequest): Map<string, VirtualNetwork> {
    let networks = byRequestor.get(requestorId);
    if (!networks) byRequestor.set(requestorId, (networks = new Map<string, VirtualNetwork>()));
    return networks;
  }

  /** As with yagna, who has networks is forbidden others, and who has none is told that there is none. */
  function networkOf(request: FastifyRequest): VirtualNetwork {
    const networks = networksOf(request);
    const network = networks.get((request.params as { net: string }).net);
    if (network) return network;
    throw networks.size > 0 ? new HttpError(403, undefined) : failure(404, 'Network not found');
  }
}

/** What a network's effects call it. */
function named(
  { requestorId, params }: FastifyRequest,
  networkId = (params as { net: string }).net,
): { networkId: string; requestorId: string } {
  return { networkId, requestorId };
}

function optionalText(body: Body, name: string): string | undefined {
  return body.object()[name] == null ? undefined : body.string(name);
}

function addressIn(network: Ipv4Network, body: Body): string {
  const ip = body.string('ip');
  if (!isIPv4(ip)) throw invalidAddress(ip);
  if (!network.contains(ip)) throw failure(400, `Network address mismatch: ${ip}`);
  if (!isNodeAddress(ip)) throw failure(400, `IP address not allowed: ${ip}`);
  return ip;
}

function invalidAddress(ip: string): HttpError {
  return failure(400, `Invalid IP address: ${ip}`);
}
