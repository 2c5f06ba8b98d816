/** What activities need of the files that their worker serves, if it serves any. */
import type { JobSpec, TaskCommand, TaskSpec } from '../model/job';
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

type Place = [field: string, place: string | undefined];

/** Why a job cannot run on a worker that serves no files, in one line; undefined where it can. */
export function unservedFile({ setup, tasks }: Pick<JobSpec, 'setup' | 'tasks'>): string | undefined {
  return unserved([
    ...transfersIn(setup, 'setup'),
    ...tasks.flatMap((task, i) => placesOf(task, `tasks[${i}].`)),
  ]);
}

/** The same of one task. */
export function unservedFileOfTask(task: Pick<TaskSpec, 'commands' | 'checkpoint'>): string | undefined {
  return unserved(placesOf(task, ''));
}

function unserved(places: readonly Place[]): string | undefined {
  const found = places.find(([, place]) => place !== undefined && isWorkerFile(place));
  if (!found) return undefined;
  const [field, place] = found;
  return `${field}: ${place}: the worker serves no files; start it with --files DIR, or give an http(s) URL`;
}

function placesOf(
  { commands, checkpoint }: Pick<TaskSpec, 'commands' | 'checkpoint'>,
  path: string,
): Place[] {
  const ofCheckpoint = (['to', 'from'] as const).map((end): Place => [
    `${path}checkpoint.${end}`,
    checkpoint?.[end],
  ]);
  return [...transfersIn(commands, `${path}commands`), ...ofCheckpoint];
}

function transfersIn(commands: readonly TaskCommand[], path: string): Place[] {
  return commands.flatMap((command, i) =>
    'transfer' in command
      ? (['from', 'to'] as const).map((end): Place => [
          `${path}[${i}].transfer.${end}`,
          command.transfer[end],
        ])
      : [],
  );
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
