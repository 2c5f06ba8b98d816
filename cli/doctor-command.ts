/** `golem-temporal doctor`, as it is given; what it does is in `doctor-action`. */
import type { Command } from 'commander';
import { DEFAULT_CONNECTION } from '../model/ids';
import type * as doctorAction from './doctor-action';
import { notEmpty, taskQueueOption } from './names';
import { loadTemporal } from './temporal-sdk';

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description(
      'check Temporal, the worker, and its yagna: version, key, funds, what is left over; says what to do',
    )
    .option('--connection <name>', 'which yagna of the worker', notEmpty, DEFAULT_CONNECTION)
    .option('--network <name>', "payment network whose funds are looked at (default: the worker's)")
    .addOption(taskQueueOption('task queue of the worker'))
    .option('--json', 'print what was found as JSON')
    .action((...[options]: Parameters<typeof doctorAction.doctor>) => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { doctor } = loadTemporal(() => require('./doctor-action') as typeof doctorAction);
      return doctor(options);
    });
}
