/**
 * For how long money is reserved at a time. While a job or its settlement lives this is extended, when half of it is
 * over; so it says for how long the money stays locked when nobody is there to release it.
 */
import { failure } from './yagna';

export const ALLOCATION_LIFE_SEC = 30 * 86_400;
const LEAST_SEC = 2;
const MOST_SEC = 3650 * 86_400;

/**
 * GOLEM_ALLOCATION_LIFE_SEC, whole seconds. Default 30 days.
 * @throws UnknownConnection - it is no such number
 */
export function readAllocationLife(env: Readonly<Record<string, string | undefined>>): number {
  const given = env.GOLEM_ALLOCATION_LIFE_SEC;
  if (!given) return ALLOCATION_LIFE_SEC;
  const seconds = Number(given);
  if (Number.isInteger(seconds) && seconds >= LEAST_SEC && seconds <= MOST_SEC) return seconds;
  throw failure(
    'UnknownConnection',
    `GOLEM_ALLOCATION_LIFE_SEC: must be a whole number of seconds from ${LEAST_SEC} to ${MOST_SEC}`,
  );
}
