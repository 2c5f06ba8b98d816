/**
 * `golem-temporal completion bash|zsh|fish`: the script that a shell reads; and `completion-server`, which that script asks
 * at each tab. What can stand where is read from the commands themselves.
 */
import { Argument, type Command, type Option } from 'commander';
import type * as tabtab from '@pnpm/tabtab';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

// eslint-disable-next-line @typescript-eslint/no-require-imports
const library = (): typeof tabtab => require('@pnpm/tabtab') as typeof tabtab;

export function addCompletionCommands(program: Command): void {
  const name = program.name();
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action(async (shell: Shell) => {
      process.stdout.write(await library().getCompletionScript({ name, completer: name, shell }));
    });

  program
    .command('completion-server', { hidden: true })
    .allowUnknownOption()
    .argument('[words...]')
    .action(() => {
      const { getShellFromEnv, log, logFiles, parseEnv } = library();
      const { partial } = parseEnv(process.env);
      const [, ...words] = partial.split(/\s+/);
      const found = completions(program, words);
      if (found === 'files') logFiles();
      else log(found, getShellFromEnv(process.env));
    });
}

interface Item {
  name: string;
  description: string;
}

/** @param words - of the line after the program's name; the last one is being written */
export function completions(program: Command, words: readonly string[]): Item[] | 'files' {
  const current = words.at(-1) ?? '';
  let command = program;
  let operands = 0;
  let option: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (word === '--') return 'files';
    if (option) option = undefined;
    else if (word.startsWith('-')) option = takesValue(command, word);
    else {
      const next = operands === 0 ? command.commands.find((each) => each.name() === word) : undefined;
      if (next) command = next;
      else operands += 1;
    }
  }
  if (option) return option.argChoices ? option.argChoices.map(plain) : 'files';
  const help = command.createHelp();
  const items = current.startsWith('-')
    ? help
        .visibleOptions(command)
        .map(({ long, short, description }) => ({ name: long ?? short ?? '', description }))
    : [
        ...(operands === 0 ? help.visibleCommands(command) : []).map((each) => ({
          ...{ name: each.name(), description: each.summary() || each.description() },
        })),
        ...(command.registeredArguments[operands]?.argChoices ?? []).map(plain),
      ];
  const fitting = items.filter((item) => item.name.startsWith(current));
  return fitting.length === 0 && !current.startsWith('-') ? 'files' : fitting;
}

const plain = (name: string): Item => ({ name, description: '' });

/** The option that a word names, where its value is the next word. */
function takesValue(command: Command, word: string): Option | undefined {
  return command.options.find(
    (each) => (each.long === word || each.short === word) && (each.required || each.optional),
  );
}
