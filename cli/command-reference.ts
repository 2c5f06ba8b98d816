/** All commands but those below `devnet`, which docs/devnet.md tells of, as docs/cli.md has them. */
import type { Command } from 'commander';
import { EXAMPLES } from './examples';
import { makeProgram } from './program';

export interface DescribedCommand {
  /** Such as `start`. */
  name: string;
  /** What follows it: `[options] <file>`. */
  usage: string;
  means: string;
  options: [flags: string, means: string][];
  example: readonly string[];
}

export function describeCommands(): DescribedCommand[] {
  const program = makeProgram();
  return program
    .createHelp()
    .visibleCommands(program)
    .filter((command) => command.name() !== 'help')
    .map(describe);
}

function describe(command: Command): DescribedCommand {
  const help = command.createHelp();
  // They are the same for each.
  const own = help.visibleOptions(command).filter(({ long }) => long !== '--help' && long !== '--verbose');
  return {
    name: command.name(),
    usage: command.registeredArguments.map((each) => argumentText(each)).join(' '),
    means: command.description(),
    options: own.map((option) => [option.flags, help.optionDescription(option)]),
    example: EXAMPLES[`golem-temporal ${command.name()}`] ?? [],
  };
}

function argumentText(argument: Command['registeredArguments'][number]): string {
  const shown = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${shown}>` : `[${shown}]`;
}
