/** `npm start`: installs and builds when needed, then runs the demo. `npm start -- --keep` leaves it open at the end. */
const { requireNode, installIfNeeded } = require('./checkout');

async function main() {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => arg !== '--keep');
  if (unknown !== undefined) {
    console.error(
      `npm start: there is no ${unknown}; \`npm start -- --keep\` leaves everything open at the end`,
    );
    return 2;
  }
  requireNode();
  await installIfNeeded();
  await require('./build').buildIfStale();
  const { runDemo } = require('../dist/demo/main.js');
  return runDemo(args);
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
