/** docs/quickstart.md as a new user follows it: an empty folder, the package as npm would publish it, command by command. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { toRun } from '../scripts/doc-blocks';
import { Reader } from './support/reader';
import { tempDir } from './support/temp-dir';

const ROOT = join(__dirname, '..');
const folder = tempDir('quickstart');
const blocks = toRun('docs/quickstart.md', 'quickstart');
const HEADINGS = ['Install', 'Start what a job needs', 'A job from the terminal', 'From a program'];

let reader: Reader;
beforeAll(async () => {
  reader = await Reader.start(folder, { withCommand: false });
  // It is built already: `npm pack` would build it again.
  await promisify(execFile)('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
  });
});
afterAll(() => reader?.endTerminals());

async function follow(heading: string): Promise<string[]> {
  const printed: string[] = [];
  for (const { text } of blocks.filter((block) => block.heading === heading))
    // What npm has in its cache is good enough for a test.
    printed.push(
      ...(await reader.follow(
        text.replace('npm install', 'npm install --prefer-offline --no-audit --no-fund'),
      )),
    );
  return printed;
}

test('installs into an empty folder, and starts what a job needs', async () => {
  await follow('Install');
  await follow('Start what a job needs');
}, 300_000);

test('runs a job from the terminal', async () => {
  const printed = (await follow('A job from the terminal')).join('\n');
  expect(printed).toMatch(/hello from \w+/);
  expect(printed).toContain('5050');
  expect(printed).toContain('"state": "settled"');
  expect(printed).toContain('PaymentConfirmed');
});

test('runs a job from a program', async () => {
  expect(await follow('From a program')).toEqual(['9 144 1600']);
});

test('has no other commands', () => {
  expect(blocks.filter(({ heading }) => !HEADINGS.includes(heading))).toEqual([]);
});
