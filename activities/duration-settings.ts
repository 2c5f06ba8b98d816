/** The thresholds of the duration classes that a worker has set, for markets that differ from ya-provider's defaults. */
import { DURATION_CLASSES, type DurationClasses } from '../model/duration-classes';
import { nearestKey } from '../model/nearest-key';
import { failure } from './yagna';

const NAME = 'GOLEM_DURATION_CLASSES';

/**
 * GOLEM_DURATION_CLASSES, a JSON object such as `{"debitNotesOverSec":3600}`; what it leaves out keeps its default.
 * @throws UnknownConnection - it is no such object
 */
export function readDurationClasses(
  env: Readonly<Record<string, string | undefined>>,
): Partial<DurationClasses> {
  const text = env[NAME];
  if (!text) return {};
  const wrong = (problem: string) => failure('UnknownConnection', `${NAME}: ${problem}`);
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw wrong('is no JSON; it must be an object such as {"debitNotesOverSec":3600}');
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw wrong('must be an object such as {"debitNotesOverSec":3600}');
  const names = Object.keys(DURATION_CLASSES);
  for (const [name, value] of Object.entries(given)) {
    if (!names.includes(name)) {
      const meant = nearestKey(name, names);
      throw wrong(`knows no ${name}${meant === undefined ? '' : `; is ${meant} meant?`}`);
    }
    if (typeof value !== 'number' || !(value > 0) || value === Infinity)
      throw wrong(`${name} must be a number of seconds above 0`);
  }
  return given as Partial<DurationClasses>;
}
