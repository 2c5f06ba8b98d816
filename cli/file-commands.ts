/** `golem-temporal init | validate | estimate`, as they are given: what is done with a job file before it is started. */
import type { Command } from 'commander';
import { durationSec } from './duration';
import type * as estimateAction from './estimate-action';
import type * as initAction from './init-action';
import { taskQueueOption } from './names';
import { loadTemporal } from './temporal-sdk';
import type * as validateAction from './validate-action';

export function addFileCommands(program: Command): void {
  program
    .command('init')
    .description('write a job file with comments, by a few questions')
    .argument('[file]', 'file for it, YAML; it must not be there yet', 'job.yaml')
    .option('--yes', 'ask nothing: take what is given here, and defaults for the rest')
    .option('--image <tag>', 'image of its VMs')
    .option('--budget <glm>', 'the most that it may cost')
    .option('--network <name>', 'payment network, such as holesky or polygon')
    .option('--task <line>', 'shell line of its first task')
    .option('--force', 'write over a file that is there')
    .action(async (...[file, options]: Parameters<typeof initAction.init>) => {
      // Only now: what asks questions takes a while to load.
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { init } = require('./init-action') as typeof initAction;
      await init(file, options);
    });

  program
    .command('validate')
    .description('check a job file: every mistake, with its line')
    .argument('<file>', 'job spec, YAML or JSON; - for standard input')
    .option('--json', 'print { valid, problems } as JSON')
    .action(async (...[file, options]: Parameters<typeof validateAction.validate>) => {
      // Only now, as what checks a spec takes a while to load.
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { validate } = require('./validate-action') as typeof validateAction;
      await validate(file, options);
    });

  program
    .command('estimate')
    .description('look at the market: who suits a job, what it would cost, why others do not suit')
    .argument('<file>', 'job spec, YAML or JSON; - for standard input')
    .option('--task-time <duration>', 'how long a task takes, such as 10m (default: 1m)', durationSec)
    .option('--scan-time <duration>', 'longest time to wait for offers (default: 20s)', durationSec)
    .addOption(taskQueueOption())
    .option('--json', 'print it as JSON')
    .action((...[file, options]: Parameters<typeof estimateAction.estimateFile>) => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { estimateFile } = loadTemporal(() => require('./estimate-action') as typeof estimateAction);
      return estimateFile(file, options);
    });
}
