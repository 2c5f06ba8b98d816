import { GolemClient } from 'golem-temporal';

async function main(): Promise<void> {
  const golem = await GolemClient.connect();
  const { jobId, rentalId } = await golem.rent({ image: 'golem/alpine:latest', budget: '1' });
  await golem.exec(rentalId, ['echo 6 7 > /golem/work/numbers']);
  const { state, results } = await golem.exec(rentalId, ["awk '{ print $1 * $2 }' /golem/work/numbers"]);
  console.log(state, results[0]?.stdout);
  await golem.terminate(jobId);
  await golem.close();
}

void main();
