/** Which of our rentals has, or had, an agreement: asked of the workflows themselves, closed ones too. */
import type { Client } from '@temporalio/client';
import { askedAgain } from '../model/ask-again';
import { attachId } from '../model/attach';
import { rentalId, type AgreementId, type GolemActivityId } from '../model/ids';
import type { JobProgress, RentalProgress } from '../model/result';
import { describe, firstRunOf } from './known-workflow';

export interface RentalRecord {
  workflowId: string;
  isRunning: boolean;
  /** Absent where it could not be asked. */
  progress?: RentalProgress;
}

/** A worker answers at once; a workflow that hangs never does. */
const ANSWER_MS = 10_000;
/** Temporal deletes a workflow some days after its end: so many that it does not know in a row, and there are no more. */
const MISSING_IN_A_ROW = 8;

export async function query<T>(client: Client, workflowId: string, name: string): Promise<T | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    return await client.withDeadline(Date.now() + ANSWER_MS, () => askedAgain<T>(handle, name));
  } catch {
    // It is gone, or nobody can say.
    return undefined;
  }
}

/** Rentals of a job that have the agreement, or of which nobody can say whether they have. */
export async function rentalsOf(
  client: Client,
  { jobId, jobUuid }: { jobId: string; jobUuid: string },
  agreementId: AgreementId,
): Promise<RentalRecord[]> {
  const job = await describe(client, jobId);
  const isOurs = job && firstRunOf(job) === jobUuid;
  const told = isOurs ? await query<JobProgress>(client, jobId, 'progress') : undefined;
  const named = told?.rentals.filter((rental) => rental.agreementId === agreementId).map(({ n }) => n);
  const found: RentalRecord[] = [];
  for (const n of named ?? [])
    found.push(...(await rentalAt(client, rentalId(jobId, n), jobUuid, agreementId)));
  if (found.length > 0) return found;
  let missing = 0;
  for (let n = 1; missing < MISSING_IN_A_ROW; n++) {
    const workflowId = rentalId(jobId, n);
    missing = (await describe(client, workflowId)) ? 0 : missing + 1;
    if (missing === 0) found.push(...(await rentalAt(client, workflowId, jobUuid, agreementId)));
  }
  return found;
}

/** Rentals that were attached to Golem activities of the agreement. */
export async function attachedTo(
  client: Client,
  activityIds: readonly GolemActivityId[],
  agreementId: AgreementId,
): Promise<RentalRecord[]> {
  const found: RentalRecord[] = [];
  for (const id of activityIds) found.push(...(await rentalAt(client, attachId(id), undefined, agreementId)));
  return found;
}

/**
 * Of two that attach to Golem activities of one agreement at the same moment, the one that began first goes on: none of them
 * has anything yet that could be seen.
 * @returns id of a workflow that runs and began to attach before
 */
export async function attachingBefore(
  client: Client,
  workflowId: string,
  activityIds: readonly GolemActivityId[],
): Promise<string | undefined> {
  if (activityIds.length === 0) return undefined;
  const own = await describe(client, workflowId);
  for (const id of activityIds.map(attachId)) {
    const other = await describe(client, id);
    if (own === undefined || other?.status.name !== 'RUNNING') continue;
    const [mine, theirs] = [own.startTime.getTime(), other.startTime.getTime()];
    if (theirs < mine || (theirs === mine && id < workflowId)) return id;
  }
  return undefined;
}

async function rentalAt(
  client: Client,
  workflowId: string,
  jobUuid: string | undefined,
  agreementId: AgreementId,
): Promise<RentalRecord[]> {
  const found = await describe(client, workflowId);
  if (!found || (jobUuid !== undefined && found.memo?.golemJob !== jobUuid)) return [];
  const isRunning = found.status.name === 'RUNNING';
  const progress = await query<RentalProgress>(client, workflowId, 'progress');
  const isOther = progress ? progress.agreementId !== agreementId : !isRunning;
  return isOther ? [] : [{ workflowId, isRunning, progress }];
}
