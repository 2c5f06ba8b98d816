/**
 * `npm test`: installs and builds when needed, runs jest (arguments are passed on), and ends with one plain line
 * `N passed, N failed`, with `, N skipped` when there are any, named above it. Why one is skipped stands in its
 * title: `a VM sees only its own files (skipped because this machine has no namespaces)`.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { ROOT, requireNode, installIfNeeded } = require('./checkout');

async function main() {
  requireNode();
  await installIfNeeded();
  await require('./build').buildIfStale();

  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'golem-temporal-test-'));
  const outputFile = path.join(folder, 'jest.json');
  const exitCode = await jest(['--json', `--outputFile=${outputFile}`, ...process.argv.slice(2)]);
  const report = fs.existsSync(outputFile) ? JSON.parse(fs.readFileSync(outputFile, 'utf8')) : undefined;
  fs.rmSync(folder, { recursive: true, force: true });
  if (!report) {
    console.log('0 passed, 1 failed');
    return exitCode || 1;
  }

  const skipped = report.testResults
    .flatMap((file) => file.assertionResults)
    .filter((test) => test.status === 'pending' || test.status === 'todo' || test.status === 'disabled');
  for (const { fullName } of skipped) {
    const reason = fullName.includes('skipped because') ? '' : ' (its title does not say why)';
    console.log(`skipped: ${fullName}${reason}`);
  }
  // A file that could not run at all is a failure, too.
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  const counts = [`${report.numPassedTests} passed`, `${failed} failed`];
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
  console.log(counts.join(', '));
  return exitCode || (failed > 0 ? 1 : 0);
}

/** @returns {Promise<number>} its exit code. With --json jest writes its report to the file and nothing to stdout. */
function jest(args) {
  const bin = path.join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: ROOT,
    stdio: ['inherit', 'ignore', 'inherit'],
  });
  // Ctrl-C reaches jest as well; wait for it to end.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    console.log('0 passed, 1 failed');
    process.exit(1);
  },
);
