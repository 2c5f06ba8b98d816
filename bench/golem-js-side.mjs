/**
 * golem-js as its guide has it, for the bench: reads one JSON object a line, `{ "work": "one" }` or
 * `{ "work": "pool", "tasks": 20, "size": 4 }`, does it with a network object of its own, and answers with
 * `{ "resultMs", "settledMs", "printed" }`, milliseconds from the beginning: to the last result, and to the end of its shutdown.
 */
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { GolemNetwork } from '@golem-sdk/golem-js';

const silent = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };
const ORDER = {
  demand: { workload: { imageTag: 'golem/alpine:latest' } },
  market: {
    rentHours: 0.5,
    pricing: { model: 'linear', maxStartPrice: 1, maxCpuPerHourPrice: 1, maxEnvPerHourPrice: 1 },
  },
  payment: { driver: 'erc20', network: 'holesky' },
};

const WORK = {
  async one(glm) {
    const rental = await glm.oneOf({ order: ORDER });
    const exe = await rental.getExeUnit();
    const { stdout } = await exe.run('echo hello');
    return { printed: [stdout], end: () => rental.stopAndFinalize() };
  },
  async pool(glm, { tasks, size, command }) {
    const pool = await glm.manyOf({ poolSize: { min: size, max: size }, order: ORDER });
    const printed = await Promise.all(
      Array.from({ length: tasks }, () =>
        pool.withRental(async (rental) => {
          const exe = await rental.getExeUnit();
          return (await exe.run(command)).stdout;
        }),
      ),
    );
    return { printed, end: () => pool.drainAndClear() };
  },
};

for await (const line of createInterface(process.stdin)) {
  const asked = JSON.parse(line);
  const glm = new GolemNetwork({ logger: silent });
  const began = performance.now();
  await glm.connect();
  const { printed, end } = await WORK[asked.work](glm, asked);
  const resultMs = performance.now() - began;
  await end();
  await glm.disconnect();
  const settledMs = performance.now() - began;
  process.stdout.write(`${JSON.stringify({ resultMs, settledMs, printed })}\n`);
}
