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
import { jobSpecSchema } from './spec-schema';

export type JsonSchema = Record<string, unknown>;

/** By the names that `golem-temporal schema` and the files have. */
const SCHEMAS = {
  job: { schema: jobSpecSchema, title: 'A golem-temporal job', of: 'the spec of a job: what `start` takes' },
  result: { schema: jobResultSchema, title: 'Result of a job', of: "a job's result" },
  progress: { schema: jobProgressSchema, title: 'Progress of a job', of: "a job's progress" },
  events: { schema: eventSchema, title: 'An event of a job', of: 'an event' },
  failures: { schema: failureSchema, title: 'A failure', of: 'a failure, by name' },
  settlement: {
    schema: settlementResultSchema,
    title: 'Result of a settlement',
    of: 'what a job cost: `result --settled`',
  },
  'settlement-progress': {
    schema: settlementProgressSchema,
    title: 'Progress of a settlement',
    of: "a settlement's progress",
  },
  'rental-progress': {
    schema: rentalProgressSchema,
    title: 'Progress of a rental',
    of: "a rental's progress",
  },
  script: { schema: scriptOutcomeSchema, title: 'Outcome of a script', of: "a script's outcome" },
} as const satisfies Record<string, { schema: z.ZodType; title: string; of: string }>;

export type SchemaName = keyof typeof SCHEMAS;

export const SCHEMA_NAMES = Object.keys(SCHEMAS) as SchemaName[];

/** What it is the schema of, in a few words. */
export const schemaOf = (name: SchemaName): string => SCHEMAS[name].of;

export function jsonSchema(name: SchemaName): JsonSchema {
  const { schema, title } = SCHEMAS[name];
  // As input: an object may have more fields than are named, unless it is strict as those of a spec are.
  return z.toJSONSchema(schema.meta({ title, description: schema.description }), { io: 'input' });
}
