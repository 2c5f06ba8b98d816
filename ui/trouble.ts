/** Why something cannot be shown or done now, as a page says it: what is wrong, and what to do about it. */
import type { GolemClient } from '../client/index';
import {
  GolemJobError,
  GolemRentalError,
  NoAnswerError,
  UnknownJobError,
  UnknownRentalError,
} from '../client/index';
import { isPassing } from '../client/errors';

export interface Trouble {
  kind: 'temporal' | 'worker' | 'unknown' | 'refused' | 'failed';
  message: string;
  /** What to do about it. */
  action?: string;
}

/** For so long Temporal may be silent before it is taken for dead. */
const PROBE_MS = 3_000;

/** A question that is not answered may be Temporal's silence, or that of workers. */
export async function troubleOf(golem: GolemClient, error: unknown): Promise<Trouble> {
  if (error instanceof UnknownJobError || error instanceof UnknownRentalError)
    return { kind: 'unknown', message: error.message, action: 'Check the id and the namespace.' };
  if (error instanceof GolemJobError || error instanceof GolemRentalError) {
    const kind = error.type === 'ControlRefused' ? 'refused' : 'failed';
    return { kind, message: `${error.type}: ${error.reason}`, action: error.action };
  }
  const isSilent = error instanceof NoAnswerError || isPassing(error);
  if (isSilent && (await isTemporalThere(golem))) {
    return {
      kind: 'worker',
      message: 'No worker answers for this job.',
      action:
        'Start one with golem-temporal worker, on the task queue of the job. The job itself is safe: it goes on then.',
    };
  }
  if (isSilent)
    return {
      kind: 'temporal',
      message: 'Temporal does not answer.',
      action: 'Nothing is lost: the page goes on by itself once it is back.',
    };
  return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
}

async function isTemporalThere({ client }: GolemClient): Promise<boolean> {
  try {
    await client.withDeadline(Date.now() + PROBE_MS, () => client.workflowService.getSystemInfo({}));
    return true;
  } catch {
    return false;
  }
}
