import { GolemClient } from 'golem-temporal';

async function main(): Promise<void> {
  const golem = await GolemClient.connect();
  try {
    const { jobId, rentalId } = await golem.rent({ image: 'golem/alpine:latest', budget: '1' });
    try {
      await golem.exec(rentalId, ['echo 6 7 > /golem/work/numbers']);
      const { state, results } = await golem.exec(rentalId, ["awk '{ print $1 * $2 }' /golem/work/numbers"]);
      console.log(state, results[0]?.stdout);
    } finally {
      // A VM costs until it is ended. One whose program was killed is ended by `golem-temporal terminate ID`.
      await golem.terminate(jobId);
    }
  } finally {
    await golem.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
