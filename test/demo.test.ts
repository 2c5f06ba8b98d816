/** `npm start`, as a user runs it. It kills its own worker half way. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { PNG } from 'pngjs';
import { startChild } from '../cli/child-process';
import { requireBuild } from './support/cli';

beforeAll(requireBuild);

const ROOT = join(__dirname, '..');
const PICTURE = join(ROOT, 'demo-output', 'mandelbrot.png');

/** The output so far goes to `lines`. */
async function startDemo(lines: string[] = []) {
  const args = [join(ROOT, 'scripts', 'start.js')];
  // What a user of another network has in the environment must not leave the demo without providers.
  const env = { ...process.env, YAGNA_SUBNET: 'elsewhere', PAYMENT_NETWORK: 'mainnet' };
  return startChild(process.execPath, args, { cwd: ROOT, env, onStdout: (line) => lines.push(line) });
}

/** Every address that the demo named: of Temporal, its UI and the devnet. */
function addresses(lines: string[]): { host: string; port: number }[] {
  const found = lines.join('\n').match(/127\.0\.0\.1:\d+/g) ?? [];
  return [...new Set(found)].map((address) => ({ host: '127.0.0.1', port: Number(address.split(':')[1]) }));
}

function isListening(address: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(address);
    socket.on('connect', () => socket.destroy() && resolve(true));
    socket.on('error', () => resolve(false));
  });
}

async function expectNothingLeft(lines: string[]): Promise<void> {
  expect(addresses(lines).length).toBeGreaterThan(1);
  for (const address of addresses(lines)) expect(await isListening(address)).toBe(false);
  const pids = lines.flatMap((line) => /(?:worker|process) +(?:process )?(\d+)/.exec(line)?.[1] ?? []);
  expect(pids.length).toBeGreaterThan(0);
  for (const pid of pids) expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
}

test('npm start finishes its job though the worker is killed, computes no tile twice, and leaves nothing running', async () => {
  await rm(PICTURE, { force: true });
  const lines: string[] = [];
  const demo = await startDemo(lines);
  expect(await demo.exited).toEqual({ code: 0, signal: null });
  const output = lines.join('\n');
  expect(output).toMatch(/worker \d+ killed with SIGKILL/);
  expect(output).toMatch(/another worker, process \d+: the job goes on/);
  expect(output).toContain('none of them was computed again');
  expect(output).toMatch(/16 in all +0\.\d+ +0\.\d+/);
  expect(PNG.sync.read(await readFile(PICTURE)).width).toBe(512);
  await expectNothingLeft(lines);
});

test('Ctrl-C in the middle of it leaves nothing running', async () => {
  const lines: string[] = [];
  const demo = await startDemo(lines);
  await demo.line(/tasks done, \d running/);
  process.kill(demo.pid, 'SIGINT');
  expect(await demo.exited).toEqual({ code: 130, signal: null });
  await expectNothingLeft(lines);
});

test('an output that nobody reads any more ends it without a word, and leaves nothing running', async () => {
  const demo = spawn(process.execPath, [join(ROOT, 'scripts', 'start.js')], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const complaints = text(demo.stderr);
  const lines: string[] = [];
  for await (const line of createInterface({ input: demo.stdout })) {
    lines.push(line);
    if (line.startsWith('worker ')) break;
  }
  demo.stdout.destroy();
  expect(await once(demo, 'exit')).toEqual([130, null]);
  expect(await complaints).toBe('');
  await expectNothingLeft(lines);
});

test('arguments that it does not have are refused before anything is started', () => {
  const run = spawnSync(process.execPath, [join(ROOT, 'scripts', 'start.js'), '--kep'], { encoding: 'utf8' });
  expect(run).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('no --kep;') });
});
