/**
 * `npm run bench:recovery`: from SIGKILL of the worker while a script runs to the job's next step under another worker
 * that is up already; so many times, and the median. `--kills N` (default 10).
 */
const { parseArgs } = require('node:util');
const { buildIfStale } = require('../scripts/build');

const { values: flags } = parseArgs({ options: { kills: { type: 'string', default: '10' } } });

async function main() {
  await buildIfStale();
  require('../test/support/typescript.js');
  const { stopAllChildren } = require('../cli/child-process.ts');
  const { startTemporalServer } = require('../cli/temporal-server.ts');
  const { ChaosWorld } = require('../test/chaos/chaos-world.ts');
  const { measureRecovery, median } = require('../test/chaos/recovery.ts');
  const server = await startTemporalServer({ onProgress: (line) => console.error(line) });
  try {
    const world = await ChaosWorld.start({ temporalAddress: server.address });
    const { ms, steps } = await measureRecovery(world, Number(flags.kills));
    for (const [index, step] of steps.entries()) console.log(`${(ms[index] / 1000).toFixed(2)} s  ${step}`);
    console.log(`median of ${ms.length}: ${(median(ms) / 1000).toFixed(2)} s`);
    await world.close();
  } finally {
    await server.close();
    await stopAllChildren();
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
