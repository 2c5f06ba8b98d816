/**
 * Run in a project that has the package without its peers: the devnet in a program's own process, and its commands.
 * Ends with 1 when one of them does not work.
 */
const { spawn, execFile } = require('node:child_process');
const { once } = require('node:events');
const { createRequire } = require('node:module');
const { createInterface } = require('node:readline');
const { promisify } = require('node:util');
const path = require('node:path');

const project = process.cwd();
const { startDevnet } = createRequire(path.join(project, 'package.json'))('golem-temporal/devnet');
const COMMAND = path.join(project, 'node_modules', '.bin', 'golem-temporal');

/** @returns what the command printed; rejects when it fails or complains. */
async function run(...args) {
  const { stdout, stderr } = await promisify(execFile)(COMMAND, args);
  if (stderr !== '') throw new Error(`golem-temporal ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** `golem-temporal devnet` until it is ready, and then to its end. @returns its exit code */
async function startAndStop() {
  const data = path.join(project, 'data');
  const child = spawn(COMMAND, ['devnet', '--port', '0', '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  for await (const line of createInterface(child.stdout)) if (line.startsWith('devnet ready')) child.kill();
  const [code] = await ended;
  return code;
}

async function main() {
  const devnet = await startDevnet();
  process.env.DEVNET_ADMIN_URL = devnet.adminUrl;
  await run('devnet', 'fault', 'arm', 'createAgreement', 'delay');
  for (const args of ['fault list', 'fault operations', 'effects', 'open'])
    if ((await run('devnet', ...args.split(' '))) === '') throw new Error(`devnet ${args} printed nothing`);
  await devnet.close();
  for (const args of ['--help', '--version', 'devnet --help', 'schema job', 'schema providers'])
    await run(...args.split(' '));
  const code = await startAndStop();
  if (code !== 0) throw new Error(`golem-temporal devnet ended with ${code}`);
  const refusal = await run('watch', 'a-job').catch((error) => error.stderr);
  if (!refusal.includes("needs Temporal's SDK")) throw new Error(`watch: ${refusal}`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
