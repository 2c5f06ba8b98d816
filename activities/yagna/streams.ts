/**
 * yagna's event streams (agreements, debit notes, invoices), each read by one long poll per process and connection,
 * however many watch it. An event here is a wake-up and no more: who is woken reads the state from yagna. Since a
 * listener hears nothing while yagna is away, it should also look by itself now and then.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { backoffMs, YAGNA_BACKOFF } from '../../model/backoff';
import type { Yagna } from './connection';
import type { AgreementEvent, DebitNoteEvent, InvoiceEvent } from './wire';

/** How long one poll waits, seconds. */
export const STREAM_POLL_SEC = 45;
/** A stream that brings nothing new asks no more often than this. */
const IDLE_INTERVAL_MS = 10_000;
/** How far before the first subscription events are read, for clocks differ a little. */
const LOOK_BACK_MS = 5_000;
const REMEMBERED = 1_000;

export interface StreamEvents {
  agreement: AgreementEvent;
  debitNote: DebitNoteEvent;
  invoice: InvoiceEvent;
}
export type StreamKind = keyof StreamEvents;

export interface EventStreamsOptions {
  /** yagna's time, ms since 1970. Default: our clock. */
  now?: () => number;
  /** Waits between polls; rejects when aborted. */
  pause?: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** Told of each poll that failed. */
  onFailure?: (kind: StreamKind, error: unknown) => void;
}

type StreamSource = Pick<Yagna, 'agreementEvents' | 'debitNoteEvents' | 'invoiceEvents'>;

export class EventStreams {
  private readonly streams: { [K in StreamKind]: Stream<StreamEvents[K]> };

  constructor(yagna: StreamSource, options: EventStreamsOptions = {}) {
    this.streams = {
      agreement: new Stream('agreement', (query, signal) => yagna.agreementEvents(query, signal), options),
      debitNote: new Stream('debitNote', (query, signal) => yagna.debitNoteEvents(query, signal), options),
      invoice: new Stream('invoice', (query, signal) => yagna.invoiceEvents(query, signal), options),
    };
  }

  /**
   * Hears every event of that stream from now on, whose it may be.
   * @returns ends the subscription; the poll stops with the last
   */
  subscribe<K extends StreamKind>(kind: K, listener: (event: StreamEvents[K]) => void): () => void {
    return this.streams[kind].subscribe(listener);
  }
}

interface PollQuery {
  afterTimestamp: string;
  timeoutSec: number;
}

class Stream<E extends { eventDate: string; eventType: string }> {
  private readonly listeners = new Set<(event: E) => void>();
  private readonly seen = new Set<string>();
  private running: AbortController | undefined;
  private readonly now: () => number;
  private readonly pause: (ms: number, signal: AbortSignal) => Promise<unknown>;

  constructor(
    private readonly kind: StreamKind,
    private readonly poll: (query: PollQuery, signal: AbortSignal) => Promise<E[]>,
    private readonly options: EventStreamsOptions,
  ) {
    this.now = options.now ?? Date.now;
    this.pause = options.pause ?? ((ms, signal) => delay(ms, undefined, { signal }));
  }

  subscribe(listener: (event: E) => void): () => void {
    // A wrapper, so that the same function given twice is two subscriptions; what it does is traced as its subscriber's.
    const entry = context.bind(context.active(), (event: E) => listener(event));
    this.listeners.add(entry);
    if (this.running === undefined) {
      this.running = new AbortController();
      const { signal } = this.running;
      // It outlives who came first, and serves all: each poll is a trace of its own.
      context.with(ROOT_CONTEXT, () => void this.run(signal));
    }
    return () => {
      this.listeners.delete(entry);
      if (this.listeners.size > 0) return;
      this.running?.abort();
      this.running = undefined;
    };
  }

  /** Never rejects: ends when aborted. */
  private async run(signal: AbortSignal): Promise<void> {
    let after = new Date(this.now() - LOOK_BACK_MS).toISOString();
    let failures = 0;
    while (!signal.aborted) {
      const started = this.now();
      let waitMs = 0;
      try {
        const events = await this.poll({ afterTimestamp: after, timeoutSec: STREAM_POLL_SEC }, signal);
        failures = 0;
        let news = false;
        for (const event of events) {
          // The rest is for the poll of who comes next.
          if (signal.aborted) return;
          if (isLater(event.eventDate, after)) {
            after = event.eventDate;
            news = true;
          }
          if (!this.remember(event)) continue;
          news = true;
          this.deliver(event);
        }
        if (!news) waitMs = Math.max(0, IDLE_INTERVAL_MS - (this.now() - started));
      } catch (error) {
        if (signal.aborted) return;
        this.options.onFailure?.(this.kind, error);
        waitMs = backoffMs(failures++, YAGNA_BACKOFF, Math.random);
      }
      if (waitMs > 0) await this.pause(waitMs, signal).catch(() => undefined);
    }
  }

  private deliver(event: E): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(event);
      } catch {
        // One watcher's mistake must not deafen the others.
      }
    }
  }

  /** False when it was here before. */
  private remember(event: E): boolean {
    const key = JSON.stringify(event);
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    if (this.seen.size > REMEMBERED) {
      for (const oldest of this.seen) {
        this.seen.delete(oldest);
        break;
      }
    }
    return true;
  }
}

/** Compares RFC 3339 timestamps to the last digit, which Date does not keep. */
function isLater(a: string, b: string): boolean {
  const ms = Date.parse(a) - Date.parse(b);
  return ms === 0 ? fraction(a) > fraction(b) : ms > 0;
}

function fraction(timestamp: string): string {
  return (/\.(\d+)/.exec(timestamp)?.[1] ?? '').padEnd(9, '0');
}
