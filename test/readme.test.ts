import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FAILURES } from '../model/failures';
import { parseJobSpec } from '../model/spec';
import { jobSpecSchema } from '../model/spec-schema';
import { renewed } from '../scripts/readme';

const readme = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');

describe('README.md', () => {
  test('has the fields, failures and examples of the code (node scripts/readme.js writes them)', () => {
    expect(renewed(readme, z.toJSONSchema(jobSpecSchema, { io: 'input' }), FAILURES)).toBe(readme);
  });

  test('has a page on the plugin whose examples are those that the tests run', () => {
    const page = readFileSync(join(__dirname, '..', 'docs', 'plugin.md'), 'utf8');
    expect(renewed(page, z.toJSONSchema(jobSpecSchema, { io: 'input' }), FAILURES)).toBe(page);
  });

  test('shows only job specs that are valid', () => {
    const specs = [...readme.matchAll(/```json\n([^]*?)```/g)].map(
      ([, json]) => JSON.parse(json!) as unknown,
    );
    expect(specs.length).toBeGreaterThan(1);
    for (const spec of specs) expect(parseJobSpec(spec)).toMatchObject({ ok: true });
  });
});
