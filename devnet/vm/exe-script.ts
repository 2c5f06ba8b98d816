/**
 * The commands of a script, read from the JSON text that a requestor sends, with complaints in yagna's words.
 * What the commands do is in golem-activity.ts.
 */
import { z } from 'zod';
import { tooDeepAt } from '../server/json-text';
import type { VmNetwork } from './machine';
import { parseDuration, type ProgressArgs } from './progress';

/** How a stream of a command is kept: whole, its first or last bytes, and whether it is sent as it comes. */
export interface CaptureMode {
  stream: boolean;
  format: 'str' | 'bin';
  /** Keep only this many bytes, of which part; all when absent. */
  part?: { of: 'head' | 'tail' | 'headTail'; bytes: number };
}

export interface Capture {
  stdout?: CaptureMode;
  stderr?: CaptureMode;
}

export interface RunCommand {
  name: 'run';
  entryPoint: string;
  args: string[];
  capture: Capture;
}

export interface TransferCommand {
  name: 'transfer';
  from: string;
  to: string;
  /** Archive format such as `tar.gz`. */
  format?: string;
  /** Present: progress is reported. */
  progress?: ProgressArgs;
}

export interface DeployCommand {
  name: 'deploy';
  volumes: string[];
  networks: VmNetwork[];
  progress?: ProgressArgs;
}

export type Command =
  | RunCommand
  | TransferCommand
  | DeployCommand
  | { name: 'start'; args: string[] }
  | { name: 'sign' }
  | { name: 'terminate' };

export class ScriptSyntaxError extends Error {
  constructor(complaint: string, column: number) {
    // A quoted Rust string, as in yagna's answer.
    super(`Error(${JSON.stringify(complaint)}, line: 1, column: ${column})`);
  }
}

const VARIANTS = ['sign', 'deploy', 'start', 'run', 'transfer', 'terminate'] as const;

const format = z
  .enum(['str', 'string', 'bin', 'binary'])
  .nullish()
  .transform((value) => (value === 'bin' || value === 'binary' ? ('bin' as const) : ('str' as const)));
const size = z.number().int().nonnegative().nullish();

// Parts are keys of `atEnd` itself; yagna ignores unknown keys, a `part` among them.
const captureMode = z
  .union([
    z.object({ atEnd: z.object({ head: size, tail: size, headTail: size, format }) }),
    z.object({ stream: z.object({ limit: size, format }) }),
  ])
  .transform((mode): CaptureMode => {
    if ('stream' in mode) {
      const { limit, format } = mode.stream;
      return { stream: true, format, ...(limit != null && { part: { of: 'head' as const, bytes: limit } }) };
    }
    for (const side of ['head', 'tail', 'headTail'] as const) {
      const bytes = mode.atEnd[side];
      if (bytes != null) return { stream: false, format: mode.atEnd.format, part: { of: side, bytes } };
    }
    return { stream: false, format: mode.atEnd.format };
  })
  .nullish()
  .transform((mode) => mode ?? undefined);

const progress = z
  .record(z.string(), z.unknown())
  .superRefine((args, context) => {
    const interval = args['update-interval'] ?? undefined;
    if (interval === undefined || (typeof interval === 'string' && parseDuration(interval) !== undefined))
      return;
    context.addIssue({ code: 'custom', path: ['update-interval'], message: 'no duration' });
  })
  .nullish()
  .transform((wire): ProgressArgs | undefined => {
    if (wire == null) return undefined;
    const interval = wire['update-interval'];
    const intervalMs = typeof interval === 'string' ? parseDuration(interval) : undefined;
    return { wire, ...(intervalMs !== undefined && { intervalMs }) };
  });

/** `null` for what is absent, as some clients send it. */
const optional = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined);

const network = z.object({
  ...{ id: z.string(), ip: z.string(), mask: optional, gateway: optional, nodeIp: z.string() },
  /** Node id by address. */
  nodes: z.record(z.string(), z.string()),
});

