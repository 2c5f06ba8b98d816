import { GolemNetwork } from '@golem-sdk/golem-js';

const glm = new GolemNetwork();
const order = {
  demand: { workload: { imageTag: 'golem/alpine:latest' } },
  market: {
    rentHours: 0.5,
    pricing: { model: 'linear', maxStartPrice: 1, maxCpuPerHourPrice: 1, maxEnvPerHourPrice: 1 },
  },
  payment: { driver: 'erc20', network: 'holesky' },
};

try {
  await glm.connect();
  const pool = await glm.manyOf({ poolSize: { min: 1, max: 3 }, order });
  const squares = await Promise.all(
    [3, 12, 40].map((n) =>
      pool.withRental(async (rental) => {
        const exe = await rental.getExeUnit();
        const { stdout } = await exe.run(`echo $((${n} * ${n}))`);
        return stdout.trim();
      }),
    ),
  );
  console.log(squares.join(' '));
  await pool.drainAndClear();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await glm.disconnect();
}
