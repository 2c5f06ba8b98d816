/** Asks the workflows of a job while their worker may be killed at any moment: again, until there is an answer. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isPassing, NoAnswerError } from '../../client/errors';
import type { JobProgress, RentalProgress } from '../../model/result';
import type { ChaosWorld } from './chaos-world';

const AGAIN_MS = 100;

/** @throws what the answer is, where it is that there will be none */
export async function answered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof NoAnswerError) && !isPassing(error)) throw error;
    }
    await delay(AGAIN_MS);
  }
}

/** An Update that is taken once, however often its answer gets lost. */
export async function update<T>(
  { client }: ChaosWorld,
  workflowId: string,
  name: string,
  argument: object,
): Promise<T> {
  const updateId = randomUUID();
  const handle = client.workflow.getHandle(workflowId);
  return await answered(() => handle.executeUpdate<T, [object]>(name, { args: [argument], updateId }));
}

/** The first progress of which that is so. */
export async function progressed(
  { golem }: ChaosWorld,
  jobId: string,
  isSo: (progress: JobProgress) => boolean,
): Promise<JobProgress> {
  for (;;) {
    const progress = await answered(() => golem.progress(jobId));
    if (isSo(progress)) return progress;
    await delay(AGAIN_MS);
  }
}

/** The first rental of the job of which that is so, waited for. */
export async function rentalOf(
  world: ChaosWorld,
  jobId: string,
  isIt: (rental: RentalProgress) => boolean,
): Promise<RentalProgress> {
  const { rentals } = await progressed(world, jobId, (progress) => progress.rentals.some(isIt));
  const found = rentals.find(isIt);
  if (!found) throw new Error('there is no such rental');
  return found;
}
