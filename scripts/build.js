/**
 * Builds dist/: JavaScript and types with tsc, then the workflow bundle that workers load, so that a worker
 * starts without webpack. `node scripts/build.js` builds always; `buildIfStale` only when a source is newer.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT, requireNode, installIfNeeded, newest, run } = require('./checkout');
const { bundleWorkflows } = require('./workflow-bundle');

const DIST = path.join(ROOT, 'dist');
const STAMP = path.join(DIST, '.built');
/** What the pages of the devnet and of `golem-temporal ui` are put together from, read when they start. */
const PAGES = [path.join('devnet', 'admin', 'page'), path.join('ui', 'page')];
const SOURCES = [
  ...[
    'index.ts',
    'workflows',
    'workflow-helpers',
    'activities',
    'worker',
    'client',
    'ui',
    'cli',
    'model',
    'devnet',
    'demo',
    'examples',
  ],
  ...['scripts', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'],
];

async function build() {
  removeOrphans(DIST);
  await run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
  for (const page of PAGES) {
    fs.rmSync(path.join(DIST, page), { recursive: true, force: true });
    fs.cpSync(path.join(ROOT, page), path.join(DIST, page), { recursive: true });
  }
  const main = path.join(DIST, 'cli', 'main.js');
  if (fs.existsSync(main)) fs.chmodSync(main, 0o755);
  await bundleWorkflows();
  fs.writeFileSync(STAMP, '');
}

/** Removes what a source that is gone has left in dist. */
function removeOrphans(folder) {
  for (const entry of fs.existsSync(folder) ? fs.readdirSync(folder, { withFileTypes: true }) : []) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) removeOrphans(file);
    const source = path.join(ROOT, path.relative(DIST, file)).replace(/(\.d\.ts|\.js)$/, '.ts');
    if (PAGES.some((page) => path.dirname(file) === path.join(DIST, page))) continue;
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
