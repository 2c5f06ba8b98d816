/** docs/quickstart.md as a new user follows it: an empty folder, the package as npm would publish it, command by command. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { startChild, type Child } from '../cli/child-process';
import { findTemporalBinary } from '../cli/temporal-binary';
import { freePort } from '../cli/temporal-server';
import { requireBuild } from './support/cli';
import { tempDir } from './support/temp-dir';

const ROOT = join(__dirname, '..');
const page = readFileSync(join(ROOT, 'docs', 'quickstart.md'), 'utf8');
const parent = tempDir('quickstart');
const folder = join(parent, 'empty');

let ports: { devnet: number; temporal: number; ui: number };
let env: NodeJS.ProcessEnv;
/** Programs that are left running, in terminals of their own. */
const terminals: Child[] = [];
beforeAll(async () => {
  requireBuild();
  mkdirSync(folder);
  ports = { devnet: await freePort(), temporal: await freePort(), ui: await freePort() };
  env = {
    ...process.env,
    PATH: `${dirname(await findTemporalBinary())}${delimiter}${process.env.PATH}`,
    // Nothing of the user's: neither what their devnet keeps nor the settings of their Temporal.
    XDG_DATA_HOME: join(parent, 'data'),
    XDG_CONFIG_HOME: join(parent, 'config'),
    TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal}`,
  };
  // It is built already: `npm pack` would build it again.
  await promisify(execFile)('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', parent], {
    cwd: ROOT,
  });
});
afterAll(async () => {
  for (const terminal of terminals.reverse()) await terminal.stop();
});

/** The commands under a heading, block by block, with ports that nobody else has. */
function blocks(heading: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) =>
    block
      .replaceAll('7465', String(ports.devnet))
      .replace('golem-temporal devnet\n', `golem-temporal devnet --port ${ports.devnet}\n`)
      .replace('start-dev', `start-dev --port ${ports.temporal} --ui-port ${ports.ui}`)
      // What npm has in its cache is good enough for a test.
      .replace('npm install', 'npm install --prefer-offline --no-audit --no-fund'),
  );
}

async function run(script: string): Promise<string[]> {
  const printed: string[] = [];
  const errors: string[] = [];
  const child = await startChild('bash', ['-euo', 'pipefail', '-c', script], {
    ...{ env, cwd: folder },
    onStdout: (line) => printed.push(line),
    onStderr: (line) => errors.push(line),
  });
  const { code } = await child.exited;
  if (code !== 0) throw new Error([script, ...printed, ...errors].join('\n'));
  return printed;
}

async function leaveRunning(script: string, ready: RegExp): Promise<void> {
  const child = await startChild('bash', ['-c', script], { env, cwd: folder });
  terminals.push(child);
  await child.line(ready);
}

async function temporalAnswers(): Promise<void> {
  const connection = await Connection.connect({ address: env.TEMPORAL_ADDRESS, connectTimeout: '1 minute' });
  await connection.close();
}

test('installs into an empty folder, and starts what a job needs', async () => {
  const [install = ''] = blocks('Install');
  await run(install);
  const [devnet = '', temporal = '', worker = ''] = blocks('Start what a job needs');
  await leaveRunning(devnet, /^devnet ready at /);
  await leaveRunning(temporal, /Server:/);
  await temporalAnswers();
  await leaveRunning(worker, /^worker ready/);
}, 300_000);

test('runs a job from the terminal', async () => {
  const [job = ''] = blocks('A job from the terminal');
  const printed = (await run(job)).join('\n');
  expect(printed).toMatch(/hello from \w+/);
  expect(printed).toContain('5050');
  expect(printed).toContain('"state": "settled"');
  expect(printed).toContain('PaymentConfirmed');
});

test('runs a job from a program', async () => {
  const [program = ''] = blocks('From a program');
  expect(await run(program)).toEqual(['9 144 1600']);
});

test('has no other commands', () => {
  const run = ['Install', 'Start what a job needs', 'A job from the terminal', 'From a program'];
  expect(run.flatMap(blocks)).toHaveLength([...page.matchAll(/^```/gm)].length / 2);
});
