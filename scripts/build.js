/**
 * Builds dist/: JavaScript and types with tsc, then the workflow bundle that workers load, so that a worker
 * starts without webpack. `node scripts/build.js` builds always; `buildIfStale` only when a source is newer.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT, requireNode, installIfNeeded, run } = require('./checkout');

const DIST = path.join(ROOT, 'dist');
const STAMP = path.join(DIST, '.built');
const SOURCES = [
  ...['index.ts', 'workflows', 'activities', 'worker', 'client', 'cli', 'model', 'devnet', 'demo'],
  ...['scripts', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'],
];
const BUNDLE_LIMIT_BYTES = 1024 * 1024;

async function build() {
  removeOrphans(DIST);
  await run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
  const main = path.join(DIST, 'cli', 'main.js');
  if (fs.existsSync(main)) fs.chmodSync(main, 0o755);
  await bundleWorkflows();
  fs.writeFileSync(STAMP, '');
}

/** One file with all workflows in it, and beside it the version of the worker that it was made by and is for. */
async function bundleWorkflows() {
  const workflowsPath = path.join(DIST, 'workflows', 'index.js');
  if (!fs.existsSync(workflowsPath)) return;
  const { bundleWorkflowCode, DefaultLogger } = require('@temporalio/worker');
  const { version } = require('@temporalio/worker/package.json');
  const logger = new DefaultLogger('WARN');
  const { code } = await bundleWorkflowCode({ workflowsPath, logger });
  const bytes = Buffer.byteLength(code);
  console.error(`workflow bundle: ${(bytes / 1024).toFixed(0)} kB`);
  if (bytes > BUNDLE_LIMIT_BYTES) {
    console.error(`The workflow bundle is over its limit of ${BUNDLE_LIMIT_BYTES / 1024} kB.`);
    process.exit(1);
  }
  fs.writeFileSync(path.join(DIST, 'workflow-bundle.js'), code);
  fs.writeFileSync(path.join(DIST, 'workflow-bundle.json'), JSON.stringify({ workerVersion: version }));
}

/** Removes what a source that is gone has left in dist. */
function removeOrphans(folder) {
  for (const entry of fs.existsSync(folder) ? fs.readdirSync(folder, { withFileTypes: true }) : []) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) removeOrphans(file);
    const source = path.join(ROOT, path.relative(DIST, file)).replace(/(\.d\.ts|\.js)$/, '.ts');
    if (source.endsWith('.ts') && !entry.name.startsWith('workflow-bundle') && !fs.existsSync(source)) {
      fs.rmSync(file);
      // tsc writes only what it thinks has changed.
      fs.rmSync(path.join(DIST, '.tsbuildinfo'), { force: true });
    }
  }
}

function isStale() {
  if (!fs.existsSync(STAMP)) return true;
  const built = fs.statSync(STAMP).mtimeMs;
  return SOURCES.some((source) => newest(path.join(ROOT, source)) > built);
}

function newest(file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...fs.readdirSync(file).map((name) => newest(path.join(file, name))));
}

async function buildIfStale() {
  if (!isStale()) return;
  console.error('building');
  await build();
}

module.exports = { buildIfStale, isStale };

if (require.main === module) {
  requireNode();
  installIfNeeded()
    .then(build)
    .catch((error) => {
      console.error(error);
      process.exit(1);
    });
}
