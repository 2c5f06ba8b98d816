/**
 * TCP connections of requestors to the VMs of their virtual networks, each behind a WebSocket. Who asks for one gets it
 * once the VM has accepted the connection; refusals and waiting times are yagna's.
 */
import { isIP, isIPv4, type Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { WebSocketServer, type WebSocket } from 'ws';
import { presentCause } from '../cause';
import type { EffectLog, VmHost, VmInNetwork } from '../contract';
import type { Conditions } from '../faults/conditions';
import { failure, HttpError, textFailure } from '../server/errors';
import { anyOf, waitFor, type Waitable } from '../server/long-poll';
import { takeOver } from '../server/upgrades';
import type { Timers } from '../timers';
import { missingOfHandshake } from './handshake';
import { isNodeAddress } from './ipv4-network';
import { invalidAddress, type Networks } from './networks';
import { TcpRelay, type Passage, type TcpRelayParts } from './tcp-relay';

/** A longer frame ends the connection. */
const MAX_FRAME_BYTES = 65_536;

export interface TcpParts {
  vms: VmHost;
  conditions: Conditions;
  effects: EffectLog;
  timers: Timers;
  /** Seconds in which a connection has to come about. */
  connectSec: number;
  /** Seconds after which one through which nothing gets any more is given up. */
  silenceSec: number;
}

/** Where a connection leads. */
interface Target {
  requestorId: string;
  networkId: string;
  ip: string;
  port: number;
}

export class TcpConnections {
  private readonly relays = new Set<TcpRelay>();
  private readonly changes: Waitable;
  private readonly handshakes = new WebSocketServer({
    ...{ noServer: true, clientTracking: false, maxPayload: MAX_FRAME_BYTES },
    handleProtocols: () => false,
  });

  constructor(
    private readonly networks: Networks,
    private readonly parts: TcpParts,
  ) {
    const { vms, conditions } = parts;
    this.changes = anyOf(networks.changes, vms.changes, conditions.links.changes);
  }

  /** @throws HttpError when there is no such connection */
  async open(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const target = this.targetOf(request);
    const vm = await this.reach(target, reply);
    const socket = await this.dial(vm, target.port, reply);
    const { networkId, ip, port } = target;
    const effect = { networkId, ip, port, activityId: vm.activityId, provider: vm.providerName };
    this.parts.effects.record('tcp-opened', effect);
    const close = (): void => this.parts.effects.record('tcp-closed', effect);
    const missing = missingOfHandshake(request.headers);
    if (missing !== undefined || !(await reply.tookEffect())) {
      socket.destroy();
      close();
      if (missing !== undefined) throw failure(400, `Request error: ${missing}`);
      return reply;
    }
    const { socket: client, head } = takeOver(reply);
    let relay: TcpRelay | undefined;
    this.handshakes.handleUpgrade(request.raw, client, head, (ws: WebSocket) => {
      relay = this.relay({ ws, client, socket, vm }, target, close);
    });
    // Something about the handshake was not right, and was answered.
    if (!relay) {
      socket.destroy();
      close();
    }
    return reply;
  }

  private relay(
    ends: Pick<TcpRelayParts, 'ws' | 'client' | 'socket' | 'vm'>,
    target: Target,
    onClosed: () => void,
  ): TcpRelay {
    const { timers, silenceSec } = this.parts;
    const relay = new TcpRelay({
      ...{ ...ends, timers, silenceSec, changes: this.changes, cause: presentCause() },
      passage: () => this.passage(target, ends.vm),
      onClosed: () => {
        this.relays.delete(relay);
        onClosed();
      },
    });
    this.relays.add(relay);
    relay.start();
    return relay;
  }

  /** The daemon goes down. */
  close(): void {
    for (const relay of this.relays) relay.cut();
  }

  private targetOf({ params, requestorId }: FastifyRequest): Target {
    const { net: networkId, ip, port: text } = params as { net: string; ip: string; port: string };
    const port = Number(text);
    if (!/^\d+$/.test(text) || port > 65_535)
      throw textFailure(404, `can not parse ${JSON.stringify(text)} to a u16`);
    this.networks.get(requestorId, networkId);
    if (isIP(ip) === 0) throw invalidAddress();
    if (isIPv4(ip) && !isNodeAddress(ip)) throw failure(400, `IP address not allowed: ${ip}`);
    if (port === 0) throw failure(400, 'Connection error: unaddressable');
    return { requestorId, networkId, ip, port };
  }

  /** The VM at an address, as soon as there is one and it is heard of. */
  private async reach(target: Target, reply: FastifyReply): Promise<VmInNetwork> {
    const vm = await waitFor(this.changes, reply, this.parts.connectSec, () => {
      const { requestorId, networkId, ip } = target;
      const nodeId = this.networks.nodeAt(requestorId, networkId, ip);
      const found = nodeId === undefined ? undefined : this.parts.vms.vmAt(networkId, nodeId, ip);
      return found && this.passage(target, found) === 'open' ? found : undefined;
    });
    if (!vm) throw timedOut();
    return vm;
  }

  private async dial(vm: VmInNetwork, port: number, reply: FastifyReply): Promise<Socket> {
    const { timers, connectSec } = this.parts;
    const given = new AbortController();
    const giveUp = (): void => given.abort();
    const timer = timers.after(connectSec * 1000, giveUp);
    reply.raw.once('close', giveUp);
    try {
      const socket = await vm.connect(port, given.signal);
      // Should it break before anybody reads from it: whoever does notices.
      return socket.on('error', () => undefined);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw code === 'ECONNREFUSED' ? failure(400, 'Socket closed, CLOSED') : timedOut();
    } finally {
      timers.cancel(timer);
      reply.raw.removeListener('close', giveUp);
    }
  }

  private passage({ requestorId, networkId, ip }: Target, vm: VmInNetwork): Passage {
    if (!this.networks.of(requestorId).has(networkId)) return 'removed';
    const nodeId = this.networks.nodeAt(requestorId, networkId, ip);
    const isNode = nodeId?.toLowerCase() === vm.providerId;
    return isNode && this.parts.conditions.reach(requestorId, vm.providerId) === 'up' ? 'open' : 'silent';
  }
}

function timedOut(): HttpError {
  return new HttpError(504, undefined);
}
