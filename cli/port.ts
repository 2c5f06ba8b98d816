/** Reading the number of a port from the command line. */
import { InvalidArgumentError } from 'commander';

/** @throws InvalidArgumentError - it is none; 0 is any that is free */
export function port(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535.');
  return number;
}
