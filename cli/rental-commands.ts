/** `golem-temporal rent | exec | terminate`, as they are given; what they do is in `rental-actions`. */
import { Option, type Command } from 'commander';
import { keyOption, publicKey } from './control-commands';
import { durationSec } from './duration';
import { newJobId, notEmpty, taskQueueOption } from './names';
import type * as rentalActions from './rental-actions';
import { loadTemporal } from './temporal-sdk';

const actions = (): typeof rentalActions =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  loadTemporal(() => require('./rental-actions') as typeof rentalActions);

export function addRentalCommands(program: Command): void {
  program
    .command('rent')
    .description('rent a VM to talk to; prints the id of the rental once its VM is up')
    .argument('[file]', 'job spec without tasks, YAML or JSON; - for standard input')
    .option('--image <tag>', 'in place of a spec: the image, such as golem/alpine:latest')
    .option('--budget <amount>', 'in place of a spec: the most that it may cost, GLM')
    .option('--id <id>', 'id of its job; none that runs may have it (default: a new one)', newJobId)
    .addOption(taskQueueOption())
    .option(
      '--wait <duration>',
      'longest wait for its VM; then its job is cancelled, so that nothing is rented (default: 45m)',
      durationSec,
    )
    .option(
      '--owner <key>',
      'public key of whom it is to obey alone: golem-temporal key makes one',
      publicKey,
    )
    .option('--json', 'print { jobId, rentalId } in place of the id')
    .addHelpText(
      'after',
      `
Exit codes: 0 its VM is up, 1 it failed, 2 what was given cannot be used, 4 no worker answers or no VM was up in time,
130 interrupted: its job goes on.`,
    )
    .action((...[file, options]: Parameters<typeof rentalActions.rent>) => actions().rent(file, options));

  program
    .command('exec')
    .description("run a program in a rental's VM; prints what it prints, and ends with 0 if it did")
    .argument('<rental>', "id of the rental, or of its job's", notEmpty)
    .argument('[program...]', 'program and arguments, after --')
    .option('--shell <line>', 'a line for the shell in the VM, in place of a program')
    .option('--file <file>', 'a script as for executeScript, YAML or JSON; - for standard input')
    .option(
      '--vm <name>',
      'the VM of that name, made beside the first one if need be (see vmsAtOnce of the spec)',
    )
    .option('--fresh', 'in a VM that is made anew for it: what was in it is gone')
    .option(
      '--timeout <duration>',
      'longest time for it, such as 10m; then its VM is ended, and with the first VM the rental (default: 1h)',
      durationSec,
    )
    .addOption(
      new Option(
        '--on-uncertain <what>',
        'what to do when it is not known whether it was started (default: fail)',
      ).choices(['fail', 'rerun', 'freshVm']),
    )
    .addOption(keyOption())
    .option('--result <script>', 'run nothing: wait for a script that was sent before', notEmpty)
    .option('--json', 'print what it came to as JSON, at the end')
    .addHelpText(
      'after',
      `
Exit codes: 0 it ended well, 1 it failed, 2 what was given cannot be used, 3 the rental or its VM is gone,
4 not now: no worker answers or the VM is not up yet, 5 nobody knows whether it ran, 6 refused: the rental has an
owner, and there is no key, or none that may; 124 it took too long, 130 interrupted: it goes on.`,
    )
    .action((...[rental, command, options]: Parameters<typeof rentalActions.exec>) =>
      actions().exec(rental, command, options),
    );

  program
    .command('terminate')
    .description('end a job or a rental in good order: what is done is kept, what is owed is paid')
    .argument('<id>', 'id of the job, or of the rental', notEmpty)
    .option('--reason <text>', 'told to the provider', 'terminated by request')
    .addOption(keyOption())
    .action((...[id, options]: Parameters<typeof rentalActions.terminate>) =>
      actions().terminate(id, options),
    );
}
