/** `golem-temporal reconcile`, as it is given; what it does is in `reconcile-actions`. */
import { InvalidArgumentError, type Command } from 'commander';
import { DEFAULT_CONNECTION, DEFAULT_TASK_QUEUE } from '../model/ids';
import { durationSec } from './duration';
import type * as reconcileActions from './reconcile-actions';
import { loadTemporal } from './temporal-sdk';

const LEAST_EVERY_SEC = 10;

export function addReconcileCommand(program: Command): void {
  const command = program
    .command('reconcile')
    .description('close what yagna still holds of jobs that nobody looks after, and pay what is owed')
    .option('--dry-run', 'only list it')
    .option('--every <duration>', 'have Temporal do it every so often, such as 10m', every)
    .option('--remove', 'have it done no more')
    .option('--connection <name>', 'which yagna of the worker', DEFAULT_CONNECTION)
    .option(
      '--older-than <duration>',
      'leave alone what is younger, where Temporal does not know its job (default: 1h)',
      durationSec,
    )
    .option('--task-queue <name>', 'task queue of the worker', DEFAULT_TASK_QUEUE)
    .option('--no-wait', 'end when the settlements have begun, not when they are done')
    .option('--json', 'print what was found as JSON');
  command.action(async (options: reconcileActions.Options) => {
    const [first, second] = [
      ...(options.dryRun ? ['--dry-run'] : []),
      ...(options.every === undefined ? [] : ['--every']),
      ...(options.remove ? ['--remove'] : []),
    ];
    if (second !== undefined) command.error(`${first} and ${second} do not go together`);
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const actions = loadTemporal(() => require('./reconcile-actions') as typeof reconcileActions);
    if (options.remove) await actions.removeSchedule(options);
    else if (options.every !== undefined) await actions.makeSchedule(options, options.every);
    else await actions.reconcileOnce(options);
  });
}

function every(value: string): number {
  const seconds = durationSec(value);
  if (seconds < LEAST_EVERY_SEC) throw new InvalidArgumentError(`at least ${LEAST_EVERY_SEC}s.`);
  return seconds;
}
