/**
 * Somebody wants a Golem activity with the app key of another identity. Whose it is, another connection of the worker may
 * show: the owner is to read of it.
 */
import type { ApplicationFailure } from '@temporalio/common';
import { settlementId } from '../model/ids';
import type { AttachRefusal } from './contract';
import { failure, type Agreement, type Connections } from './yagna';

export interface ForeignAttempt {
  connections: Connections;
  /** The one that was asked. */
  connection: string;
  activityId: string;
  /** Job id of the settlement that runs and pays for an agreement. */
  payerOf: (agreement: Agreement) => Promise<string | undefined>;
  signal: AbortSignal;
}

/** @returns the same refusal, with whom to tell, if that is found */
export async function withPayer(
  refused: ApplicationFailure,
  { connections, connection, activityId, payerOf, signal }: ForeignAttempt,
): Promise<ApplicationFailure> {
  for (const name of connections.names()) {
    if (name === connection) continue;
    try {
      const yagna = connections.get(name);
      const agreementId = await yagna.activityAgreement(activityId, signal);
      const agreement = agreementId && (await yagna.agreement(agreementId, signal));
      const jobId = agreement ? await payerOf(agreement) : undefined;
      if (jobId === undefined) continue;
      const about: AttachRefusal = { settlement: settlementId(jobId) };
      return failure('ActivityForeign', refused.message, ['OtherIdentity', about]);
    } catch {
      // It is not that one's either, or nobody is there to ask.
      signal.throwIfAborted();
    }
  }
  return refused;
}
