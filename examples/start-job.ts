import { GolemClient } from 'golem-temporal';

async function main(): Promise<void> {
  const golem = await GolemClient.connect();
  const { jobId } = await golem.startJob({
    image: 'golem/alpine:latest',
    budget: '1',
    tasks: ['echo hello'],
  });
  const result = await golem.result(jobId);
  console.log(result.tasks[0]?.results[0]?.stdout);
  const { money } = await golem.settled(jobId);
  console.log(`paid ${money.paid} of ${money.budget}`);
  await golem.close();
}

void main();
