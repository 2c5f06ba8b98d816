#!/usr/bin/env node
/** The golem-temporal command. */
import { Command, CommanderError } from 'commander';
import { version } from '../package.json';
import { addDaemonCommands } from './daemon-commands';
import { explain, EXIT_USAGE } from './failure';
import { addJobCommands } from './job-commands';

async function main(): Promise<void> {
  const program = new Command('golem-temporal')
    .description('Durable Golem Network jobs as Temporal workflows')
    .version(version)
    .showHelpAfterError('(see golem-temporal --help)')
    .exitOverride();
  addJobCommands(program);
  addDaemonCommands(program);
  for (const command of program.commands)
    command.exitOverride().showHelpAfterError(`(see golem-temporal ${command.name()} --help)`);
  await program.parseAsync();
}

main().then(
  // Libraries may keep handles open for a while; whatever had to be waited for has been.
  () => process.exit(process.exitCode ?? 0),
  (error: unknown) => {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
    const { message, exitCode } = explain(error);
    console.error(`golem-temporal: ${message}`);
    process.exit(exitCode);
  },
);
