#!/usr/bin/env node
/** The golem-temporal command. */
import { Command, CommanderError } from 'commander';
import { addAttachCommands } from './attach-command';
import { addControlCommands } from './control-commands';
import { addDevnetCommand } from './start-devnet';
import { endWithReaders, exitOnceRead } from './exit';
import { CliError, EXIT_FAILED, EXIT_USAGE } from './failure';
import { addJobCommands } from './job-commands';
import { packageJson } from './package-json';
import { addRentalCommands } from './rental-commands';
import { addReconcileCommand } from './reconcile-command';
import { addSchemaCommand } from './schema-command';
import { addSearchAttributesCommand } from './search-attributes-command';
import { addWorkerCommand } from './worker-command';

async function main(): Promise<void> {
  const program = new Command('golem-temporal')
    .description('Durable Golem Network jobs as Temporal workflows')
    .version(packageJson().version)
    // As all other complaints begin. Commands that are made from now on have it from here.
    .configureOutput({
      outputError: (text, write) => write(`golem-temporal: ${text.replace(/^error: /, '')}`),
    })
    // Each command's options are its own, also where one above it has an option of the same name.
    .enablePositionalOptions();
  addJobCommands(program);
  addAttachCommands(program);
  addRentalCommands(program);
  addControlCommands(program);
  addReconcileCommand(program);
  addWorkerCommand(program);
  addDevnetCommand(program);
  addSchemaCommand(program);
  addSearchAttributesCommand(program);
  tellMistakes(program, program.name());
  await program.parseAsync();
}

/** Has a command and those below it end with our exit codes, and say where to read on. */
function tellMistakes(command: Command, name: string): void {
  command.exitOverride().showHelpAfterError(`(see ${name} --help)`);
  for (const each of command.commands) tellMistakes(each, `${name} ${each.name()}`);
}

endWithReaders();

// Libraries may keep handles open for a while; whatever had to be waited for has been.
void main()
  .then(
    () => Number(process.exitCode ?? 0),
    (error: unknown) => {
      if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
      console.error(`golem-temporal: ${error instanceof Error ? error.message : String(error)}`);
      return error instanceof CliError ? error.exitCode : EXIT_FAILED;
    },
  )
  .then(exitOnceRead);
