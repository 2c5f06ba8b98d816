/**
 * From a recording's values to those of the network it is replayed on: ids, amounts and times are learned from the
 * answers as they come, and put into the requests that follow. Durations shrink by the replay's time scale.
 */

const ID =
  /0x[0-9a-f]{40}|R-[0-9a-f]{64}|[0-9a-f]{32}-[0-9a-f]{64}|[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}/g;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$/;
/** Amounts that are computed, and so differ: all with many decimals. */
const COMPUTED_AMOUNT = /^\d+\.\d{9,}$/;
/** Properties of a demand that are durations in seconds. */
const DURATION_PROPERTY = /interval-sec\?$|payment-timeout-sec\?$/;

/** How precise times are, by the answer's field: the most digits after the point that were seen, then and now. */
export class Precisions {
  private readonly seen = new Map<string, { samples: number; recorded: string; live: string }>();

  note(field: string, recorded: string, live: string): void {
    const of = this.seen.get(field) ?? { samples: 0, recorded: '', live: '' };
    const finer = (known: string, form: string): string => (form > known ? form : known);
    this.seen.set(field, {
      samples: of.samples + 1,
      recorded: finer(of.recorded, formOf(recorded)),
      live: finer(of.live, formOf(live)),
    });
  }

  /** Fields seen often enough that a trailing zero is no matter. */
  unlike(): string[] {
    return [...this.seen]
      .filter(([, { samples, recorded, live }]) => samples >= 3 && recorded !== live)
      .map(([field, { recorded, live }]) => `${field}: ${recorded}, now ${live}`);
  }

  get fields(): string[] {
    return [...this.seen.keys()];
  }
}

/** `9 digits Z`. */
function formOf(instant: string): string {
  const [, fraction = '.', zone = ''] = /:\d\d(\.\d+)?(Z|[+-].*)?$/.exec(instant) ?? [];
  return `${fraction.length - 1} digits ${zone.startsWith('Z') ? 'Z' : zone}`.trim();
}

export class ReplayedValues {
  private readonly spareMs: number;
  private readonly known = new Map<string, string>();
  /** When each request was sent, recorded and live, milliseconds. */
  private readonly sent: [recordedMs: number, liveMs: number][] = [];

  /**
   * @param scale how many recorded seconds pass in one
   * @param precisions where times are noted
   */
  constructor(
    readonly scale: number,
    private readonly precisions: Precisions,
  ) {
    // Answers take as long as ever, so that the times between them shrink less than deadlines do.
    this.spareMs = scale >= 10 ? 1000 : 0;
  }

  noteSent(recordedMs: number): void {
    this.sent.push([recordedMs, Date.now()]);
  }

  know(recorded: string, live: string): void {
    if (!this.known.has(recorded)) this.known.set(recorded, live);
  }

  /** Takes what two answers have in the same places. */
  learn(recorded: unknown, live: unknown, field: string): void {
    if (typeof recorded === 'string' && typeof live === 'string')
      return this.learnText(recorded, live, field);
    if (typeof recorded !== 'object' || typeof live !== 'object' || recorded === null || live === null)
      return;
    for (const [key, value] of Object.entries(recorded)) {
      const place = Array.isArray(recorded) ? field : `${field}.${key}`;
      this.learn(value, (live as Record<string, unknown>)[key], place);
    }
  }

  private learnText(recorded: string, live: string, field: string): void {
    if (INSTANT.test(recorded)) {
      if (INSTANT.test(live)) this.know(recorded, live);
      this.precisions.note(field, recorded, live);
    } else if (COMPUTED_AMOUNT.test(recorded)) {
      this.know(recorded, live);
      this.know(withoutZeros(recorded), withoutZeros(live));
    } else {
      const [before, now] = [recorded.match(ID) ?? [], live.match(ID) ?? []];
      if (before.length !== now.length) return;
      before.forEach((id, index) => this.know(id, now[index] ?? id));
    }
  }

  /** A request's text, body or query value as it has to be now. */
  text(recorded: string, recordedMs: number): string {
    const known = this.known.get(recorded);
    if (known !== undefined) return known;
    if (INSTANT.test(recorded)) return asPrecise(this.instant(Date.parse(recorded), recordedMs), recorded);
    return recorded
      .replace(ID, (id) => this.known.get(id) ?? id)
      .replace(/http:\/\/127\.0\.0\.1:7480/g, (address) => this.known.get(address) ?? address)
      .replace(/\bsleep (\d+)/g, (_, sec: string) => `sleep ${Number(sec) / this.scale}`)
      .replace(
        /("\/bin\/sleep",\s*"args":\s*\[")(\d+)/g,
        (_, start: string, sec: string) => start + Number(sec) / this.scale,
      );
  }

  body(recorded: unknown, recordedMs: number, key = ''): unknown {
    if (typeof recorded === 'string') return this.text(recorded, recordedMs);
    if (typeof recorded === 'number') {
      if (key.endsWith('expiration') && recorded > 1e12) return this.instant(recorded, recordedMs);
      if (key.endsWith('accept-timeout?'))
        return Math.max(1, Math.round(acceptTimeout(recorded, this.scale)));
      return DURATION_PROPERTY.test(key) ? Math.max(1, Math.round(recorded / this.scale)) : recorded;
    }
    if (Array.isArray(recorded)) return recorded.map((value) => this.body(value, recordedMs));
    if (typeof recorded !== 'object' || recorded === null) return recorded;
    return Object.fromEntries(
      Object.entries(recorded).map(([name, value]) => [name, this.body(value, recordedMs, name)]),
    );
  }

  /** An instant of the recording on today's clock: between the requests that were sent before and after it. */
  private instant(recordedMs: number, sendingMs: number): number {
    if (recordedMs >= sendingMs)
      return Math.round(Date.now() + (recordedMs - sendingMs) / this.scale + this.spareMs);
    const now = [sendingMs, Date.now()] as const;
    const after = this.sent.findIndex(([sentMs]) => sentMs > recordedMs);
    const next = this.sent[after] ?? now;
    const previous = after === -1 ? this.sent.at(-1) : this.sent[after - 1];
    if (!previous) return Math.floor(next[1] - (next[0] - recordedMs));
    const share = (recordedMs - previous[0]) / Math.max(1, next[0] - previous[0]);
    return Math.floor(previous[1] + share * (next[1] - previous[1]));
  }
}

/** With the digits that the recorded instant has beyond milliseconds. */
function asPrecise(liveMs: number, recorded: string): string {
  const beyond = /\.\d{3}(\d+)/.exec(recorded)?.[1] ?? '';
  return new Date(liveMs).toISOString().replace('Z', `${beyond}Z`);
}

function withoutZeros(amount: string): string {
  return amount.replace(/\.?0+$/, '');
}

/**
 * Seconds in which a debit note is to be accepted, made shorter, but for long ones that are not waited for: those would
 * get in the way.
 */
export function acceptTimeout(sec: number, scale: number): number {
  return sec < 60 || scale >= 20 ? sec / scale : sec;
}

/** Text with everything masked that no two networks have in common. */
export function masked(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?/g, '<time>')
    .replace(ID, (id) => (id.startsWith('0x') ? '<node>' : '<id>'))
    .replace(/https?:\/\/[\w.:]+/g, '<address>')
    .replace(/\d+(\.\d+)?(years|d|h|m|s)?\b|\d+(\.\d+)?/g, '<n>');
}
