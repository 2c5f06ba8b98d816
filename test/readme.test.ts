import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FAILURES } from '../model/failures';
import { parseJobSpec } from '../model/spec';
import { jobSpecSchema } from '../model/spec-schema';
import { describeCommands } from '../cli/command-reference';
import { EXIT_CODES } from '../cli/failure';
import { renewed, renewedCli } from '../scripts/readme';

const readme = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');

test('docs/cli.md has the commands, their examples and the exit codes of the code', () => {
  const page = readFileSync(join(__dirname, '..', 'docs', 'cli.md'), 'utf8');
  expect(renewedCli(page, describeCommands(), EXIT_CODES)).toBe(page);
});

describe('README.md', () => {
  test('has the fields, failures and examples of the code (node scripts/readme.js writes them)', () => {
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
