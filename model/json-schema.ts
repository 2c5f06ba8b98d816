/** The JSON Schema of a job spec, for editors and for programs in other languages. */
import { z } from 'zod';
import { jobSpecSchema } from './spec-schema';

/** JSON Schema (draft 2020-12) of a job spec as a user writes it, short and full form. */
export function jobSpecJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(jobSpecSchema.meta({ title: 'A golem-temporal job' }), { io: 'input' });
}
