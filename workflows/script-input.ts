/** Checks scripts that come from outside by Update; zod stays out of the workflow bundle. */
import { ApplicationFailure } from '@temporalio/workflow';
import type { TaskCommand } from '../model/job';
import type { ExecuteScript } from './protocol';

const FIELDS = ['commands', 'timeoutSec', 'onUncertain', 'scriptId', 'vm', 'fresh', 'authorization'];
const ON_UNCERTAIN = ['freshVm', 'rerun', 'fail'];
/** With more, even the least of results would not fit into one payload. */
const MAX_COMMANDS = 1500;
/** Ids of a job's own work have other characters. */
const SCRIPT_ID = /^[\w.-]{1,64}$/;
/** A year; nobody rents a VM for longer. */
const LONGEST_SEC = 365 * 86_400;

/** @throws InvalidJobSpec - with every problem and its path */
export function checkScript(script: ExecuteScript): void {
  const problems: string[] = [];
  if (typeof script !== 'object' || script === null) {
    const problem = 'expected a script: { commands, timeoutSec, onUncertain, scriptId }';
    throw ApplicationFailure.nonRetryable(problem, 'InvalidJobSpec', [problem]);
  }
  const commands: unknown = script.commands;
  if (!Array.isArray(commands) || commands.length === 0) {
    problems.push('commands: expected a list of at least one command');
  } else if (commands.length > MAX_COMMANDS) {
    problems.push(`commands: at most ${MAX_COMMANDS} in one script, not ${commands.length}`);
  } else {
    commands.forEach((command: unknown, index) => {
      if (!isCommand(command)) {
        problems.push(
          `commands[${index}]: expected a shell line, { run, args } or { transfer: { from, to } }`,
        );
      }
    });
  }
  const timeoutSec: unknown = script?.timeoutSec;
  if (
    timeoutSec !== undefined &&
    !(typeof timeoutSec === 'number' && timeoutSec > 0 && timeoutSec <= LONGEST_SEC)
  ) {
    problems.push(`timeoutSec: expected a number of seconds above 0, at most ${LONGEST_SEC}`);
  }
  if (script?.onUncertain !== undefined && !ON_UNCERTAIN.includes(script.onUncertain)) {
    problems.push(`onUncertain: expected one of ${ON_UNCERTAIN.join(', ')}`);
  }
  const scriptId: unknown = script?.scriptId;
  if (scriptId !== undefined && !(typeof scriptId === 'string' && SCRIPT_ID.test(scriptId))) {
    problems.push('scriptId: expected 1 to 64 letters, digits, ".", "_" or "-"');
  }
  const vm: unknown = script?.vm;
  if (vm !== undefined && !(typeof vm === 'string' && SCRIPT_ID.test(vm))) {
    problems.push('vm: expected 1 to 64 letters, digits, ".", "_" or "-"');
  }
  if (script?.fresh !== undefined && typeof script.fresh !== 'boolean') {
    problems.push('fresh: expected true or false');
  }
  for (const field of Object.keys(script ?? {})) {
    if (!FIELDS.includes(field)) problems.push(`${field}: unknown; a script has ${FIELDS.join(', ')}`);
  }
  if (problems.length > 0)
    throw ApplicationFailure.nonRetryable(problems.join('\n'), 'InvalidJobSpec', problems);
}

function isCommand(command: unknown): boolean {
  if (typeof command === 'string') return command !== '';
  if (typeof command !== 'object' || command === null) return false;
  const { run, args, transfer } = command as Record<string, unknown>;
  if (typeof run === 'string' && run !== '') {
    if (transfer !== undefined) return false;
    return args === undefined || (Array.isArray(args) && args.every((arg) => typeof arg === 'string'));
  }
  if (typeof transfer !== 'object' || transfer === null) return false;
  const { from, to } = transfer as Record<string, unknown>;
  return typeof from === 'string' && typeof to === 'string';
}

export function scriptCommands(commands: ExecuteScript['commands']): TaskCommand[] {
  return commands.map((command) => (typeof command === 'string' ? { run: command } : command));
}
