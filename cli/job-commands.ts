/** `golem-temporal start | watch | result | events | cancel | topup`, as they are given; what they do is in `job-actions`. */
import type { Command } from 'commander';
import { keyOption } from './control-commands';
import type * as jobActions from './job-actions';
import { newJobId, notEmpty, taskQueueOption } from './names';
import { loadTemporal } from './temporal-sdk';

// eslint-disable-next-line @typescript-eslint/no-require-imports
const actions = (): typeof jobActions => loadTemporal(() => require('./job-actions') as typeof jobActions);

export function addJobCommands(program: Command): void {
  program
    .command('start')
    .description('start a job; prints its id')
    .argument('<file>', 'job spec, JSON; - for standard input')
    .option('--id <id>', 'id of the job; none that runs may have it (default: a new one)', newJobId)
    .addOption(taskQueueOption())
    .option('--watch', 'stay and show its progress and its results')
    .action((...[file, options]: Parameters<typeof jobActions.start>) => actions().start(file, options));

  program
    .command('watch')
    .description("show a job's progress until it ends, then its results")
    .argument('<id>', 'id of the job', notEmpty)
    .action((id: string) => actions().watch(id));

  program
    .command('result')
    .description("wait for a job's results and print them as JSON")
    .argument('<id>', 'id of the job', notEmpty)
    .option('--settled', 'wait until all is paid, and print what it cost instead')
    .action((...[id, options]: Parameters<typeof jobActions.result>) => actions().result(id, options));

  program
    .command('events')
    .description("print what happened in a job, by the names of Golem's guide")
    .argument('<id>', 'id of the job', notEmpty)
    .option('--follow', 'go on until the job and its payments have ended')
    .option('--json', 'one JSON object a line')
    .action((...[id, options]: Parameters<typeof jobActions.events>) => actions().events(id, options));

  program
    .command('cancel')
    .description('end a job: its rentals are closed and what is owed is paid; its results are given up')
    .argument('<id>', 'id of the job', notEmpty)
    .action((id: string) => actions().cancel(id));

  program
    .command('topup')
    .description("raise a job's budget, and reserve the money at once")
    .argument('<id>', 'id of the job', notEmpty)
    .argument('<amount>', 'GLM to add, such as 0.5')
    .addOption(keyOption())
    .action((...[id, amount, options]: Parameters<typeof jobActions.topUp>) =>
      actions().topUp(id, amount, options),
    );
}
