/**
 * The JSON Schemas (draft 2020-12) that are published, for editors and for programs in other languages. What we are given
 * is checked against its schema to the letter; what we give has at least what its schema says.
 */
import { z } from 'zod';
import { eventSchema } from './event-schema';
import { failureSchema } from './failure-schema';
import {
  jobProgressSchema,
  jobResultSchema,
  rentalProgressSchema,
  scriptOutcomeSchema,
  settlementProgressSchema,
  settlementResultSchema,
} from './result-schema';
import { SCHEMA_NAMES, type SchemaName } from './schema-names';
import { jobSpecSchema } from './spec-schema';

export { SCHEMA_NAMES, type SchemaName };

export type JsonSchema = Record<string, unknown>;

const SCHEMAS: Record<SchemaName, { schema: z.ZodType; title: string }> = {
  job: { schema: jobSpecSchema, title: 'A golem-temporal job' },
  result: { schema: jobResultSchema, title: 'Result of a job' },
  progress: { schema: jobProgressSchema, title: 'Progress of a job' },
  events: { schema: eventSchema, title: 'An event of a job' },
  failures: { schema: failureSchema, title: 'A failure' },
  settlement: { schema: settlementResultSchema, title: 'Result of a settlement' },
  'settlement-progress': { schema: settlementProgressSchema, title: 'Progress of a settlement' },
  'rental-progress': { schema: rentalProgressSchema, title: 'Progress of a rental' },
  script: { schema: scriptOutcomeSchema, title: 'Outcome of a script' },
};

export function jsonSchema(name: SchemaName): JsonSchema {
  const { schema, title } = SCHEMAS[name];
  // As input: an object may have more fields than are named, unless it is strict as those of a spec are.
  return z.toJSONSchema(schema.meta({ title, description: schema.description }), { io: 'input' });
}
