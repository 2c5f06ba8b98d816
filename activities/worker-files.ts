/** What activities need of the files that their worker serves, if it serves any. */
import type { TaskSpec } from '../model/job';
import { isWorkerFile, workerPath } from '../model/worker-files';
import { failure } from './yagna';

export interface WorkerFiles {
  /**
   * @param path of the file, with a leading slash
   * @param untilMs for how long it is good, ms since the epoch
   * @returns an address that is good for that one file alone
   */
  sign(path: string, access: 'GET' | 'PUT', untilMs: number): string;
}

/** Why tasks cannot run on a worker that serves no files, in one line; undefined where they can. */
export function unservedFile(
  tasks: readonly Pick<TaskSpec, 'commands' | 'checkpoint'>[],
): string | undefined {
  const place = tasks.flatMap(placesOf).find(isWorkerFile);
  return place && `${place}: the worker serves no files; start it with --files DIR, or give an http(s) URL`;
}

function placesOf({ commands, checkpoint }: Pick<TaskSpec, 'commands' | 'checkpoint'>): string[] {
  const transfers = commands.flatMap((command) =>
    'transfer' in command ? [command.transfer.from, command.transfer.to] : [],
  );
  return checkpoint ? [...transfers, checkpoint.to, checkpoint.from ?? ''] : transfers;
}

/** How long an address is good beyond the time of its script, which waits for its turn: an hour. */
const SLACK_SEC = 3600;

/** Makes addresses of the worker's files for one script. */
export class Places {
  private readonly untilMs: number;

  /** @param timeoutSec longest time for the script */
  constructor(
    private readonly files: WorkerFiles | undefined,
    timeoutSec: number,
    nowMs: number,
  ) {
    this.untilMs = nowMs + (timeoutSec + SLACK_SEC) * 1000;
  }

  /**
   * A place as the exe-unit reads it: a path in the VM is `container:` to it, everything else a URL.
   * @throws FilesNotServed - the script names files of a worker that serves none (not retried)
   */
  of(place: string, access: 'GET' | 'PUT'): string {
    if (place.startsWith('/')) return `container:${place}`;
    if (!isWorkerFile(place)) return place;
    if (this.files) return this.files.sign(workerPath(place), access, this.untilMs);
    throw failure('FilesNotServed', `${place}: this worker serves no files; start it with --files DIR`);
  }
}

/** Takes the passes out of what a provider says of a transfer: its message goes into histories. */
export const withoutPasses = (text: string): string => text.replaceAll(/(\/golem-files\/)[^/\s]+/g, '$1***');
