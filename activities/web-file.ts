/** Files on web servers of the user's: read from some byte on, line by line, and written whole. */
import { ApplicationFailure } from '@temporalio/common';
import type { FileVersion } from '../model/job';
import { causeOf, isOurMistake } from './image';
import { failure } from './yagna';

/** A server that sends nothing for so long is asked again. */
const SILENCE_MS = 30_000;
const LINE_FEED = 0x0a;

/** What a server tells of a file. */
export type ToldVersion = Partial<FileVersion>;

export interface OpenFile {
  version: ToldVersion;
  /** From the byte that was asked for. */
  chunks: AsyncGenerator<Uint8Array>;
}

export interface FileLine {
  /** Undefined where it is longer than any that is read, or no UTF-8. */
  text?: string;
  /** From 1. */
  line: number;
  /** Byte after its end. */
  end: number;
}

/** Its query may hold a signature, which is nobody's business. */
export function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/**
 * Opens a file for reading. Whoever doesn't read it to its end must abort the signal.
 * @throws TasksNotFound - (not retried)
 * @throws TasksUnavailable - (retried)
 * @throws TasksChanged - it ends before that byte (not retried)
 */
export async function openFile(url: string, offset: number, signal: AbortSignal): Promise<OpenFile> {
  const what = `the server of ${withoutQuery(url)}`;
  const silence = new AbortController();
  const hear = (): NodeJS.Timeout => setTimeout(() => silence.abort(), SILENCE_MS);
  let timer = hear();
  const answered = async <T>(request: () => Promise<T>): Promise<T> => {
    clearTimeout(timer);
    timer = hear();
    try {
      return await request();
    } catch (error) {
      if (signal.aborted || error instanceof ApplicationFailure) throw error;
      const why = silence.signal.aborted ? `it was silent for ${SILENCE_MS / 1000} s` : causeOf(error);
      throw failure('TasksUnavailable', `${what} did not answer: ${why}`);
    } finally {
      clearTimeout(timer);
    }
  };
  const response = await answered(() =>
    fetch(url, {
      // Bytes are counted as they are in the file.
      headers: { 'accept-encoding': 'identity', ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) },
      signal: AbortSignal.any([signal, silence.signal]),
    }),
  );
  const { status, headers, body } = response;
  if (status === 416) throw failure('TasksChanged', `${withoutQuery(url)} is shorter than it was`);
  if (!response.ok || !body) {
    await body?.cancel();
    const type = isOurMistake(status) ? 'TasksNotFound' : 'TasksUnavailable';
    throw failure(type, `${what} answered ${status}`);
  }
  const range = /^bytes (\d+)-\d*\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  const begins = status === 206 ? Number(range?.[1] ?? NaN) : 0;
  if (!(begins <= offset))
    throw failure('TasksUnavailable', `${what} answered with another part of the file`);
  const reader = body.getReader();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    let skip = offset - begins;
    for (;;) {
      const { done, value } = await answered(() => reader.read());
      if (done) return;
      const skipped = Math.min(skip, value.length);
      skip -= skipped;
      if (skipped < value.length) yield value.subarray(skipped);
    }
  }
  const size = status === 206 ? range?.[2] : headers.get('content-length');
  return {
    version: {
      etag: headers.get('etag') ?? undefined,
      lastModified: headers.get('last-modified') ?? undefined,
      size: size && /^\d+$/.test(size) ? Number(size) : undefined,
    },
    chunks: chunks(),
  };
}

/** Whether a file may still be what it was. A server that tells nothing of it changes nothing. */
export function isSameVersion(before: FileVersion, now: ToldVersion): boolean {
  if (now.size !== undefined && now.size !== before.size) return false;
  if (before.etag !== undefined && now.etag !== undefined) return before.etag === now.etag;
  if (before.lastModified === undefined || now.lastModified === undefined) return true;
  return before.lastModified === now.lastModified;
}

/** @param from - where the chunks begin: the byte, and the number of its line from 1 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  from: { offset: number; line: number },
  maxBytes: number,
): AsyncGenerator<FileLine> {
  let { offset: end, line } = from;
  let held: Uint8Array[] = [];
  let length = 0;
  const take = (bytes: Uint8Array): void => {
    length += bytes.length;
    if (length <= maxBytes) held.push(bytes);
  };
  const told = (): FileLine => {
    const text = length > maxBytes ? undefined : decode(Buffer.concat(held), line === 1);
    held = [];
    length = 0;
    return { text, line: line++, end };
  };
  for await (const chunk of chunks) {
    let at = 0;
    for (let feed = chunk.indexOf(LINE_FEED); feed >= 0; feed = chunk.indexOf(LINE_FEED, at)) {
      take(chunk.subarray(at, feed));
      end += feed + 1 - at;
      at = feed + 1;
      yield told();
    }
    take(chunk.subarray(at));
    end += chunk.length - at;
  }
  if (length > 0) yield told();
}

function decode(bytes: Uint8Array, isFirst: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: !isFirst }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Writes a file by HTTP PUT.
 * @throws ResultsNotWritten - (retried)
 */
export async function putFile(url: string, content: string, signal: AbortSignal): Promise<void> {
  const what = `the server of ${withoutQuery(url)}`;
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/x-ndjson' },
      body: Buffer.from(content),
      signal,
    });
    await response.body?.cancel();
  } catch (error) {
    if (signal.aborted && signal.reason instanceof Error && signal.reason.name !== 'TimeoutError')
      throw error;
    throw failure('ResultsNotWritten', `${what} did not answer: ${causeOf(error)}`);
  }
  if (!response.ok) throw failure('ResultsNotWritten', `${what} answered ${response.status}`);
}
