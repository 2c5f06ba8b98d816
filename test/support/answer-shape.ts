/**
 * Whether two answers to the same request are alike: the same keys, types of values, and texts once ids, times and
 * numbers are masked. A list may be longer or shorter (how many notes there are is a matter of time), not empty where
 * the other one is not, and each of its elements is like one of the other's; results of a script are as many.
 */
import { masked } from './replayed-values';

/** Texts that are nobody's business: names, descriptions of hardware and versions. */
const FREE = new Set(['version', 'name', 'signature', 'details', 'constraints', 'timestamp']);
/** Free in their values, not in their names and types. */
const PROPERTIES = 'properties';

/** @returns what is not alike, by path. */
export function unlike(recorded: unknown, live: unknown, path = '', key = ''): string[] {
  const [before, now] = [typeOf(recorded), typeOf(live)];
  if (before !== now) return [`${path}: ${before}, now ${now} ${JSON.stringify(live)?.slice(0, 200)}`];
  if (Array.isArray(recorded)) return unlikeLists(recorded, live as unknown[], path);
  if (typeof recorded === 'object' && recorded !== null) {
    return unlikeObjects(recorded as JsonObject, live as JsonObject, path, key);
  }
  if (typeof recorded === 'string' && !FREE.has(key)) {
    const [text, other] = [masked(recorded), masked(live as string)];
    if (text !== other) return [`${path}: "${text.slice(0, 200)}", now "${other.slice(0, 200)}"`];
  }
  if (typeof recorded === 'boolean' && recorded !== live)
    return [`${path}: ${recorded}, now ${String(live)}`];
  return [];
}

type JsonObject = Record<string, unknown>;

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
}

function unlikeObjects(recorded: JsonObject, live: JsonObject, path: string, key: string): string[] {
  const missing = Object.keys(recorded).filter((name) => !(name in live));
  const added = Object.keys(live).filter((name) => !(name in recorded));
  return [
    ...missing.map((name) => `${path}.${name}: missing now`),
    ...added.map((name) => `${path}.${name}: new, ${JSON.stringify(live[name])}`),
    ...Object.keys(recorded)
      .filter((name) => name in live)
      .flatMap((name) =>
        key === PROPERTIES
          ? unlikeTypes(recorded[name], live[name], `${path}.${name}`)
          : unlike(recorded[name], live[name], `${path}.${name}`, name),
      ),
  ];
}

function unlikeTypes(recorded: unknown, live: unknown, path: string): string[] {
  const [before, now] = [typeOf(recorded), typeOf(live)];
  return before === now ? [] : [`${path}: ${before}, now ${now}`];
}

function unlikeLists(recorded: unknown[], live: unknown[], path: string): string[] {
  const isEmptyNow = live.length === 0 && recorded.length > 0;
  const isNew = live.length > 0 && recorded.length === 0;
  const isOfScript =
    typeof recorded[0] === 'object' && recorded[0] !== null && 'isBatchFinished' in recorded[0];
  const wantsLength = isOfScript || (Array.isArray(recorded) && path.endsWith('.state'));
  if (isEmptyNow || isNew || (wantsLength && live.length !== recorded.length)) {
    return [`${path}: ${recorded.length} elements, now ${live.length} ${JSON.stringify(live).slice(0, 200)}`];
  }
  return live.flatMap((element, index) => {
    const same = unlike(recorded[index], element, `${path}[${index}]`);
    if (same.length === 0 || wantsLength) return same;
    if (recorded.some((other) => unlike(other, element, '').length === 0)) return [];
    return index < recorded.length ? same : [`${path}[${index}]: like none of the recorded ones`];
  });
}

/** What an event stream told, in order: kinds of events with their masked texts, repetitions told once, no pings. */
export function eventKinds(stream: string): string[] {
  const kinds = [...stream.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => {
    const event = JSON.parse(data) as { index?: number; kind?: object };
    return event.kind ? `${event.index} ${masked(JSON.stringify(event.kind))}` : masked(data);
  });
  const told = kinds.filter((kind, index) => kind !== kinds[index - 1]);
  return told.length === 0 && stream.includes(':ping') ? [':ping'] : told;
}
