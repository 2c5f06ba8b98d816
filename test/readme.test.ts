/** README.md and the pages of docs/: what they take from the code is up to date, and where they lead there is something. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { Connections } from '../activities';
import { describeCommands } from '../cli/command-reference';
import { EXIT_CODES } from '../cli/failure';
import { effectKinds, operations } from '../devnet';
import { checkProviders } from '../devnet/provider/providers-file';
import { FAILURES } from '../model/failures';
import { jsonSchema } from '../model/json-schema';
import { parseJobSpec } from '../model/spec';
import { allPages, blocksOf, fateOf } from '../scripts/doc-blocks';
import { pages, renewed, tablesOf } from '../scripts/readme';
import { tempDir } from './support/temp-dir';

const ROOT = join(__dirname, '..');
const folder = tempDir('readme');
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

test.each(allPages())('the links of %s lead somewhere', (page) => {
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

test('each block of code on a page is run by a test, or says why not', () => {
  const blocks = allPages().flatMap(blocksOf);
  const untold = blocks.filter((block) => {
    const { by, not } = fateOf(block);
    return by === undefined ? !not : !existsSync(join(ROOT, 'test', `${by}.test.ts`));
  });
  expect(untold.map(({ page, line }) => `${page}:${line}`)).toEqual([]);
  expect(blocks.length).toBeGreaterThan(90);
});

test('a test that is said to run an example names it', () => {
  const files = allPages()
    .flatMap(blocksOf)
    .flatMap((block) => {
      const [, file] = /^code: ([^#]+)/.exec(block.mark) ?? [];
      return file === undefined ? [] : [{ file, by: fateOf(block).by ?? '' }];
    });
  const unnamed = files.filter(({ file, by }) => {
    const text = read(`test/${by}.test.ts`);
    const name = (path: string): string => basename(path, extname(path));
    return !text.includes(name(file)) && !text.includes(`'${name(dirname(file))}'`);
  });
  expect(unnamed).toEqual([]);
});

/** What the JSON of the pages is held to, by what tells it apart. */
const KINDS: { has: string; problems: (json: object) => unknown }[] = [
  { has: 'image', problems: (json) => parseJobSpec(json).ok || parseJobSpec(json) },
  { has: 'profile', problems: (json) => checkProviders(json).length > 0 },
  {
    has: 'testnet',
    problems(json) {
      const file = join(folder, 'connections.json');
      writeFileSync(file, JSON.stringify(json));
      const connections = new Connections({ GOLEM_CONNECTIONS: file });
      return Object.keys(json).every((name) => connections.get(name).connection === name);
    },
  },
];

test('pages show only JSON that is valid', () => {
  const shown = allPages()
    .flatMap(blocksOf)
    .filter(({ language }) => language === 'json')
    .map(({ page, line, text }) => ({ place: `${page}:${line}`, json: JSON.parse(text) as object }));
  expect(shown.length).toBeGreaterThan(5);
  for (const { place, json } of shown) {
    const kind = KINDS.find(({ has }) => has in json);
    expect([place, kind?.problems(json)]).toEqual([place, true]);
  }
});
