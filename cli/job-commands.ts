/** `golem-temporal start | watch | cancel | topup`, as they are given; what they do is in `job-actions`. */
import type { Command } from 'commander';
import { keyOption } from './control-commands';
import type * as jobActions from './job-actions';
import { newJobId, notEmpty, positiveAmount, taskQueueOption } from './names';
import { loadTemporal } from './temporal-sdk';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const actions = (): typeof jobActions => loadTemporal(() => require('./job-actions') as typeof jobActions);

export function addJobCommands(program: Command): void {
  program
    .command('start')
    .description('start a job; prints its id')
    .argument('<file>', 'job spec, YAML or JSON; - for standard input')
    .option('--id <id>', 'id of the job; none that runs may have it (default: a new one)', newJobId)
    .addOption(taskQueueOption())
    .option('--watch', 'stay and show its progress and its results')
    .action((...[file, options]: Parameters<typeof jobActions.start>) => actions().start(file, options));

  program
    .command('watch')
    .description("show a job's progress until it ends, then its results; Ctrl-C ends only the watching")
    .argument('<id>', 'id of the job, or of a rental', notEmpty)
    .option('--json', 'one JSON object a line: its progress at each change, at the end its result')
    .action((...[id, options]: Parameters<typeof jobActions.watch>) => actions().watch(id, options));

  program
    .command('cancel')
    .description('end a job: its rentals are closed and what is owed is paid; its results are given up')
    .argument('<id>', 'id of the job', notEmpty)
    .action((id: string) => actions().cancel(id));

  program
    .command('topup')
    .description("raise a job's budget, and reserve the money at once")
    .argument('<id>', 'id of the job', notEmpty)
    .argument('<amount>', 'GLM to add, such as 0.5', positiveAmount)
    .addOption(keyOption())
    .action((...[id, amount, options]: Parameters<typeof jobActions.topUp>) =>
      actions().topUp(id, amount, options),
    );
}
