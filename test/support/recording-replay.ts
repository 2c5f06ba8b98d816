/**
 * Replays recorded exchanges against a devnet, as they overlapped then and in the same order, in a fraction of the time,
 * and says of each answer in what it differs from the recorded one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Devnet } from '../../devnet';
import { eventKinds, unlike } from './answer-shape';
import { recording, type Exchange } from './recorded-yagna';
import { masked, type ReplayedValues } from './replayed-values';

export interface RecordedExchange extends Exchange {
  ts: string;
  ms: number;
  aborted?: boolean;
  requestHeaders?: Record<string, string>;
}

/** One exchange: its file and its place in it, from 0. */
export interface Step {
  name: string;
  exchange: RecordedExchange;
  startMs: number;
  endMs: number;
}

export interface Outcome {
  name: string;
  what: string;
  /** Empty: alike. */
  differences: string[];
}

export type ByHand = (devnet: Devnet) => Promise<void> | void;

export interface Chain {
  files: readonly string[];
  /** Recordings that made what these use; they are replayed too, and looked at elsewhere. */
  setup: readonly string[];
  /** How many recorded seconds pass in one. */
  scale: number;
  /** Names of exchanges that are left out. */
  skip: ReadonlySet<string>;
  /** What somebody did by hand before an exchange was sent, by its name. */
  before: Record<string, ByHand>;
  /** The same, while those before it were still under way. */
  meanwhile: Record<string, ByHand>;
}

/** Longer ones were pauses of whoever recorded. */
const LONGEST_PAUSE_MS = 15_000;
const CUT_PAUSE_MS = 2_000;

export function stepsOf(files: readonly string[]): Step[] {
  return files
    .flatMap((file) =>
      (recording(file) as RecordedExchange[]).map((exchange, index) => {
        const startMs = Date.parse(exchange.ts);
        return { name: `${file} ${index}`, exchange, startMs, endMs: startMs + exchange.ms };
      }),
    )
    .sort((a, b) => a.startMs - b.startMs);
}

export async function replay(devnet: Devnet, chain: Chain, values: ReplayedValues): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const running = new Map<Step, Promise<void>>();
  let previousMs: number | undefined;
  for (const step of stepsOf([...chain.setup, ...chain.files])) {
    const { name, startMs } = step;
    await chain.meanwhile[name]?.(devnet);
    // What was over then is over now, before the next one is sent.
    let idleSinceMs = previousMs ?? startMs;
    for (const [earlier, done] of running) {
      if (earlier.endMs > startMs) continue;
      await done;
      idleSinceMs = Math.max(idleSinceMs, earlier.endMs);
      running.delete(earlier);
    }
    const pauseMs = startMs - idleSinceMs;
    if (pauseMs > 100) await delay((pauseMs > LONGEST_PAUSE_MS ? CUT_PAUSE_MS : pauseMs) / chain.scale);
    await chain.before[name]?.(devnet);
    previousMs = startMs;
    values.noteSent(startMs);
    if (chain.skip.has(name)) continue;
    const isSetup = chain.setup.some((file) => name.startsWith(`${file} `));
    const done = send(devnet, step, values).then((outcome) => void (isSetup || outcomes.push(outcome)));
    running.set(step, done);
  }
  await Promise.all(running.values());
  return outcomes;
}

/** Without ids. */
function routeOf({ method, path }: RecordedExchange): string {
  return `${method} ${path.replace(/\/[^/]*\d[^/]{6,}/g, '/:id')}`;
}

interface LiveAnswer {
  /** 0: no answer. */
  status: number;
  contentType: string | undefined;
  text: string;
}

async function send(devnet: Devnet, step: Step, values: ReplayedValues): Promise<Outcome> {
  const { exchange, name, startMs } = step;
  const url = `${devnet.url}${values.text(exchange.path, startMs)}${queryOf(exchange, values, startMs)}`;
  const live = await call(url, exchange, devnet.appKey, values, startMs);
  const json = parsed(live);
  if (live.status === exchange.status) values.learn(exchange.responseBody, json, routeOf(exchange));
  return {
    name,
    what: `${exchange.method} ${exchange.path}`,
    differences: differencesOf(step, live, json),
  };
}

