/** `npm run chaos:matrix`: builds when needed, for workers run from dist, and breaks a job at every crash point. */
const { requireNode, installIfNeeded } = require('./checkout');
const { buildIfStale } = require('./build');

async function main() {
  requireNode();
  await installIfNeeded();
  await buildIfStale();
  require('../test/support/typescript.js');
  return await require('../test/chaos/matrix-main.ts').main(process.argv.slice(2));
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
