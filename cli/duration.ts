/** Durations as they are written on the command line: `90s`, `10m`, `2h`, `1d`. */
import { InvalidArgumentError } from 'commander';

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** A hundred years: what is longer is a slip of the finger. */
const MOST_SEC = 36_525 * 86_400;

/** Seconds. A bare number would be taken for minutes by one and for seconds by another. @throws InvalidArgumentError */
export function durationSec(value: string): number {
  const [, number = '', unit = ''] = /^(\d{1,10})([smhd])$/.exec(value) ?? [];
  const seconds = Number(number) * (SECONDS[unit] ?? NaN);
  if (number === '' || !(seconds <= MOST_SEC)) {
    throw new InvalidArgumentError('a duration is a whole number with s, m, h or d, such as 10m.');
  }
  return seconds;
}

const NAMES = { s: 'second', m: 'minute', h: 'hour', d: 'day' };

/** `10 minutes`; one of a unit is just `hour`, as it is said after `every`. */
export function durationText(seconds: number): string {
  const [unit = 's'] = (['d', 'h', 'm'] as const).filter((each) => seconds % (SECONDS[each] ?? 1) === 0);
  const count = seconds / (SECONDS[unit] ?? 1);
  return count === 1 ? NAMES[unit] : `${count} ${NAMES[unit]}s`;
}
