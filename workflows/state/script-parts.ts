/**
 * A task's script as it is really sent: in one part where nothing asks for more; what is left of it once more, when a
 * transfer failed; and where the task has checkpoints, its program in the background and its files out at an interval. Pure
 * functions over plain data: which part comes first, and what follows from how a part ended.
 */
import type { BatchId } from '../../model/ids';
import type { ScriptCommand } from '../../activities/contract';
import type { CheckpointSpec, RunCommand } from '../../model/job';
import type { CommandResult } from '../../model/result';

/** What the parts of a task, a script from outside or a VM's setup are made from. */
export interface WholeScript {
  /** Unique in the VM, of letters, digits and `-`. */
  key: string;
  commands: ScriptCommand[];
  checkpoint?: CheckpointSpec;
  /** An attempt before may have left a checkpoint. */
  restore: boolean;
  /** One is known to have been stored: it is waited for, unless its server says that there is none. Default false. */
  stored?: boolean;
}

export interface Parts {
  whole: WholeScript;
  stage: 'plain' | 'restore' | 'launch' | 'wait' | 'collect';
  /** Position in the whole of the present part's first command. */
  offset: number;
  /** Results of commands before. */
  kept: CommandResult[];
  /** Batch ids of the parts before, the newest. */
  batches: BatchId[];
  /** Failures of transfers since one succeeded. */
  failures: number;
  checkpoints: number;
}

/** A part to be sent, after a pause. */
export interface Part {
  commands: ScriptCommand[];
  pauseMs: number;
}

export interface PartEnd {
  state: 'done' | 'failed';
  results: CommandResult[];
  batchId?: BatchId;
}

/** A transfer is tried so often, where its other end is outside of the VM: networks and servers have bad moments. */
const TRANSFER_TRIES = 3;
const FIRST_PAUSE_MS = 2_000;
/** A checkpoint is worth waiting for: so often, which is some five minutes, it is asked for. */
const RESTORE_TRIES = 10;
const LONGEST_PAUSE_MS = 60_000;
/** As exe-units and ya-runtimes word it. Nothing else says that there is no checkpoint. */
const NOT_THERE = /\bTransfer error: HTTP error: client error: (404|410)\b/;
/** A task of days has a part for each checkpoint. */
const BATCHES_KEPT = 100;

const isOutward = (command: ScriptCommand | undefined): boolean =>
  command !== undefined &&
  'transfer' in command &&
  Object.values(command.transfer).some((place) => !place.startsWith('/'));

/** Undefined where a script is one part and nothing follows from it. */
export function partsOf(whole: WholeScript): Parts | undefined {
  const { checkpoint, commands, restore } = whole;
  if (!checkpoint && !commands.some(isOutward)) return undefined;
  const stage = checkpoint ? (restore ? 'restore' : 'launch') : 'plain';
  return { whole, stage, offset: 0, kept: [], batches: [], failures: 0, checkpoints: 0 };
}

/** What nobody else depends on may be run once more. */
export const isRepeatable = ({ stage }: Parts): boolean => stage === 'restore' || stage === 'wait';

/** What an outcome tells of the parts before. */
export function earlierOf(parts: Parts | undefined): { earlierBatches?: BatchId[]; checkpoints?: number } {
  const { batches = [], checkpoints = 0 } = parts ?? {};
  return {
    ...(batches.length > 0 ? { earlierBatches: batches } : {}),
    ...(checkpoints > 0 ? { checkpoints } : {}),
  };
}

/** Commands of the present part. */
export function commandsOf({ whole, stage, offset }: Parts): ScriptCommand[] {
  const { commands, checkpoint, key } = whole;
  const at = programAt(commands);
  const program = commands[at];
  if (!checkpoint || !program || !('run' in program)) return commands.slice(offset);
  switch (stage) {
    case 'plain':
      return commands.slice(offset);
    case 'restore':
      return restoring(checkpoint);
    case 'launch':
      return [...commands.slice(offset, at), launching(program, key)];
    case 'wait':
      return waiting(checkpoint, key);
    case 'collect':
      return offset > at ? commands.slice(offset) : [collecting(key), ...commands.slice(at + 1)];
  }
}

/** The only program of a task with checkpoints. */
const programAt = (commands: readonly ScriptCommand[]): number =>
  commands.findIndex((command) => 'run' in command);

/**
 * What follows from the end of a part: another one, or the results of the whole script.
 * @returns undefined when that end was the whole script's; `results` then are in the parts
 */
export function nextPart(parts: Parts, end: PartEnd): Part | undefined {
  const next = whatFollows(parts, end);
  if (next && end.batchId !== undefined) parts.batches = [...parts.batches, end.batchId].slice(-BATCHES_KEPT);
  return next;
}

