/**
 * Carries bytes between a requestor's WebSocket and a TCP connection to its VM. While the two do not reach each other
 * nothing is carried and nobody is told; what was sent meanwhile arrives afterwards, as TCP has it.
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { because, byProvider } from '../cause';
import type { VmInNetwork } from '../contract';
import type { Waitable } from '../server/long-poll';
import type { Timer, Timers } from '../timers';

/** `silent`: nothing gets through for now. `removed`: the network is no more. */
export type Passage = 'open' | 'silent' | 'removed';

/** So much may wait for a VM that does not read; then the requestor's data is not read either. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** yagna asks the requestor for a sign of life so often, and gives up on one that is silent for twice as long. */
const PING_SEC = 5;

export interface TcpRelayParts {
  ws: WebSocket;
  /** Under the WebSocket. */
  client: Socket;
  /** To the VM. */
  socket: Socket;
  vm: VmInNetwork;
  /** Woken when the passage may have changed. */
  changes: Waitable;
  passage(): Passage;
  timers: Timers;
  silenceSec: number;
  /** The call that opened the connection: what the requestor does with it goes back to that. */
  cause: string;
  /** Both ends are closed, or were cut. */
  onClosed(): void;
}

export class TcpRelay {
  private isOpen = true;
  /** What the requestor sent while nothing got through. */
  private held: Buffer[] = [];
  private heldBytes = 0;
  private vmHasEnded = false;
  private requestorHasEnded = false;
  private closed = false;
  private silence: Timer | undefined;
  private ping: Timer | undefined;
  private heardMs = Date.now();

  constructor(private readonly parts: TcpRelayParts) {}

  start(): void {
    const { ws, socket, vm, changes } = this.parts;
    socket.on('data', (chunk) => this.fromVm(chunk));
    socket.on('drain', () => this.relieve());
    for (const event of ['end', 'close', 'error'] as const) socket.on(event, () => this.onVmEnd());
    void vm.gone.then(() => this.onVmEnd());
    ws.on('message', (data: Buffer) => this.fromRequestor(data));
    ws.on('pong', () => this.hear());
    ws.on('ping', () => this.hear());
    ws.on('close', () => this.onRequestorEnd());
    // It closes, too.
    ws.on('error', () => undefined);
    changes.add(this.look);
    this.keepAlive();
    this.look();
    if (socket.destroyed) this.onVmEnd();
  }

  /** Both ends at once, whatever is under way. */
  readonly cut = (): void => {
    this.parts.ws.terminate();
    this.finish();
  };

  private readonly look = (): void => {
    if (this.closed) return;
    const passage = this.parts.passage();
    if (passage === 'removed') return this.cut();
    if ((passage === 'open') === this.isOpen) return;
    this.isOpen = passage === 'open';
    if (this.isOpen) this.goOn();
    else this.standStill();
  };

  private standStill(): void {
    const { socket, timers, silenceSec } = this.parts;
    socket.pause();
    this.silence = timers.after(silenceSec * 1000, this.cut, 'silence of a connection');
  }

  private goOn(): void {
    this.parts.timers.cancel(this.silence);
    for (const data of this.held.splice(0)) this.parts.socket.write(data);
    this.heldBytes = 0;
    this.relieve();
    this.parts.socket.resume();
    if (this.requestorHasEnded) this.parts.socket.end();
    if (this.vmHasEnded) this.endWithVm();
  }

  private fromVm(chunk: Buffer): void {
    const { socket, ws } = this.parts;
    if (this.requestorHasEnded) return;
    socket.pause();
    // The next one when this is on its way.
    ws.send(chunk, { binary: true }, () => {
      if (this.isOpen) socket.resume();
    });
  }

  private fromRequestor(data: Buffer): void {
    this.hear();
    if (this.closed) return;
    const { socket, ws } = this.parts;
    if (this.isOpen) socket.write(data);
    else {
      this.held.push(data);
      this.heldBytes += data.length;
    }
    if (this.waitingBytes > MAX_WAITING_BYTES) ws.pause();
  }

  private relieve(): void {
    if (this.parts.ws.isPaused && this.waitingBytes <= MAX_WAITING_BYTES) {
      this.hear();
      this.parts.ws.resume();
    }
  }

  private get waitingBytes(): number {
    return this.heldBytes + this.parts.socket.writableLength;
  }

  private onVmEnd(): void {
    this.vmHasEnded = true;
    if (this.requestorHasEnded) because(this.parts.cause, this.finish);
    else if (this.isOpen) this.endWithVm();
  }

  /** yagna ends the connection without a closing frame. */
  private endWithVm(): void {
    this.parts.client.end();
    because(byProvider(this.parts.vm.providerName), this.finish);
  }

  private onRequestorEnd(): void {
    this.requestorHasEnded = true;
    const { socket, timers, cause } = this.parts;
    timers.cancel(this.ping);
    if (this.vmHasEnded) return because(cause, this.finish);
    // The VM reads to the end of what was sent, and takes its time to close.
    if (this.isOpen) socket.end();
    socket.resume();
  }

  private readonly finish = (): void => {
    if (this.closed) return;
    this.closed = true;
    const { changes, timers, socket, onClosed } = this.parts;
    changes.remove(this.look);
    timers.cancel(this.silence);
    timers.cancel(this.ping);
    socket.destroy();
    onClosed();
  };

  private hear(): void {
    this.heardMs = Date.now();
  }

  private keepAlive(): void {
    const { ws, timers, cause } = this.parts;
    this.ping = timers.after(PING_SEC * 1000, () => {
      const isUnheard = Date.now() - this.heardMs > 2 * PING_SEC * 1000;
      if (isUnheard && !ws.isPaused) return because(cause, this.cut);
      if (ws.readyState === ws.OPEN) ws.ping();
      this.keepAlive();
    });
  }
}
