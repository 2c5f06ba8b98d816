#!/usr/bin/env node
/** The golem-temporal command. */
import { CommanderError } from 'commander';
import { endWithReaders, exitOnceRead } from './exit';
import { CliError, EXIT_FAILED, EXIT_USAGE } from './failure';
import { endWithNpx } from './npx';
import { packageJson } from './package-json';
import { makeProgram } from './program';

let isVerbose = false;

endWithReaders();
endWithNpx();

// Libraries may keep handles open for a while; whatever had to be waited for has been.
void makeProgram({ version: packageJson().version, onVerbose: () => (isVerbose = true) })
  .parseAsync()
  .then(
    () => Number(process.exitCode ?? 0),
    (error: unknown) => {
      if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
      console.error(`golem-temporal: ${error instanceof Error ? error.message : String(error)}`);
      if (isVerbose) for (const stack of stacksOf(error)) console.error(stack);
      return error instanceof CliError ? error.exitCode : EXIT_FAILED;
    },
  )
  .then(exitOnceRead);

/** Of the error and of what caused it. */
function stacksOf(error: unknown): string[] {
  const stacks: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) stacks.push(at.stack ?? at.message);
  return stacks;
}