function whatFollows(parts: Parts, { state, results }: PartEnd): Part | undefined {
  const { whole, stage, offset } = parts;
  const at = programAt(whole.commands);
  const go = (next: Parts['stage'], from: number): Part => {
    parts.stage = next;
    parts.offset = from;
    return { commands: commandsOf(parts), pauseMs: 0 };
  };
  const pause = (): number => Math.min(FIRST_PAUSE_MS * 2 ** (parts.failures - 1), LONGEST_PAUSE_MS);
  if (stage === 'restore') {
    parts.failures += 1;
    if (state === 'done' || isNothingThere(parts, results)) {
      parts.failures = 0;
      return go('launch', 0);
    }
    if (parts.failures < RESTORE_TRIES) return { ...go('restore', 0), pauseMs: pause() };
    // To begin at zero would be to write over what may be there.
    keep(
      parts,
      results.slice(-1).map((last) => ({ ...last, index: 0 })),
      0,
    );
    return undefined;
  }
  if (stage === 'wait') {
    const [packed] = results;
    const said = packed?.stdout?.trim();
    if (said === FINISHED) {
      parts.failures = 0;
      return go('collect', at);
    }
    if (state === 'done') parts.checkpoints += 1;
    // A checkpoint that cannot be taken out costs no work; a VM in which nothing can be run any more does.
    const isOdd = packed?.result !== 'Ok' && said !== NOTHING_YET;
    parts.failures = isOdd ? parts.failures + 1 : 0;
    if (parts.failures < TRANSFER_TRIES) return go('wait', at);
    keep(parts, packed ? [packed] : [], at);
    return undefined;
  }
  const good = results.filter(({ result }) => result === 'Ok');
  if (state === 'done' && stage === 'launch') {
    // The launch itself is none of the task's commands.
    keep(parts, good.slice(0, at - offset), offset);
    return go('wait', at);
  }
  const failed = offset + good.length;
  if (good.length > 0) parts.failures = 0;
  const isWorthATry = isOutward(whole.commands[failed]) && !isNotThere(results.at(-1));
  if (state === 'failed' && isWorthATry && parts.failures + 1 < TRANSFER_TRIES) {
    parts.failures += 1;
    keep(parts, good, offset);
    const { commands } = go(stage, failed);
    return { commands, pauseMs: pause() };
  }
  keep(parts, results, offset);
  return undefined;
}

/** What its server does not have it will not have in a moment. */
const isNotThere = (last: CommandResult | undefined): boolean =>
  last?.result === 'Error' && NOT_THERE.test(last.message ?? '');

/**
 * A transfer may succeed with what a server says in place of a file: exe-units of today do not look at the status of an
 * answer. What then is no archive tells that there is no checkpoint, unless one is known to have been stored.
 */
function isNothingThere({ whole, failures }: Parts, [moved]: readonly CommandResult[]): boolean {
  if (moved?.result === 'Error') return isNotThere(moved);
  return moved !== undefined && !whole.stored && failures >= TRANSFER_TRIES;
}

function keep(parts: Parts, results: readonly CommandResult[], offset: number): void {
  parts.kept.push(...results.map((result) => ({ ...result, index: offset + result.index })));
}

const FINISHED = 'golem: finished';
const NOTHING_YET = 'golem: nothing yet';

/** Beside the first of the files: a transfer reaches only what lies in a volume of the image. */
const archiveOf = ({ files: [first = ''] }: CheckpointSpec): string =>
  `${first.slice(0, first.lastIndexOf('/'))}/.golem-checkpoint.tar`;

/** In the VM alone: what the program prints, and its exit code once it has one. */
const folderOf = (key: string): string => `/tmp/golem-${key}`;

const shell = (lines: string, ...args: string[]): RunCommand => ({
  run: '/bin/sh',
  args: ['-c', lines, 'golem', ...args],
});

/** Whole or not at all: one that was cut off is not unpacked in part. */
const UNPACK = '[ -s "$1" ] && tar -tf "$1" >/dev/null && tar -xf "$1" -C / && rm "$1"';

function restoring(checkpoint: CheckpointSpec): ScriptCommand[] {
  const archive = archiveOf(checkpoint);
  const from = checkpoint.from ?? checkpoint.to;
  return [{ transfer: { from, to: archive } }, shell(UNPACK, archive)];
}

function launching({ run, args }: RunCommand, key: string): ScriptCommand {
  const program = args ? [run, ...args] : ['/bin/sh', '-c', run];
  const lines =
    'D="$1"; shift; rm -rf "$D"; mkdir -p "$D" || exit 1; ' +
    '( "$@" >"$D/out" 2>"$D/err"; echo $? >"$D/code.part"; mv "$D/code.part" "$D/code" ) </dev/null >/dev/null 2>&1 &';
  return shell(lines, folderOf(key), ...program);
}

/** Says when the program has ended; else packs those of the files that are there, for the transfer that follows. */
function waiting(checkpoint: CheckpointSpec, key: string): ScriptCommand[] {
  const archive = archiveOf(checkpoint);
  const lines =
    'D="$1"; N="$2"; A="$3"; shift 3; I=0; ' +
    'while [ ! -e "$D/code" ] && [ "$I" -lt "$N" ]; do sleep 1; I=$((I+1)); done; ' +
    `if [ -e "$D/code" ]; then echo "${FINISHED}"; exit 1; fi; ` +
    'F=""; cd / || exit 1; for P in "$@"; do if [ -e "$P" ]; then F="$F x"; set -- "$@" "${P#/}"; fi; shift; done; ' +
    `if [ -z "$F" ]; then echo "${NOTHING_YET}"; exit 1; fi; ` +
    'tar -cf "$A.part" "$@" && mv "$A.part" "$A"';
  const { files, everySec, to } = checkpoint;
  return [
    shell(lines, folderOf(key), String(everySec), archive, ...files),
    { transfer: { from: archive, to } },
  ];
}

function collecting(key: string): ScriptCommand {
  const lines = 'cat "$1/out"; cat "$1/err" >&2; C=$(cat "$1/code"); rm -rf "$1"; exit "$C"';
  return shell(lines, folderOf(key));
}
