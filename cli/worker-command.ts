/** `golem-temporal worker`, which runs until it is told to stop. */
import type { Command } from 'commander';
import { DEFAULT_TASK_QUEUE } from '../model/ids';
import { usageError } from './failure';
import type * as workerProcess from './worker-process';
import { loadTemporal } from './temporal-sdk';

export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run a worker: it carries out jobs, on the yagna of YAGNA_API_URL with the key YAGNA_APPKEY')
    .option(
      '--task-queue <name>',
      'task queue to work on; its long polls are on <name>-watch',
      DEFAULT_TASK_QUEUE,
    )
    .option('--avoid <file>', 'remember in this file providers that broke faith, and rent none of them')
    .action(async ({ taskQueue, avoid }: { taskQueue: string; avoid?: string }) => {
      if (!process.env.YAGNA_APPKEY && !process.env.GOLEM_CONNECTIONS) {
        throw usageError('no yagna to work with: set YAGNA_APPKEY and YAGNA_API_URL, or GOLEM_CONNECTIONS');
      }
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { work } = loadTemporal(() => require('./worker-process') as typeof workerProcess);
      await work(taskQueue, avoid);
    });
}
