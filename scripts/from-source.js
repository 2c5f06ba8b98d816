/**
 * `node scripts/from-source.js <module> [arguments]`: builds when needed, for the processes that run from dist, and runs
 * `main` of one of the project's TypeScript modules; what that returns is the exit code.
 */
const path = require('node:path');
const { ROOT, requireNode, installIfNeeded } = require('./checkout');
const { buildIfStale } = require('./build');

async function main([module_, ...args]) {
  requireNode();
  await installIfNeeded();
  await buildIfStale();
  require('../test/support/typescript.js');
  return await require(path.join(ROOT, module_)).main(args);
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
