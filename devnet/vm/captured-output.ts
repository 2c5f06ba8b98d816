/** What is kept of a command's stdout or stderr, bounded in memory whatever the command writes. */
import { isUtf8 } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import type { CaptureMode, Command } from './exe-script';

/** The most that is kept of one stream of one command, bytes. What comes after is dropped silently. */
export const MAX_KEPT_BYTES = 8 * 1024 * 1024;

/** Output in the form in which the requestor gets it: text, or bytes as numbers. */
export type OutputJson = string | number[];

export interface Output {
  format: 'str' | 'bin';
  bytes: Buffer;
}

/** Text that is not UTF-8 is read as Latin-1, as yagna does, so that no byte is lost. */
export function outputJson(output: Output | undefined): OutputJson | null {
  if (!output) return null;
  if (output.format === 'bin') return [...output.bytes];
  return isUtf8(output.bytes) ? output.bytes.toString('utf8') : output.bytes.toString('latin1');
}

export class CapturedOutput {
  private readonly head: Buffer[] = [];
  private headLeft: number;
  private readonly tail: Buffer[] = [];
  private tailBytes = 0;
  private readonly tailLimit: number;
  private readonly decoder = new StringDecoder('utf8');

  /** Without a mode nothing is kept. */
  constructor(private readonly mode: CaptureMode | undefined) {
    const bytes = Math.min(mode?.part?.bytes ?? MAX_KEPT_BYTES, MAX_KEPT_BYTES);
    const part = mode?.part?.of ?? 'head';
    this.headLeft = !mode || part === 'tail' ? 0 : part === 'head' ? bytes : Math.ceil(bytes / 2);
    this.tailLimit = !mode || part === 'head' ? 0 : part === 'tail' ? bytes : Math.floor(bytes / 2);
  }

  /** @returns what of the chunk is to be streamed, if anything. */
  write(chunk: Buffer): OutputJson | undefined {
    const limited = this.mode?.part !== undefined;
    const kept = chunk.subarray(0, this.headLeft);
    if (kept.length > 0) {
      this.head.push(kept);
      this.headLeft -= kept.length;
    }
    const rest = chunk.subarray(kept.length);
    if (this.tailLimit > 0 && rest.length > 0) this.writeTail(rest);
    const streamed = limited ? kept : chunk;
    if (!this.mode?.stream || streamed.length === 0) return undefined;
    if (this.mode.format === 'bin') return [...streamed];
    const text = this.decoder.write(streamed);
    return text === '' ? undefined : text;
  }

  /** Undefined when nothing was written or kept. */
  output(): Output | undefined {
    const tail = Buffer.concat(this.tail);
    const bytes = Buffer.concat([...this.head, tail.subarray(Math.max(0, tail.length - this.tailLimit))]);
    return bytes.length === 0 ? undefined : { format: this.mode?.format ?? 'str', bytes };
  }

  private writeTail(chunk: Buffer): void {
    this.tail.push(chunk);
    this.tailBytes += chunk.length;
    for (
      let first = this.tail[0];
      first && this.tailBytes - first.length >= this.tailLimit;
      first = this.tail[0]
    ) {
      this.tail.shift();
      this.tailBytes -= first.length;
    }
  }
}

/** What a command writes, as far as it is kept. */
export interface Captures {
  stdout: CapturedOutput;
  stderr: CapturedOutput;
}

/** `run` says what is to be kept; of the others it is all. */
export function capturesOf(command: Command): Captures {
  const whole = { stream: true, format: 'str' as const };
  const { stdout, stderr } = command.name === 'run' ? command.capture : { stdout: whole, stderr: whole };
  return { stdout: new CapturedOutput(stdout), stderr: new CapturedOutput(stderr) };
}
