/** Names and ids as they are given on the command line. */
import { InvalidArgumentError, Option } from 'commander';
import { AMOUNT } from '../model/amount';
import { DEFAULT_TASK_QUEUE } from '../model/ids';

/** @throws InvalidArgumentError */
export function notEmpty(value: string): string {
  if (value.trim() === '') throw new InvalidArgumentError('it is empty.');
  return value;
}

/** GLM, as text: no number in code holds money. @throws InvalidArgumentError */
export function positiveAmount(value: string): string {
  if (AMOUNT.test(value) && /[1-9]/.test(value)) return value;
  throw new InvalidArgumentError('an amount of GLM above 0, with up to 18 decimals, such as 0.5.');
}

/** Letters and digits of any script, and what a shell takes as it is; `/` parts a rental from its job. */
const PLAIN_ID = /^[\p{L}\p{N}_][\p{L}\p{N}._:@+=,-]{0,199}$/u;

/** The id that a new job is to have: it stands in the commands that we tell. @throws InvalidArgumentError */
export function newJobId(value: string): string {
  if (PLAIN_ID.test(value)) return value;
  throw new InvalidArgumentError(
    'an id has letters, digits and . _ : @ + = , - in it, no spaces and slashes, and at most 200 characters.',
  );
}

export function taskQueueOption(what = 'task queue that its worker works on'): Option {
  return new Option('--task-queue <name>', what).default(DEFAULT_TASK_QUEUE).argParser(notEmpty);
}

/** As a shell takes it for one word. */
export function shellWord(value: string): string {
  return /^[\w./:@%+=,-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
