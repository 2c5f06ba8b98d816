/** `golem-temporal worker`, which runs until it is told to stop. */
import type { Command } from 'commander';
import type { FileServerOptions } from '../worker/file-server';
import { usageError } from './failure';
import { taskQueueOption } from './names';
import type * as workerProcess from './worker-process';
import { loadTemporal } from './temporal-sdk';

interface WorkerOptions {
  taskQueue: string;
  avoid?: string;
  files?: string;
  filesListen?: string;
  filesUrl?: string;
}

const FILES_LISTEN = '127.0.0.1:7480';

/** @throws CliError - an option is none */
function readFileOptions({
  files: folder,
  filesListen,
  filesUrl,
}: Pick<WorkerOptions, 'files' | 'filesListen' | 'filesUrl'>): FileServerOptions | undefined {
  if (folder === undefined) {
    const beside = filesListen !== undefined ? '--files-listen' : filesUrl !== undefined && '--files-url';
    if (beside) throw usageError(`${beside} says how a folder is served: name the folder with --files DIR`);
    return undefined;
  }
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(filesListen ?? FILES_LISTEN) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw usageError(`--files-listen ${filesListen}: give host and port, such as 0.0.0.0:7480`);
  if (filesUrl !== undefined && !/^https?:\/\/[^\s/?#@]+[^\s?#]*$/.test(filesUrl))
    throw usageError(`--files-url ${filesUrl}: give an http(s) URL, such as https://files.example.org`);
  return { folder, host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port), publicUrl: filesUrl };
}

export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run a worker: it carries out jobs, on the yagna of YAGNA_API_URL with the key YAGNA_APPKEY')
    .addOption(taskQueueOption('task queue to work on; its long polls are on <name>-watch'))
    .option('--avoid <file>', 'remember in this file providers that broke faith, and rent none of them')
    .option('--files <dir>', 'serve this folder to the VMs of jobs, as files:/… in transfers')
    .option(
      '--files-listen <host:port>',
      `where to serve it; providers must reach that, or what --files-url names (default: ${FILES_LISTEN})`,
    )
    .option('--files-url <url>', 'what providers reach it by. Default: where it listens')
    .action(async ({ taskQueue, avoid, ...files }: WorkerOptions) => {
      if (!process.env.YAGNA_APPKEY && !process.env.GOLEM_CONNECTIONS) {
        throw usageError('no yagna to work with: set YAGNA_APPKEY and YAGNA_API_URL, or GOLEM_CONNECTIONS');
      }
      const served = readFileOptions(files);
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { work } = loadTemporal(() => require('./worker-process') as typeof workerProcess);
      await work(taskQueue, avoid, served);
    });
}
