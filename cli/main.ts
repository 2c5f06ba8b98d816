#!/usr/bin/env node
/** The golem-temporal command. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { addDaemonCommands } from './daemon-commands';
import { endWithReaders, exitOnceRead } from './exit';
import { explain, EXIT_USAGE } from './failure';
import { addJobCommands } from './job-commands';
import { addSchemaCommand } from './schema-command';

// The command runs from dist/cli.
const PACKAGE_JSON = join(__dirname, '..', '..', 'package.json');

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(PACKAGE_JSON, 'utf8')) as { version: string };
  const program = new Command('golem-temporal')
    .description('Durable Golem Network jobs as Temporal workflows')
    .version(version)
    // Each command's options are its own, also where one above it has an option of the same name.
    .enablePositionalOptions();
  addJobCommands(program);
  addDaemonCommands(program);
  addSchemaCommand(program);
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
      const { message, exitCode } = explain(error);
      console.error(`golem-temporal: ${message}`);
      return exitCode;
    },
  )
  .then(exitOnceRead);
