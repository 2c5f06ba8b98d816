/** README.md and the pages of docs/: what they take from the code is up to date, and where they lead there is something. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeCommands } from '../cli/command-reference';
import { EXIT_CODES } from '../cli/failure';
import { effectKinds, operations } from '../devnet';
import { FAILURES } from '../model/failures';
import { jsonSchema } from '../model/json-schema';
import { parseJobSpec } from '../model/spec';
import { pages, renewed, tablesOf } from '../scripts/readme';

const ROOT = join(__dirname, '..');
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

const tables = tablesOf({
  ...{ schema: jsonSchema('job'), failures: FAILURES },
  ...{ operations: operations(), effects: effectKinds() },
  ...{ commands: describeCommands(), exitCodes: EXIT_CODES },
});

test.each(pages())('%s has code and tables as they are (node scripts/readme.js writes them)', (page) => {
  const text = read(page);
  expect(renewed(text, tables)).toBe(text);
});

test('each table stands on a page', () => {
  const all = pages().map(read).join('');
  for (const name of Object.keys(tables)) expect(all).toContain(`<!-- table: ${name} -->`);
});

/** As GitHub makes them of headings. */
const anchors = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

test.each(pages())('the links of %s lead somewhere', (page) => {
  const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  const broken = links
    .filter((link) => !/^https?:/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchors(read(target)).includes(anchor);
    });
  expect(broken).toEqual([]);
});

test('pages show only job specs that are valid', () => {
  const specs = pages()
    .flatMap((page) => [...read(page).matchAll(/```json\n([^]*?)```/g)])
    .map(([, json = '']) => JSON.parse(json) as object)
    .filter((json) => 'image' in json);
  expect(specs.length).toBeGreaterThan(3);
  for (const spec of specs) expect(parseJobSpec(spec)).toMatchObject({ ok: true });
});
