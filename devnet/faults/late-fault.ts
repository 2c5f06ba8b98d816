/** A fault that acts once its call has taken effect: on the answer, or on the stream of events that is the answer. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { Fault } from './faults';

/** A stream in which nothing happens is cut all the same. */
const LONGEST_SILENCE_MS = 1000;

export interface NodeOfTheCall {
  /** Takes the node down, for good or for as long as the fault says. */
  takeDown(fault: Fault): void;
  /** Waits as long as the fault says. @returns false when the node went down meanwhile */
  pause(fault: Fault): Promise<boolean>;
}

export class LateFault {
  constructor(
    private readonly fault: Fault,
    private readonly node: NodeOfTheCall,
  ) {}

  /** On an answer that is sent as a whole. @returns the payload to send */
  async onAnswer(reply: FastifyReply, payload: unknown): Promise<unknown> {
    if (this.cuts) {
      this.cut(reply.raw);
      return payload;
    }
    if (this.fault.do === 'delayAfter') {
      await this.node.pause(this.fault);
      return payload;
    }
    const { status, type, bytes } = answerOf(this.fault);
    reply.code(status).header('content-type', type).removeHeader('content-length');
    return bytes;
  }

  /** There will be neither stream nor connection: an empty answer is to be sent, of which the fault makes its own. */
  get replacesAnswer(): boolean {
    return this.fault.do === 'answerAfter';
  }

  /** On a stream that is about to begin. */
  onStream(raw: ServerResponse): void {
    if (this.cuts) {
      const cut = setTimeout(() => this.cut(raw), LONGEST_SILENCE_MS);
      raw.once('close', () => clearTimeout(cut));
      return;
    }
    raw.cork();
    void this.node.pause(this.fault).then(() => raw.uncork());
  }

  /** An event has left. */
  onEvent(raw: ServerResponse): void {
    if (this.cuts) this.cut(raw);
  }

  private get cuts(): boolean {
    return this.fault.do === 'dropAfter' || this.fault.do === 'restartNodeAfter';
  }

  private cut(raw: ServerResponse): void {
    if (raw.destroyed) return;
    raw.destroy();
    if (this.fault.do === 'restartNodeAfter') this.node.takeDown(this.fault);
  }
}

/** What a fault answers in place of the call. */
export function answerOf(fault: Fault): { status: number; type: string; bytes: Buffer } {
  const { status = 503, body = { message: fault.message ?? 'a fault that was armed' } } = fault;
  return typeof body === 'string'
    ? { status, type: 'text/plain; charset=utf-8', bytes: Buffer.from(body) }
    : { status, type: 'application/json', bytes: Buffer.from(JSON.stringify(body)) };
}
