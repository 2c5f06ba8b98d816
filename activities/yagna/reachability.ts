/**
 * Whether the yagna of a connection answers, as all requests of this process have found: a change is told once, not by
 * everybody who waits.
 */
import type { YagnaError } from './errors';

export interface ConnectionChange {
  /** Name of the connection. */
  connection: string;
  /** `away`: yagna does not answer. `refused`: it refuses the app key. `up`: it answers (again). */
  state: 'up' | 'away' | 'refused';
  /** Where it is, or should be: scheme, host and port. */
  url: string;
  /** All of it in one line, for a log. */
  line: string;
}

export class Reachability {
  private state: ConnectionChange['state'] | 'unknown' = 'unknown';
  private sinceMs: number;
  /** When a request was lost that no answer has followed yet. */
  private doubtMs: number | undefined;

  constructor(
    private readonly connection: string,
    private readonly tell: (change: ConnectionChange) => void,
    private readonly now: () => number = Date.now,
  ) {
    this.sinceMs = now();
  }

  /** How long it has been answering without a break, in ms; 0 when it does not. */
  get upForMs(): number {
    return this.state === 'up' ? this.now() - this.sinceMs : 0;
  }

  /** @param tookKey - false where yagna asks for no key */
  answered(url: string, tookKey = true): void {
    this.doubtMs = undefined;
    if (this.state === 'refused' && !tookKey) return;
    const before = this.state;
    const seconds = Math.round((this.now() - this.sinceMs) / 1000);
    if (before === 'away') this.change('up', url, `answers again after ${seconds} s`);
    else if (before === 'refused') this.change('up', url, `takes the app key again after ${seconds} s`);
    else if (before === 'unknown') this.enter('up');
  }

  /** @param startedMs - when the request was sent */
  failed(url: string, error: YagnaError, startedMs: number): void {
    if (error.status === 401) {
      this.doubtMs = undefined;
      if (this.state === 'refused') return;
      this.change('refused', url, `refuses the app key (401): ${error.detail}; give the worker a valid one`);
      return;
    }
    if (error.unanswered === undefined) return this.answered(url);
    if (this.state === 'away') return;
    // One lost connection is no absence: the next request tells. A refused one is, for nobody is listening.
    const certain = error.kind === 'unreachable' || this.state === 'unknown';
    if (!certain && (this.doubtMs === undefined || startedMs < this.doubtMs)) {
      this.doubtMs ??= this.now();
      return;
    }
    this.change('away', url, `does not answer (${error.unanswered}); waiting for it`);
  }

  private change(state: ConnectionChange['state'], url: string, what: string): void {
    this.enter(state);
    const line = `connection ${this.connection}: yagna at ${url} ${what}`;
    this.tell({ connection: this.connection, state, url, line });
  }

  private enter(state: ConnectionChange['state']): void {
    this.state = state;
    this.sinceMs = this.now();
    this.doubtMs = undefined;
  }
}
