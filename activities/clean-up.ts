/** Ends by mark whatever a job left on yagna, whoever made it and whatever died on the way. */
import { providerOf } from '../model/offer';
import { eachAtOnce } from './at-once';
import { attempt } from './attempt';
import { closeAgreement } from './close-agreement';
import type { CleanedUp, GolemActivities } from './contract';
import { endDemands } from './demands';
import type { ActivityEnvironment } from './environment';
import { liveVms } from './live-vms';
import { appSessionId } from './marks';
import { isOurs } from './ours';
import { isYagnaError, type Agreement, type Yagna } from './yagna';

export function cleanUpActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemCleanUp'> {
  return {
    /**
     * One look over all that bears the job's mark, ending what still lives.
     *
     * Effect: no demand, agreement or Golem activity of the job is left, but for those in `keep` and in `stuck`.
     * Retry: what is ended already is a success.
     * @throws YagnaUnavailable - yagna does not answer (retried with backoff)
     */
    async golemCleanUp({ job, since, keep = [] }) {
      return await attempt(async ({ signal }): Promise<CleanedUp> => {
        const yagna = env.connections.get(job.connection);
        const events = await endDemands(yagna, job, signal);
        const stuck: string[] = [];
        let empty = events.length === 0;
        const agreements: CleanedUp['agreements'] = [];
        const alive: Agreement[] = [];
        const close = async (id: string): Promise<void> => {
          const agreement = await yagna.agreement(id, signal);
          if (!agreement || !isOurs(job, agreement)) return;
          let { state } = agreement;
          if (state === 'Proposal') {
            if (await cancelUnsigned(yagna, id, signal)) empty = false;
            return;
          }
          const isLive = Date.parse(agreement.validTo) > yagna.now();
          if (state === 'Approved' && isLive && keep.includes(id)) alive.push(agreement);
          else if ((state === 'Approved' || state === 'Pending') && isLive) {
            empty = false;
            try {
              // What an earlier look ended was told then, and would be told again by a look that is retried.
              const closing = { signal, retried: false };
              events.push(...(await closeAgreement(yagna, id, { message: 'the job has ended' }, closing)));
            } catch (error) {
              if (!isYagnaError(error)) throw error;
              stuck.push(`agreement ${id}: ${error.message}`);
            }
            state = (await yagna.agreement(id, signal))?.state ?? state;
          }
          if (agreement.approvedDate === undefined && state !== 'Approved') return;
          agreements.push({ agreementId: id, provider: providerOf(agreement.offer), state });
        };
        // A few at once: silent providers must not keep the others rented.
        const entries = [
          ...(await yagna.agreements({ appSessionId: appSessionId(job) }, signal)),
          // Not signed yet, they have no app session.
          ...(await yagna.agreements({ state: 'Proposal' }, signal)),
        ];
        const listed = [...new Set([...entries.map(({ id }) => id), ...(job.agreements ?? [])])];
        await eachAtOnce(listed, close);
        const ours = new Set(agreements.map(({ agreementId }) => agreementId));
        const invoices = (await yagna.invoices({ afterTimestamp: since }, signal))
          .filter(({ agreementId, status }) => ours.has(agreementId) && status === 'RECEIVED')
          .map(({ invoiceId, agreementId, timestamp }) => ({
            ...{ kind: 'invoice' as const, id: invoiceId, agreementId },
            eventDate: timestamp,
          }));
        const kept = await keptOf(yagna, alive, signal);
        return { agreements, invoices, kept, empty, stuck, events };
      });
    },
  };
}

async function keptOf(
  yagna: Yagna,
  alive: readonly Agreement[],
  signal: AbortSignal,
): Promise<CleanedUp['kept']> {
  const vms = alive.length > 0 ? await liveVms(yagna, alive, signal) : new Map<string, string[]>();
  return alive.map(({ agreementId, validTo }) => ({
    ...{ agreementId, activityId: vms.get(agreementId)?.at(-1), validTo },
  }));
}

/** It binds nobody and expires by itself, so that one which cannot be cancelled is nothing to wait for. */
async function cancelUnsigned(yagna: Yagna, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    await yagna.cancelAgreement(id, { message: 'the job has ended' }, signal);
    return true;
  } catch (error) {
    if (!isYagnaError(error)) throw error;
    return false;
  }
}
