/**
 * Long polls without polling: a request waits on a {@link Stream} until something is written to it, its own timeout
 * passes, or its client hangs up.
 */
import type { FastifyReply } from 'fastify';
import { withPresentCause } from '../cause';

/** What a request can wait on. */
export interface Waitable {
  add(waiter: () => void): void;
  remove(waiter: () => void): void;
}

/** What waiting requests are woken by. Costs nothing while nobody waits. */
export class Stream implements Waitable {
  private readonly waiting = new Set<() => void>();
  private waking = false;

  wake(): void {
    for (const waiter of [...this.waiting]) waiter();
  }

  /** Once for all that happens at this moment, when it has happened. */
  wakeSoon(): void {
    if (this.waking || this.idle) return;
    this.waking = true;
    queueMicrotask(() => {
      this.waking = false;
      this.wake();
    });
  }

  add(waiter: () => void): void {
    this.waiting.add(waiter);
  }

  remove(waiter: () => void): void {
    this.waiting.delete(waiter);
  }

  get idle(): boolean {
    return this.waiting.size === 0;
  }
}

/** Woken when any of them is. */
export function anyOf(...streams: Waitable[]): Waitable {
  return {
    add: (waiter) => streams.forEach((stream) => stream.add(waiter)),
    remove: (waiter) => streams.forEach((stream) => stream.remove(waiter)),
  };
}

/** Streams by name. One is kept only while somebody waits on it, so names may come without end. */
export class Streams {
  private readonly byName = new Map<string, Stream>();

  get(name: string): Waitable {
    return {
      add: (waiter) => {
        let stream = this.byName.get(name);
        if (!stream) this.byName.set(name, (stream = new Stream()));
        stream.add(waiter);
      },
      remove: (waiter) => {
        const stream = this.byName.get(name);
        stream?.remove(waiter);
        if (stream?.idle) this.byName.delete(name);
      },
    };
  }

  wake(name: string): void {
    this.byName.get(name)?.wake();
  }

  /** How many names are waited on. */
  get size(): number {
    return this.byName.size;
  }
}

/**
 * Reads until `read` gives something other than undefined, or `timeoutSec` has passed.
 *
 * `read` runs at once and after each wake, in the order in which the requests came, and never for a client that has
 * gone: so what it consumes reaches somebody. What it brings about goes back to the request, not to who woke it.
 * @returns undefined on timeout or when the client is gone.
 */
export function waitFor<T>(
  stream: Waitable,
  reply: FastifyReply,
  timeoutSec: number,
  read: () => T | undefined,
): Promise<T | undefined> {
  if (reply.raw.destroyed) return Promise.resolve(undefined);
  const first = read();
  if (first !== undefined || timeoutSec <= 0) return Promise.resolve(first);
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      stream.remove(waiter);
      reply.raw.removeListener('close', gone);
    };
    const gone = (): void => {
      stop();
      resolve(undefined);
    };
    const waiter = withPresentCause(() => {
      try {
        const value = read();
        if (value === undefined) return;
        stop();
        resolve(value);
      } catch (error) {
        stop();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    // A timer's longest time is about 24 days; nobody polls longer.
    const timer = setTimeout(gone, Math.min(timeoutSec * 1000, 2_000_000_000));
    stream.add(waiter);
    reply.raw.once('close', gone);
  });
}
