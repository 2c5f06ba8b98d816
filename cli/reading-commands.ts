/** `golem-temporal list | result | events | logs | costs`, as they are given: what only reads; what they do is in `reading-actions`. */
import { InvalidArgumentError, type Command } from 'commander';
import { notEmpty } from './names';
import type * as readingActions from './reading-actions';
import { loadTemporal } from './temporal-sdk';

const actions = (): typeof readingActions =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  loadTemporal(() => require('./reading-actions') as typeof readingActions);

export function addReadingCommands(program: Command): void {
  program
    .command('list')
    .description('list jobs with phase, progress and cost: those that run, then the others, newest first')
    .option('--running', 'only those that run')
    .option('--limit <n>', 'at most so many', count, 20)
    .option('--all', 'however many there are')
    .option('--json', 'as a JSON list')
    .action((...[options]: Parameters<typeof readingActions.list>) => actions().list(options));

  program
    .command('result')
    .description("wait for a job's results and print them as JSON")
    .argument('<id>', 'id of the job, or of a rental', notEmpty)
    .option('--settled', 'wait until all is paid, and print what it cost instead')
    .option('--json', 'as it does anyway')
    .action((...[id, options]: Parameters<typeof readingActions.result>) => actions().result(id, options));

  program
    .command('events')
    .description("print what happened in a job, by the names of Golem's guide")
    .argument('<id>', 'id of the job, or of a rental', notEmpty)
    .option('--follow', 'go on until the job and its payments have ended')
    .option('--json', 'one JSON object a line')
    .action((...[id, options]: Parameters<typeof readingActions.events>) => actions().events(id, options));

  program
    .command('logs')
    .description("print what a task's commands have printed, in its last attempt")
    .argument('<id>', 'id of the job', notEmpty)
    .argument('<task>', 'name of the task, such as task-1', notEmpty)
    .option('--json', 'print all that is known of the task as JSON')
    .action((...[id, task, options]: Parameters<typeof readingActions.logs>) =>
      actions().logs(id, task, options),
    );

  program
    .command('costs')
    .description('print what a job has cost, provider by provider')
    .argument('<id>', 'id of the job, or of a rental that attached', notEmpty)
    .option('--csv', 'as CSV, a row for each agreement')
    .option('--json', 'as JSON')
    .action((...[id, options]: Parameters<typeof readingActions.costs>) => actions().costs(id, options));
}

/** @throws InvalidArgumentError */
function count(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1 || number > 1000)
    throw new InvalidArgumentError('a whole number from 1 to 1000.');
  return number;
}
