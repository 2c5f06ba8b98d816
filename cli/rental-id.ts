/** What an id is of: some commands are about jobs, and say what else to do with a rental. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { ATTACH_PREFIX } from '../model/attach';
import { jobOfRental } from '../model/ids';
import { usageError } from './failure';

/** `undefined` where no workflow of ours has it: whoever goes on with it is told so. */
export async function whatIs(client: Client, id: string): Promise<'job' | 'rental' | undefined> {
  const { type } = (await describe(client, id)) ?? {};
  return type === 'golemJob' ? 'job' : type === 'golemRental' ? 'rental' : undefined;
}

async function describe(client: Client, id: string): Promise<{ type: string } | undefined> {
  try {
    return await client.workflow.getHandle(id).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/**
 * @param instead - what to do with a rental, given its job's id, or for one that attached and has none its activity's
 * @throws CliError - it is a rental
 */
export async function requireJob(
  client: Client,
  id: string,
  instead: (jobId: string | undefined, activityId: string | undefined) => string,
): Promise<void> {
  if ((await whatIs(client, id)) !== 'rental') return;
  const jobId = jobOfRental(id);
  const activityId = id.startsWith(ATTACH_PREFIX) ? id.slice(ATTACH_PREFIX.length) : undefined;
  throw usageError(`${id} is a rental, not a job: ${instead(jobId, activityId)}`);
}
