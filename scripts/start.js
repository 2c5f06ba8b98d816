/** `npm start`: installs and builds when needed, then runs the demo. `npm start -- --keep` leaves it open at the end. */
const { requireNode, installIfNeeded } = require('./checkout');

async function main() {
  requireNode();
  await installIfNeeded();
  await require('./build').buildIfStale();
  const { runDemo } = require('../dist/demo/main.js');
  return runDemo(process.argv.slice(2));
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
