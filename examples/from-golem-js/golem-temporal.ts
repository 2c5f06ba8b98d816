import { GolemClient } from 'golem-temporal';

async function main(): Promise<void> {
  const golem = await GolemClient.connect();
  try {
    const { jobId } = await golem.startJob({
      image: 'golem/alpine:latest',
      budget: { amount: '1', network: 'holesky', driver: 'erc20' },
      demand: { expirationSec: 1800 },
      pricing: { maxStartPrice: '1', maxCpuPerHour: '1', maxEnvPerHour: '1' },
      providers: { max: 3 },
      tasks: [3, 12, 40].map((n) => `echo $((${n} * ${n}))`),
    });
    const { tasks } = await golem.result(jobId);
    console.log(tasks.map((task) => task.results[0]?.stdout?.trim() ?? task.failure?.message).join(' '));
  } finally {
    await golem.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