async function call(
  url: string,
  exchange: RecordedExchange,
  appKey: string,
  values: ReplayedValues,
  startMs: number,
): Promise<LiveAnswer> {
  const body = bodyOf(exchange, values, startMs);
  const wrongType = exchange.note === 'wrong content type';
  const headers: Record<string, string> = {
    ...authorization(exchange.note, appKey),
    ...(body !== undefined && { 'content-type': wrongType ? 'text/plain' : 'application/json' }),
    ...exchange.requestHeaders,
  };
  const abort = new AbortController();
  const answer: LiveAnswer = { status: 0, contentType: undefined, text: '' };
  if (exchange.aborted === true) void hangUp(abort, exchange, answer, values.scale);
  try {
    const response = await fetch(url, { method: exchange.method, headers, body, signal: abort.signal });
    answer.status = response.status;
    answer.contentType = response.headers.get('content-type') ?? undefined;
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? [])
      answer.text += decoder.decode(chunk as Uint8Array, { stream: true });
  } catch {
    // Nobody there, or one of the two has hung up: what has come so far is the answer.
  }
  return answer;
}

/** Hangs up when the recorder did, or a little later when less has been told by then. */
async function hangUp(
  abort: AbortController,
  { ms, responseBody }: RecordedExchange,
  answer: LiveAnswer,
  scale: number,
): Promise<void> {
  await delay(ms / scale);
  const told = eventKinds(String(responseBody ?? '')).length;
  for (let tries = 0; tries < 20 && eventKinds(answer.text).length < told; tries++) await delay(100);
  abort.abort();
}

function authorization(note: string | undefined, appKey: string): Record<string, string> {
  if (/^(no key|missing key|unknown route without key|key in query)/.test(note ?? '')) return {};
  if (note === 'Basic scheme') return { authorization: 'Basic dGVzdDp0ZXN0' };
  return { authorization: `Bearer ${note === 'wrong key' ? 'nobody' : appKey}` };
}

function bodyOf(
  { note, requestBody }: RecordedExchange,
  values: ReplayedValues,
  startMs: number,
): string | undefined {
  if (note === 'empty body') return '';
  if (note?.endsWith('null body') === true) return 'null';
  if (requestBody === undefined) return undefined;
  const body = values.body(requestBody, startMs);
  // The recordings have broken JSON as text, and one text that was sent as JSON.
  return typeof body === 'string' && note !== 'create with bare string body' ? body : JSON.stringify(body);
}

function queryOf(exchange: RecordedExchange, values: ReplayedValues, startMs: number): string {
  const { query } = exchange;
  if (!query) return '';
  const live = Object.entries(query).map(([name, value]): [string, string] => {
    if (name === 'authToken') return [name, 'try_golem'];
    if (name === 'timeout' && Number(value) > 0)
      return [name, String(timeoutOf(exchange, Number(value), values.scale))];
    return [
      name,
      value
        .split(',')
        .map((part) => values.text(part, startMs))
        .join(','),
    ];
  });
  return `?${new URLSearchParams(live).toString()}`;
}

/** A poll that was answered before its time may take some more of it: answers don't come sooner in shortened time. */
const SPARE_SEC = 3;

function timeoutOf({ path, ms }: RecordedExchange, sec: number, scale: number): number {
  // Creating and destroying takes as long as it takes.
  if (/activity$|activity\/[0-9a-f]{32}$/.test(path)) return sec;
  return sec / scale + (ms < sec * 1000 ? SPARE_SEC : 0);
}

function parsed({ contentType, text }: LiveAnswer): unknown {
  if (text === '') return null;
  // yagna calls some of its JSON text.
  return contentType?.includes('json') === true || text.startsWith('{"message"') ? JSON.parse(text) : text;
}

function differencesOf({ exchange, name }: Step, live: LiveAnswer, json: unknown): string[] {
  const { status, contentType, responseBody } = exchange;
  if (status === 0 && live.status === 0) return [];
  if (status === 0 && exchange.aborted === true)
    return live.text === '' ? [] : [`an answer: ${live.text.slice(0, 200)}`];
  if (status !== live.status) return [`status ${status}, now ${live.status} ${live.text.slice(0, 300)}`];
  if (contentType !== live.contentType) return [`content type ${contentType}, now ${live.contentType}`];
  if (contentType === 'text/event-stream') {
    const [told, now] = [eventKinds(String(responseBody ?? '')), eventKinds(live.text)];
    return JSON.stringify(told) === JSON.stringify(now)
      ? []
      : [`told ${told.join('; ')}, now ${now.join('; ')}`];
  }
  if (typeof responseBody === 'string' && contentType?.includes('json') !== true) {
    const [text, now] = [masked(responseBody), masked(live.text)];
    return text === now ? [] : [`"${text.slice(0, 200)}", now "${now.slice(0, 200)}"`];
  }
  // Cut by the recorder.
  if (typeof responseBody === 'string' && /^[[{]/.test(responseBody)) return [];
  const differences = unlike(responseBody ?? null, json);
  // golem-js reads state and usage while scripts begin and end: which it gets is a matter of milliseconds.
  return name.startsWith('d')
    ? differences.filter((text) => !/^\.(state\[1\]|currentUsage):/.test(text))
    : differences;
}
