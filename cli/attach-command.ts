/** `golem-temporal attach | detach`, as they are given; what they do is in `attach-actions`. */
import type { Command } from 'commander';
import { DEFAULT_CONNECTION } from '../model/ids';
import type * as attachActions from './attach-actions';
import { keyOption } from './control-commands';
import { notEmpty, taskQueueOption } from './names';
import { loadTemporal } from './temporal-sdk';

const actions = (): typeof attachActions =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  loadTemporal(() => require('./attach-actions') as typeof attachActions);

export function addAttachCommands(program: Command): void {
  program
    .command('attach')
    .description(
      'take over a Golem activity (a VM) that runs already, whoever rented it; prints the id of the rental',
    )
    .argument('<activity-id>', 'id of the Golem activity, as yagna knows it', notEmpty)
    .option('--batch <ids...>', 'scripts that were sent before and whose results are wanted, by batch id')
    .option(
      '--budget <glm>',
      'what may be spent for it in all; raises the budget of who pays already (default: that budget, or what it can cost until its end)',
    )
    .option('--connection <name>', 'which yagna of the worker', DEFAULT_CONNECTION)
    .addOption(taskQueueOption('task queue of the worker'))
    .addOption(keyOption("the owner's; the rental takes nothing from anybody else then"))
    .option('--json', 'print what was found as JSON')
    .action((...[id, options]: Parameters<typeof attachActions.attachTo>) => actions().attachTo(id, options));

  program
    .command('detach')
    .description(
      'end a rental and its job, and leave its VM alive, which is paid for until its agreement ends',
    )
    .argument('<rental>', 'id of a rental, such as JOB/rental/1, or of its job', notEmpty)
    .addOption(keyOption())
    .option('--json', 'print what becomes of it as JSON')
    .action((...[id, options]: Parameters<typeof attachActions.detachFrom>) =>
      actions().detachFrom(id, options),
    );
}
