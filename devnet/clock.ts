/**
 * Time and ids as yagna writes them: instants in nanoseconds, never twice the same, printed with 0, 3, 6 or 9
 * fractional digits.
 */
import { randomBytes, randomUUID } from 'node:crypto';

let lastNanos = 0n;
let lastMicros = 0n;

/** Nanoseconds since the epoch; strictly increasing within the process. */
export function nowNanos(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
  lastNanos = now > lastNanos ? now : lastNanos + 1n;
  return lastNanos;
}

/** An instant for an event: whole microseconds, strictly increasing, so that `afterTimestamp` never skips one. */
export function nextEventNanos(): bigint {
  const micros = nowNanos() / 1000n;
  lastMicros = micros > lastMicros ? micros : lastMicros + 1n;
  return lastMicros * 1000n;
}

/** RFC 3339 in UTC with as many fractional digits as needed, in steps of three. */
export function formatNanos(nanos: bigint): string {
  const seconds = new Date(Number(nanos / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  let fraction = (nanos % 1_000_000_000n).toString().padStart(9, '0');
  while (fraction.endsWith('000')) fraction = fraction.slice(0, -3);
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

/** The same, cut to milliseconds. */
export function formatMillis(nanos: bigint): string {
  return formatNanos((nanos / 1_000_000n) * 1_000_000n);
}

/** As providers print a time in their messages: `2026-11-22 05:15:09.683 UTC`. */
export function formatForPeople(epochMs: number): string {
  return `${new Date(epochMs).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

/** Nanoseconds of an RFC 3339 text; undefined when it is none. */
export function parseRfc3339(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:?\d\d)$/.exec(text);
  if (!match) return undefined;
  const [, date, time, fraction = '', zone = 'Z'] = match;
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase() === 'Z' ? 'Z' : zone}`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}

/** Seconds as providers print a duration: `10s`, `2m`, `1h 30m`, `1s 500ms`. */
export function formatDuration(seconds: number): string {
  if (seconds <= 0) return '0s';
  const parts: string[] = [];
  const micros = Math.round(seconds * 1e6);
  let rest = Math.floor(micros / 1e6);
  for (const [unit, size] of [
    ['years', 31_557_600],
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  const millis = Math.floor((micros % 1e6) / 1000);
  if (millis > 0) parts.push(`${millis}ms`);
  if (micros % 1000 > 0) parts.push(`${micros % 1000}us`);
  return parts.length === 0 ? '0s' : parts.join(' ');
}

/** Seconds as providers print the length of their idle limit: `90s`, `1.5s`, `250ms`. */
export function formatSpan(seconds: number): string {
  if (seconds >= 1 || seconds === 0) return `${Number(seconds.toFixed(6))}s`;
  return `${Number((seconds * 1000).toFixed(3))}ms`;
}

export function hexId(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

/** Id of a demand, offer or subscription: 32 and 64 hex digits. */
export function subscriptionId(): string {
  return `${hexId(16)}-${hexId(32)}`;
}

/** Id of a proposal, on the requestor's side. */
export function proposalId(): string {
  return `R-${hexId(32)}`;
}

export function agreementId(): string {
  return hexId(32);
}

/** Id of an allocation, note, invoice or payment. */
export function documentId(): string {
  return randomUUID();
}
