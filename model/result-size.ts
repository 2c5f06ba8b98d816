/**
 * Keeps results within what Temporal carries in one payload (2 MB of JSON), by cutting outputs with a mark that tells
 * how much is missing. Pure, for activities and workflows alike.
 */
import type { CommandResult, TaskResult } from './result';

/** JSON of all outputs of one script. */
const SCRIPT_OUTPUT_JSON = 1_200_000;
/** JSON of what a workflow is given or returns: Temporal takes 2 MB, with what is around it. */
export const PAYLOAD_JSON = 1_900_000;
/** Of which at most this is not output; beyond it, the oldest attempts of each task are left out. */
const JOB_FRAME_JSON = 1_500_000;

const MARK = /\n… \[(\d+) bytes cut\]$/;

const mark = (bytes: number): string => `\n… [${bytes} bytes cut]`;

/** An output without its mark, and how many bytes that says are missing. */
export function withoutMark(text: string): { whole: string; missing: number } {
  const found = MARK.exec(text);
  return found
    ? { whole: text.slice(0, found.index), missing: Number(found[1]) }
    : { whole: text, missing: 0 };
}

/** UTF-8 bytes of one code point. */
function utf8Bytes(code: number): number {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** Bytes of one code point in a JSON string. */
function jsonBytes(code: number): number {
  if (code >= 0x80) return code >= 0xd800 && code <= 0xdfff ? 6 : utf8Bytes(code);
  if (code >= 0x20) return code === 0x22 || code === 0x5c ? 2 : 1;
  // \b \t \n \f \r; the other control characters are written \u00xx.
  return code === 0x0b || code < 0x08 || code > 0x0d ? 6 : 2;
}

function lengthOf(text: string, bytesOf: (code: number) => number): number {
  let length = 0;
  for (const character of text) length += bytesOf(character.codePointAt(0) ?? 0);
  return length;
}

/** Bytes of a plain value's JSON. */
export const jsonSize = (value: unknown): number => lengthOf(JSON.stringify(value), utf8Bytes);

const jsonLength = (text: string): number => lengthOf(text, jsonBytes);

/** The text itself, or its beginning and a mark that says how many bytes of UTF-8 are missing. */
function cut(text: string, limit: number, bytesOf: (code: number) => number): string {
  // Six bytes a UTF-16 unit is the most there can be.
  if (text.length * 6 <= limit) return text;
  let length = 0;
  let end = 0;
  for (const character of text) {
    length += bytesOf(character.codePointAt(0) ?? 0);
    if (length > limit) break;
    end += character.length;
  }
  if (end === text.length) return text;
  const { whole, missing: before } = withoutMark(text);
  const kept = whole.slice(0, end);
  const missing = lengthOf(whole.slice(kept.length), utf8Bytes) + before;
  return missing === 0 ? kept : kept + mark(missing);
}

/** Cuts captured output to so many bytes of UTF-8; the mark comes on top. */
export function cutOutput(text: string | null, limitBytes: number): string | null {
  return text === null ? null : cut(text, limitBytes, utf8Bytes);
}

/** The largest size to cut to, so that all together stay within the limit: small ones are left whole. */
function fairShare(sizes: readonly number[], limit: number): number {
  const ascending = [...sizes].sort((a, b) => a - b);
  let left = limit;
  for (const [i, size] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - i));
    if (size > share) return Math.max(0, share);
    left -= size;
  }
  return Infinity;
}

/** Room for the mark of an output that is cut. */
const MARK_JSON = 40;

/** Cuts the longest of all outputs, so that together they are at most `limit` bytes of JSON. */
export function fitOutputs(results: readonly CommandResult[], limit: number): CommandResult[] {
  const texts = results.flatMap(({ stdout, stderr }) => [stdout ?? '', stderr ?? '']);
  if (texts.reduce((sum, text) => sum + text.length * 6, 0) <= limit) return [...results];
  const share = fairShare(
    texts.map((text) => jsonLength(text) + MARK_JSON),
    limit,
  );
  if (share === Infinity) return [...results];
  const fit = (text: string | null): string | null =>
    text === null ? null : cut(text, Math.max(0, share - MARK_JSON), jsonBytes);
  return results.map((result) => ({ ...result, stdout: fit(result.stdout), stderr: fit(result.stderr) }));
}

/**
 * Results of one script as they go to the workflow.
 *
 * @param limitBytes - of UTF-8, kept of each stdout and stderr; less where all together would be too much
 */
export function fitScriptResults(results: readonly CommandResult[], limitBytes: number): CommandResult[] {
  const limited = results.map((result) => ({
    ...result,
    stdout: cutOutput(result.stdout, limitBytes),
    stderr: cutOutput(result.stderr, limitBytes),
  }));
  return fitOutputs(limited, SCRIPT_OUTPUT_JSON);
}

/** Results of a whole job as they go to whoever started it. */
export function fitTaskResults(tasks: readonly TaskResult[]): TaskResult[] {
  return fitTasks(tasks, { json: PAYLOAD_JSON, frameJson: JOB_FRAME_JSON });
}

/** What is cut of a task. */
type Cuttable = Pick<TaskResult, 'results' | 'attempts'>;

/**
 * Cuts tasks to what may travel: outputs, with a mark, so that all stays within `json` bytes of JSON, of which at most
 * `frameJson` is not output; beyond that the oldest attempts are left out.
 */
export function fitTasks<T extends Cuttable>(
  tasks: readonly T[],
  { json, frameJson }: { json: number; frameJson: number },
): T[] {
  const fitting = dropOldAttempts(tasks, frameJson);
  const fitted = fitOutputs(
    fitting.flatMap(({ results }) => results),
    json - frameSize(fitting),
  );
  let at = 0;
  return fitting.map((task) => ({ ...task, results: fitted.slice(at, (at += task.results.length)) }));
}

/** JSON of everything but the outputs. */
function frameSize(tasks: readonly Cuttable[]): number {
  const frame = tasks.map((task) => ({
    ...task,
    results: task.results.map((result) => ({ ...result, stdout: '', stderr: '' })),
  }));
  return jsonSize(frame);
}

/** Attempts keep their numbers, so that it shows when older ones are left out. */
function dropOldAttempts<T extends Cuttable>(tasks: readonly T[], limit: number): T[] {
  let kept = Math.max(1, ...tasks.map(({ attempts }) => attempts.length));
  for (let fitting = [...tasks]; ; kept = Math.ceil(kept / 2)) {
    if (kept <= 1 || frameSize(fitting) <= limit) return fitting;
    const most = Math.ceil(kept / 2);
    fitting = tasks.map((task) => ({ ...task, attempts: task.attempts.slice(-most) }));
  }
}
