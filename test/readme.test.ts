import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FAILURES } from '../model/failures';
import { parseJobSpec } from '../model/spec';
import { jobSpecSchema } from '../model/spec-schema';
import { pages, renewed, renewedCode } from '../scripts/readme';

const readme = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');

test.each(pages())('%s shows the code as it is (node scripts/readme.js writes it)', (page) => {
  const text = readFileSync(join(__dirname, '..', page), 'utf8');
  expect(renewedCode(text)).toBe(text);
});

describe('README.md', () => {
  test('has the fields and failures of the code (node scripts/readme.js writes them)', () => {
    expect(renewed(readme, z.toJSONSchema(jobSpecSchema, { io: 'input' }), FAILURES)).toBe(readme);
  });

  test('shows only job specs that are valid', () => {
    const specs = [...readme.matchAll(/```json\n([^]*?)```/g)].map(
      ([, json]) => JSON.parse(json!) as unknown,
    );
    expect(specs.length).toBeGreaterThan(1);
    for (const spec of specs) expect(parseJobSpec(spec)).toMatchObject({ ok: true });
  });
});
