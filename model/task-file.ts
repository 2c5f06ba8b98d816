/**
 * How much of a file of tasks, and of its results, a job holds at a time. Whatever a job knows must fit into the one
 * payload of 2 MB that it gives to its next run, however many tasks the file has. Pure, for activities and workflows.
 */
import type { TaskSpec } from './job';

/** JSON of results that are not written yet, those included that are still being computed. */
export const RESULTS_JSON = 600_000;
/** One part of the results is written when so much is there. */
export const PART_TASKS = 250;
export const PART_JSON = 300_000;
/** Tasks are read so many at a time, a group that shares a VM as a whole. */
export const PAGE_TASKS = 250;
export const PAGE_JSON = 200_000;
/** Of finished tasks, the newest attempts are told. */
export const ATTEMPTS_TOLD = 10;

/** JSON of a task's result without what its commands are, and without their outputs. */
const RESULT_FRAME = 1_000;
const COMMAND_FRAME = 200;
const LEAST_OUTPUT = 512;
const MOST_OUTPUT = 65_536;

/**
 * Bytes kept of each stdout and stderr, so that as many tasks as there may be rentals run side by side.
 * @param mostCommands - of one task
 */
export function outputLimitOfFile(rentals: number, mostCommands: number): number {
  const each = RESULTS_JSON / 2 / rentals - RESULT_FRAME;
  const fitting = Math.floor((each / Math.max(1, mostCommands) - COMMAND_FRAME) / 2);
  return Math.max(LEAST_OUTPUT, Math.min(MOST_OUTPUT, fitting));
}

/** JSON that is kept free for a task's result, to which it is cut. */
export function resultJson({ commands }: Pick<TaskSpec, 'commands'>, outputLimitBytes: number): number {
  const all = RESULT_FRAME + commands.length * (COMMAND_FRAME + 2 * outputLimitBytes);
  return Math.min(RESULTS_JSON / 2, all);
}

/** Where the part of that number, from 1, is written. */
export const partUrl = (resultsTo: string, part: number): string =>
  resultsTo.replaceAll('{part}', String(part).padStart(5, '0'));
