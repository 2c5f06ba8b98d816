/** What other languages rely on: the published JSON Schemas, read by a validator that is not ours. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { EVENT_NAMES } from '../model/events';
import { FAILURES } from '../model/failures';
import * as jsonSchemas from '../model/json-schema';
import { jobResultSchema } from '../model/result-schema';
import { FOLDER, schemaFiles } from '../scripts/schemas';
import { requireSchema } from './support/checked-client';
import { resultsIn } from './support/recorded-results';

const { SCHEMA_NAMES } = jsonSchemas;
const root = join(__dirname, '..');

const compiled = new Map<string, ReturnType<typeof compile>>();

/** As a program in any language would: from the files of the package, and strict about keywords that it does not know. */
function compile(name: jsonSchemas.SchemaName) {
  const ajv = new Ajv({
    allErrors: true,
    strictRequired: false,
    keywords: ['retryable'],
    allowUnionTypes: true,
  });
  addFormats(ajv);
  return ajv.compile(JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as object);
}

function problems(name: jsonSchemas.SchemaName, value: unknown): string[] {
  const validate = compiled.get(name) ?? compile(name);
  compiled.set(name, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

test('the published schemas are those of the code (node scripts/schemas.js writes them)', () => {
  const written = readdirSync(FOLDER).map((file) => [file, readFileSync(join(FOLDER, file), 'utf8')]);
  expect(Object.fromEntries(written)).toEqual(schemaFiles(jsonSchemas));
});

test('each schema is found by its name in the package, and in the page of contracts', () => {
  const page = readFileSync(join(root, 'docs', 'contracts.md'), 'utf8');
  for (const name of SCHEMA_NAMES) {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- as users do
    expect(require(`golem-temporal/schemas/${name}.json`)).toHaveProperty('title');
    expect(page).toContain(`[\`${name}\`](schemas/${name}.json)`);
  }
});

test('every event and every failure has its schema', () => {
  for (const name of EVENT_NAMES) {
    const found = problems('events', {
      seq: 1,
      at: '2026-01-01T00:00:00Z',
      name,
      details: {},
      workflowId: 'job',
    });
    // Of the schema that has its name nothing is amiss but what its details lack.
    const names = found.filter((problem) => problem.startsWith('/name'));
    expect(names).toHaveLength(EVENT_NAMES.length - 1);
  }
  for (const type of Object.keys(FAILURES)) expect(problems('failures', { type, message: 'so' })).toEqual([]);
  expect(problems('failures', { type: 'NoSuchFailure', message: 'so' })).not.toEqual([]);
});

const examples = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)]
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) =>
    [...readFileSync(join(root, name), 'utf8').matchAll(/```json\n([^]*?)```/g)].map(
      ([, json = '']) => [name, json] as const,
    ),
  )
  .filter(([, json]) => json.includes('"image"'));

test.each(examples)('a job spec of %s is valid', (_page, json) => {
  expect(problems('job', JSON.parse(json))).toEqual([]);
});

test('a spec with a mistake is not', () => {
  const spec = { image: 'golem/alpine:latest', budget: 1, tasks: ['true'], taks: [] };
  const found = problems('job', spec);
  expect(found.some((problem) => problem.startsWith('/budget'))).toBe(true);
  expect(found.some((problem) => problem.includes('additional properties'))).toBe(true);
});

describe('what workflows have returned in recorded histories', () => {
  const recorded = resultsIn(join(__dirname, 'histories'));

  test('is of jobs and settlements', () => {
    expect(new Set(recorded.map(({ schema }) => schema))).toEqual(new Set(['result', 'settlement']));
  });

  test.each(recorded)('$file is as its schema says', ({ schema, result }) => {
    expect(problems(schema, result)).toEqual([]);
  });
});

describe('answers are held to the schemas in all tests', () => {
  const [job] = resultsIn(join(__dirname, 'histories')).filter(({ schema }) => schema === 'result');
  const result = job?.result as object;

  test('with what they say', () => {
    expect(requireSchema(jobResultSchema, result)).toBe(result);
  });

  test('and not with more or less', () => {
    expect(() => requireSchema(jobResultSchema, { ...result, more: 1 })).toThrow(/does not have: \/more/);
    expect(() => requireSchema(jobResultSchema, { ...result, jobId: undefined })).toThrow(/jobId/);
  });
});
