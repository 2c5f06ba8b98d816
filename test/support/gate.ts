/** A place where a script in a VM waits until the test lets it go on: a file whose download is held back. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export class Gate {
  private readonly server = createServer((_request, response) => this.arrive(response));
  private readonly held: ServerResponse[] = [];
  private arrived = 0;
  private isOpen = false;
  private waiting: { n: number; resolve: () => void }[] = [];
  private url = '';

  static async start(): Promise<Gate> {
    const gate = new Gate();
    await new Promise<void>((resolve) => gate.server.listen(0, '127.0.0.1', resolve));
    gate.url = `http://127.0.0.1:${(gate.server.address() as AddressInfo).port}/gate`;
    return gate;
  }

  /** The command that waits. */
  get command(): object {
    return { transfer: { from: this.url, to: '/golem/work/gate' } };
  }

  /** Resolves when the n-th script has come to the gate. */
  visitor(n = 1): Promise<void> {
    if (this.arrived >= n) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ n, resolve }));
  }

  /** Lets go whoever waits, and whoever comes. */
  open(): void {
    this.isOpen = true;
    for (const response of this.held.splice(0)) response.end('open');
  }

  async close(): Promise<void> {
    this.open();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private arrive(response: ServerResponse): void {
    this.arrived += 1;
    if (this.isOpen) response.end('open');
    else this.held.push(response);
    const ready = this.waiting.filter(({ n }) => n <= this.arrived);
    this.waiting = this.waiting.filter(({ n }) => n > this.arrived);
    for (const { resolve } of ready) resolve();
  }
}
