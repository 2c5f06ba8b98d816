/** The JSON Schemas that are published, by the names that `golem-temporal schema` and the files have, and what each is of. */
export const SCHEMA_OF = {
  job: 'the spec of a job: what `start` takes',
  result: "a job's result",
  progress: "a job's progress",
  events: 'an event',
  failures: 'a failure, by name',
  settlement: 'what a job cost: `result --settled`',
  'settlement-progress': "a settlement's progress",
  'rental-progress': "a rental's progress",
  script: "a script's outcome",
} as const;

export type SchemaName = keyof typeof SCHEMA_OF;

export const SCHEMA_NAMES = Object.keys(SCHEMA_OF) as SchemaName[];
