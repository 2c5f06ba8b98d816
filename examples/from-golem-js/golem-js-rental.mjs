import { GolemNetwork } from '@golem-sdk/golem-js';

const glm = new GolemNetwork();
const order = {
  demand: { workload: { imageTag: 'golem/alpine:latest' } },
  market: {
    rentHours: 0.5,
    pricing: { model: 'linear', maxStartPrice: 1, maxCpuPerHourPrice: 1, maxEnvPerHourPrice: 1 },
  },
};

try {
  await glm.connect();
  const rental = await glm.oneOf({ order });
  const exe = await rental.getExeUnit();
  await exe.run('echo 6 7 > /golem/work/numbers');
  const { result, stdout } = await exe.run("awk '{ print $1 * $2 }' /golem/work/numbers");
  console.log(result === 'Ok' ? 'done' : 'failed', stdout);
  await rental.stopAndFinalize();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await glm.disconnect();
}
