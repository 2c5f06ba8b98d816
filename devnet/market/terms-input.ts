/** Properties and constraints as requests carry them. */
import { failure } from '../server/errors';
import type { Body } from '../server/input';
import { flatten, type Terms } from './constraints';

/** Each offer on the market is compared with all of them, so that there has to be an end. */
const LONGEST_CONSTRAINTS = 64 * 1024;

/** @throws 400 */
export function readTerms(body: Body): Terms {
  const properties = body.inner('properties', 'a map').object();
  return { properties: flatten(properties), constraints: readConstraints(body) };
}

/** @throws 400 */
export function readConstraints(body: Body): string {
  const constraints = body.string('constraints');
  if (constraints.length <= LONGEST_CONSTRAINTS) return constraints;
  throw failure(400, `Constraints are too long: they have ${LONGEST_CONSTRAINTS} characters at most`);
}
