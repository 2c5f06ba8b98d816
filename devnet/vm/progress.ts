/**
 * Progress of a `deploy` or `transfer` command as the event stream tells it to who asked for it with the command's
 * `progress` field: bytes, in one step, not more often than asked. As with yagna's exe-unit, `update-step` is ignored.
 */

export interface ProgressArgs {
  /** Default 1,000. */
  intervalMs?: number;
  /** As the requestor wrote it, for repeating it. */
  wire: Record<string, unknown>;
}

/** As the event stream carries it. */
export interface ProgressJson {
  step: [number, number];
  message: string | null;
  /** Bytes done, and of how many when that is known. */
  progress: [number, number | null];
  unit: 'Bytes';
}

const DEFAULT_INTERVAL_MS = 1000;

export class Progress {
  private done: [number, number | null] = [0, null];
  private toldMs = Date.now();

  constructor(
    private readonly args: ProgressArgs,
    private readonly emit: (progress: ProgressJson) => void,
  ) {}

  /** Told when the last time is long enough ago. */
  at(bytes: number, size: number | null): void {
    this.done = [bytes, size];
    if (Date.now() - this.toldMs >= (this.args.intervalMs ?? DEFAULT_INTERVAL_MS)) this.tell(null);
  }

  /** Told at once, with the last numbers. */
  say(message: string): void {
    this.tell(message);
  }

  private tell(message: string | null): void {
    this.toldMs = Date.now();
    this.emit({ step: [0, 1], message, progress: this.done, unit: 'Bytes' });
  }
}

const UNIT_MS: [RegExp, number][] = [
  [/^(nsec|ns)$/, 1e-6],
  [/^(usec|us)$/, 1e-3],
  [/^(msec|ms)$/, 1],
  [/^(seconds?|secs?|s)$/, 1000],
  [/^(minutes?|mins?|m)$/, 60_000],
  [/^(hours?|hrs?|h)$/, 3_600_000],
  [/^(days?|d)$/, 86_400_000],
];

/** Milliseconds of a duration such as `1m 30s` or `300ms`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\s*\d+\s*[a-z]+)+\s*$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit = ''] of text.matchAll(/(\d+)\s*([a-z]+)/g)) {
    const factor = UNIT_MS.find(([names]) => names.test(unit))?.[1];
    if (factor === undefined) return undefined;
    total += Number(number) * factor;
  }
  return total;
}
