/**
 * `npm run chaos -- --seeds 200`: random jobs, providers and faults by number, each run judged. `--seed N` runs one
 * again, with `--plan` it shows what it would do.
 */
const { requireNode, installIfNeeded } = require('./checkout');

async function main() {
  requireNode();
  await installIfNeeded();
  await require('./build').buildIfStale();
  require('../test/support/typescript');
  require('../test/chaos/main');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
