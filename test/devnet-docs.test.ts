/** docs/devnet.md: what it shows is run as it stands there, and what it takes from the code is up to date. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startDevnet, type Devnet } from '../devnet';
import { toRun } from '../scripts/doc-blocks';
import { requireBuild } from './support/cli';

const ROOT = join(__dirname, '..');
const page = readFileSync(join(ROOT, 'docs', 'devnet.md'), 'utf8');
/** Code blocks that the page says to run here, by language. */
const blocks = (language: string): string[] =>
  toRun('docs/devnet.md', 'devnet-docs').flatMap((block) =>
    block.language === language ? [block.text] : [],
  );

let devnet: Devnet;
beforeAll(async () => {
  requireBuild();
  devnet = await startDevnet({ paymentCycleSec: 0 });
});
afterAll(() => devnet.close());

/** Runs a program to its end. @returns what it has printed */
async function run(command: string, args: string[]): Promise<string> {
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      DEVNET_ADMIN_URL: devnet.adminUrl,
      YAGNA_API_URL: devnet.url,
      YAGNA_APPKEY: devnet.appKey,
      GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
      DEBUG: '',
    },
  });
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.on('close', resolve)),
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

describe('docs/devnet.md', () => {
  test('its commands, line by line: a rental by hand, and faults', async () => {
    const [byHand = '', left = '', faults = ''] = blocks('sh');
    const cli = `golem-temporal() { node ${join(ROOT, 'dist', 'cli', 'main.js')} "$@"; }\n`;
    const shell = (script: string): Promise<string> =>
      run('bash', ['-euo', 'pipefail', '-c', cli + script.replaceAll('http://127.0.0.1:7465', devnet.url)]);
    expect(await shell(byHand)).toBe('hello\n');
    const lines = (await shell(left)).split('\n');
    expect(lines[0]).toBe('allocations: 0, demands: 0, agreements: 0, activities: 0');
    expect(lines.slice(1).map((line) => line.split(/ +/)[3])).toEqual([
      ...['agreement-approved', 'invoice-accepted', 'allocation-released', undefined],
    ]);
    expect((await shell(faults)).split('\n').filter((line) => line.endsWith('no match yet'))).toHaveLength(5);
    expect(devnet.faults.list()).toEqual([]);
    expect(devnet.links.state()).toEqual({ cuts: [], frozen: [], crashed: [] });
  });

  test('the images that it names are in the registry', async () => {
    const named = [...page.matchAll(/`(golem\/[a-z-]+(?::[\w.-]+)?)`/g)].map(([, tag = '']) => tag);
    expect(named.length).toBeGreaterThan(7);
    for (const tag of named) {
      const { status } = await fetch(`${devnet.url}/registry/v1/image/info?tag=${tag}`);
      expect([tag, status]).toEqual([tag, 200]);
    }
  });

  test('its program for golem-js', async () => {
    const [program = ''] = blocks('js');
    expect(await run(process.execPath, ['--input-type=module', '-e', program])).toContain('hello from ');
    expect(devnet.open().counts).toEqual({ allocations: 0, demands: 0, agreements: 0, activities: 0 });
  });

  test('its program with a devnet of its own', async () => {
    expect(await run(process.execPath, [join(ROOT, 'dist', 'examples', 'lost-answer.js')])).toBe(
      [
        'the program is told: fetch failed',
        'what happened: 1 GLM reserved by createAllocation at node requestor',
        'left open: 1 allocation\n',
      ].join('\n'),
    );
  });
});