const BODIES = {
  sign: z.object({}).transform((): Command => ({ name: 'sign' })),
  terminate: z.object({}).transform((): Command => ({ name: 'terminate' })),
  deploy: z
    .object({
      volumes: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).nullish(),
      net: z.array(network).nullish(),
      progress,
    })
    .transform(({ volumes, net, progress }): Command => {
      const paths = Array.isArray(volumes) ? volumes : Object.keys(volumes ?? {});
      return { name: 'deploy', volumes: paths, networks: net ?? [], ...(progress && { progress }) };
    }),
  start: z
    .object({ args: z.array(z.string()).default([]) })
    .transform(({ args }): Command => ({ name: 'start', args })),
  run: z
    .object({
      entry_point: z.string(),
      args: z.array(z.string()).default([]),
      capture: z.object({ stdout: captureMode, stderr: captureMode }).nullish(),
    })
    .transform(({ entry_point, args, capture }): Command => ({
      name: 'run',
      entryPoint: entry_point,
      args,
      capture: capture ?? {},
    })),
  transfer: z
    .object({ from: z.string(), to: z.string(), format: z.string().nullish(), progress })
    .transform(({ from, to, format, progress }): Command => ({
      name: 'transfer',
      from,
      to,
      ...(format != null && { format }),
      ...(progress && { progress }),
    })),
};

/** @throws ScriptSyntaxError */
export function parseScript(text: string): Command[] {
  const script = parseJson(text);
  if (!Array.isArray(script)) {
    throw new ScriptSyntaxError(`invalid type: ${typeName(script)}, expected a sequence`, 0);
  }
  return script.map((command) => parseCommand(command, text));
}

function parseCommand(command: unknown, text: string): Command {
  const entries = typeof command === 'object' && command !== null ? Object.entries(command) : [];
  const [first] = entries;
  if (entries.length !== 1 || !first || Array.isArray(command)) {
    throw new ScriptSyntaxError('expected value', text.length);
  }
  const [key, body] = first;
  const variant = VARIANTS.find((name) => name === key);
  if (!variant) {
    const expected = VARIANTS.map((name) => `\`${name}\``).join(', ');
    const complaint = `unknown variant \`${key}\`, expected one of ${expected}`;
    throw new ScriptSyntaxError(complaint, text.indexOf(JSON.stringify(key)) + JSON.stringify(key).length);
  }
  const parsed = BODIES[variant].safeParse(body);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path ?? [];
  const value = path.reduce<unknown>(
    (at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step],
    body,
  );
  const complaint =
    path.length > 0 && value === undefined
      ? `missing field \`${String(path.at(-1))}\``
      : `invalid type: ${typeName(value)}`;
  throw new ScriptSyntaxError(complaint, text.length);
}

function parseJson(text: string): unknown {
  const column = tooDeepAt(text);
  if (column !== undefined) throw new ScriptSyntaxError('recursion limit exceeded', column);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (/^[tfn]/.test(text)) throw new ScriptSyntaxError('expected ident', 2);
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    if (text.trim() === '' || position === undefined) {
      throw new ScriptSyntaxError('EOF while parsing a value', text.length);
    }
    throw new ScriptSyntaxError('expected value', Number(position) + 1);
  }
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'number') return `integer \`${value}\``;
  if (typeof value === 'string') return `string ${JSON.stringify(value)}`;
  if (typeof value === 'boolean') return `boolean \`${value}\``;
  return Array.isArray(value) ? 'sequence' : 'map';
}

/** A command as yagna's event stream repeats it. */
export function wireForm(command: Command): object {
  switch (command.name) {
    case 'run': {
      const { stdout, stderr } = command.capture;
      const capture = {
        ...(stdout && { stdout: wireCapture(stdout) }),
        ...(stderr && { stderr: wireCapture(stderr) }),
      };
      const run = { entry_point: command.entryPoint, args: command.args };
      return { run: stdout || stderr ? { ...run, capture } : run };
    }
    case 'transfer':
      return {
        transfer: {
          ...{ from: command.from, to: command.to, format: command.format ?? null },
          ...(command.progress && { progress: command.progress.wire }),
        },
      };
    case 'deploy':
      return {
        deploy: {
          ...{ net: command.networks, hosts: {} },
          ...(command.volumes.length > 0 && { volumes: command.volumes }),
          ...(command.progress && { progress: command.progress.wire }),
        },
      };
    case 'start':
      return { start: { args: command.args } };
    default:
      return { [command.name]: {} };
  }
}

function wireCapture(mode: CaptureMode): object {
  const { part, format } = mode;
  if (mode.stream) return { stream: { ...(part && { limit: part.bytes }), format } };
  return { atEnd: { ...(part && { [part.of]: part.bytes }), format } };
}
