/** All commands, and what is the same for each: its mistakes, `--verbose`, and an example in its `--help`. */
import { Command, Option } from 'commander';
import { addAttachCommands } from './attach-command';
import { addCompletionCommands } from './completion-command';
import { addControlCommands } from './control-commands';
import { addDoctorCommand } from './doctor-command';
import { EXAMPLES } from './examples';
import { EXIT_CODES } from './failure';
import { addFileCommands } from './file-commands';
import { addJobCommands } from './job-commands';
import { addReadingCommands } from './reading-commands';
import { addReconcileCommand } from './reconcile-command';
import { addRentalCommands } from './rental-commands';
import { addSchemaCommand } from './schema-command';
import { addSearchAttributesCommand } from './search-attributes-command';
import { addDevnetCommand } from './start-devnet';
import { addUiCommand } from './ui-command';
import { addWorkerCommand } from './worker-command';

/**
 * @param options.version - that `--version` tells
 * @param options.onVerbose - called before a command that has `--verbose` begins
 */
export function makeProgram({
  version = '',
  onVerbose = () => undefined,
}: { version?: string; onVerbose?: () => void } = {}): Command {
  const program = new Command('golem-temporal')
    .description('Durable Golem Network jobs as Temporal workflows')
    .version(version)
    // As all other complaints begin. Commands that are made from now on have it from here.
    .configureOutput({
      outputError: (text, write) => write(`golem-temporal: ${text.replace(/^error: /, '')}`),
    })
    // Each command's options are its own, also where one above it has an option of the same name.
    .enablePositionalOptions()
    .addHelpText('after', exitCodes());
  addFileCommands(program);
  addJobCommands(program);
  addReadingCommands(program);
  addRentalCommands(program);
  addAttachCommands(program);
  addControlCommands(program);
  addReconcileCommand(program);
  addDoctorCommand(program);
  addUiCommand(program);
  addWorkerCommand(program);
  addDevnetCommand(program);
  addSchemaCommand(program);
  addSearchAttributesCommand(program);
  addCompletionCommands(program);
  finish(program, program.name(), onVerbose);
  return program;
}

/** Has a command and those below it end with our exit codes, and say where to read on. */
function finish(command: Command, name: string, onVerbose: () => void): void {
  command.exitOverride().showHelpAfterError(`(see ${name} --help)`);
  command.addOption(new Option('--verbose', 'tell more of an error: where in the code it came up'));
  command.on('option:verbose', onVerbose);
  const example = EXAMPLES[name];
  if (example !== undefined)
    command.addHelpText('after', `\nExample:\n${example.map((line) => `  ${line}`).join('\n')}`);
  for (const each of command.commands) finish(each, `${name} ${each.name()}`, onVerbose);
}

function exitCodes(): string {
  const lines = EXIT_CODES.map(([code, means]) => `  ${String(code).padEnd(3)}  ${means}`);
  return ['', 'Exit codes:', ...lines].join('\n');
}
