/** Ends by mark whatever a job left on yagna, whoever made it and whatever died on the way. */
import type { NewEvent } from '../model/events';
import { PROP } from '../model/properties';
import { attempt } from './attempt';
import { closeAgreement } from './agreement';
import type { CleanedUp, GolemActivities } from './contract';
import type { ActivityEnvironment } from './environment';
import { event } from './events';
import { appSessionId, bearsMark } from './marks';
import { isYagnaError } from './yagna';

export function cleanUpActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemCleanUp'> {
  return {
    /**
     * One look over all that bears the job's mark, ending what still lives.
     *
     * Effect: no demand, agreement or Golem activity of the job is left, but for those in `stuck`.
     * Retry: what is ended already is a success.
     * @throws YagnaUnavailable - yagna does not answer (retried with backoff)
     */
    async golemCleanUp({ job }) {
      return await attempt(async ({ signal }): Promise<CleanedUp> => {
        const yagna = env.connections.get(job.connection);
        const events: NewEvent[] = [];
        const stuck: string[] = [];
        let empty = true;
        for (const { demandId, properties } of await yagna.demands(signal)) {
          if (!bearsMark(job, properties)) continue;
          empty = false;
          await yagna.unsubscribeDemand(demandId, signal);
          events.push(event('DemandUnsubscribed', { id: demandId }));
        }
        const agreements: CleanedUp['agreements'] = [];
        for (const { id } of await yagna.agreements({ appSessionId: appSessionId(job) }, signal)) {
          const agreement = await yagna.agreement(id, signal);
          if (!agreement || !bearsMark(job, agreement.demand.properties)) continue;
          let { state } = agreement;
          const live =
            (state === 'Approved' || state === 'Pending') && Date.parse(agreement.validTo) > Date.now();
          if (live) {
            empty = false;
            try {
              events.push(...(await closeAgreement(yagna, id, { message: 'the job has ended' }, signal)));
            } catch (error) {
              if (!isYagnaError(error)) throw error;
              stuck.push(`agreement ${id}: ${error.message}`);
            }
            state = (await yagna.agreement(id, signal))?.state ?? state;
          }
          if (agreement.approvedDate === undefined && state !== 'Approved') continue;
          const name = agreement.offer.properties[PROP.nodeName];
          const providerId = agreement.offer.providerId.toLowerCase();
          const provider = { id: providerId, name: typeof name === 'string' ? name : providerId };
          agreements.push({ agreementId: id, provider, state });
        }
        return { agreements, empty, stuck, events };
      });
    },
  };
}
