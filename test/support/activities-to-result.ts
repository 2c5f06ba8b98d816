/** Which Temporal activities a job took until its result was there, read from the histories of all its workflows. */
import type { Client } from '@temporalio/client';
import type { GolemClient } from '../../client';
import { settlementId } from '../../model/ids';
import { eventMs } from './runs';

interface Happened {
  name: string;
  ms: number;
}

/** What comes after the result may begin beside its last moments: rentals and settlement go on alone. */
const AFTERWARDS = /^golem(CloseRental|CleanUp|DecideDocument|ReleaseAllocation)$/;

/** Names of the activities that were scheduled until the job had closed. @param jobId of a job that has */
export async function activitiesToResult(
  { client, golem }: { client: Client; golem: GolemClient },
  jobId: string,
): Promise<string[]> {
  const happenedIn = (workflowId: string): Promise<Happened[]> => happened(client, workflowId);
  const { rentals } = await golem.progress(jobId);
  const job = await happenedIn(jobId);
  const closedMs = job.at(-1)?.ms ?? 0;
  const others = [settlementId(jobId), ...rentals.map(({ workflowId }) => workflowId)];
  const all = [job, ...(await Promise.all(others.map(happenedIn)))].flat();
  const names = all
    .filter(({ name, ms }) => name.startsWith('golem') && ms <= closedMs)
    .map(({ name }) => name);
  return names.filter((name) => !AFTERWARDS.test(name));
}

/** Of how often a watch is begun anew the time decides, and a machine may be slow: those that a task takes itself. */
export function byTask(names: readonly string[]): string[] {
  return names.filter((name) => !/^golemWatch(Rental|Settlement)$/.test(name));
}

/** Scheduled activities, by name, and the last event. */
async function happened(client: Client, workflowId: string): Promise<Happened[]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap((event, i) => {
    const name = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (name === undefined && i + 1 < (events?.length ?? 0)) return [];
    return [{ name: name ?? 'last', ms: eventMs(event) }];
  });
}
