/**
 * yagna's net API: virtual private networks of a requestor, under both of yagna's paths, and TCP connections to the VMs
 * in them (tcp-connections.ts). How VMs come into a network is in devnet/vm/virtual-networks.ts.
 */
import { isIPv4 } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { failure } from '../server/errors';
import { send } from '../server/http';
import { Body } from '../server/input';
import { Ipv4Network, isNodeAddress } from './ipv4-network';
import { invalidAddress, type Networks, type VirtualNetwork } from './networks';
import { TcpConnections, type TcpParts } from './tcp-connections';

/** The OpenAPI file has the first, client libraries call the second. */
const BASES = ['/net-api/v1', '/net-api/v2/vpn'];

export function netRoutes(scope: FastifyInstance, networks: Networks, parts: TcpParts): void {
  const connections = new TcpConnections(networks, parts);
  scope.addHook('preClose', (done) => {
    connections.close();
    done();
  });
  scope.addHook('onClose', () => networks.forget());
  for (const base of BASES) register(base);

  function register(base: string): void {
    scope.get(`${base}/net`, ({ requestorId }, reply) =>
      send(
        reply,
        200,
        [...networks.of(requestorId).values()].map(({ blueprint }) => blueprint),
      ),
    );

    scope.post(`${base}/net`, (request, reply) => {
      const body = Body.of('payment', request);
      const ip = body.string('ip');
      const [mask, gateway] = [optionalText(body, 'mask'), optionalText(body, 'gateway')];
      const network = Ipv4Network.parse(ip, mask);
      if (!network) throw failure(400, `Invalid network address: ${ip}`);
      if (gateway !== undefined && !isIPv4(gateway)) throw invalidAddress();
      return send(reply, 200, networks.create(request.requestorId, network, gateway).blueprint);
    });

    scope.get(`${base}/net/:net`, (request, reply) => send(reply, 200, networkOf(request).blueprint));

    scope.delete(`${base}/net/:net`, (request, reply) => {
      networks.remove(request.requestorId, (request.params as { net: string }).net);
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
      const found = networkOf(request);
      networks.addAddress(found, addressIn(found.network, Body.of('payment', request)));
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
      const found = networkOf(request);
      const body = Body.of('payment', request);
      const id = body.string('id');
      networks.addNode(found, addressIn(found.network, body), id);
      return send(reply, 200, null);
    });

    scope.delete(`${base}/net/:net/nodes/:node`, (request, reply) => {
      networks.removeNode(networkOf(request), (request.params as { node: string }).node);
      return send(reply, 200, null);
    });

    scope.get(`${base}/net/:net/tcp/:ip/:port`, (request, reply) => connections.open(request, reply));

    scope.get(`${base}/net/:net/raw/from/:source/to/:target`, (request) => {
      networkOf(request);
      throw failure(501, 'the devnet carries TCP connections through virtual networks, and no bare packets');
    });
  }

  function networkOf(request: FastifyRequest): VirtualNetwork {
    return networks.get(request.requestorId, (request.params as { net: string }).net);
  }
}

function optionalText(body: Body, name: string): string | undefined {
  return body.object()[name] == null ? undefined : body.string(name);
}

function addressIn(network: Ipv4Network, body: Body): string {
  const ip = body.string('ip');
  if (!isIPv4(ip)) throw invalidAddress();
  if (!network.contains(ip)) throw failure(400, `Network address mismatch: ${ip}`);
  if (!isNodeAddress(ip)) throw failure(400, `IP address not allowed: ${ip}`);
  return ip;
}
