/**
 * `npm run soak`: the tests that look for what is rare, at their full length: with SOAK=1 in the environment each
 * goes on for minutes, an hour in all. Arguments name test files (default: all that have a long form).
 */
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { ROOT, requireNode, installIfNeeded } = require('./checkout');
const { buildIfStale } = require('./build');

const LONG = [
  'test/devnet-killed',
  'test/crash-matrix',
  'test/seeds',
  'test/hostile-input',
  'test/long-notes',
];

async function main() {
  requireNode();
  await installIfNeeded();
  await buildIfStale();
  const jest = path.join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const args = process.argv.slice(2);
  // One after the other: each has more processes than there are cores.
  const { status } = spawnSync(process.execPath, [jest, '--runInBand', ...(args.length > 0 ? args : LONG)], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, SOAK: '1' },
  });
  return status ?? 1;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
