/** The failures of jobs by name, as a zod schema: the JSON Schema that is published comes from it. Not for workflows. */
import { z } from 'zod';
import { FAILURES, type FailureType } from './failures';

const names = Object.keys(FAILURES) as FailureType[];

/**
 * A failure as progress and results tell it. A failed workflow has the name as the `type` of Temporal's ApplicationFailure.
 * Readers take names that are not here: a minor version may add some.
 */
export const failureSchema = z
  .object({
    type: z.union(
      names.map((name) => {
        const { means, action, retryable } = FAILURES[name];
        return z.literal(name).meta({ description: `${means} ${action}`, retryable });
      }),
    ),
    message: z.string().describe('What happened, one line.'),
  })
  .describe('A failure by its name.');
