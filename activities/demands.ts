/** Ending a job's demands, whoever of the job subscribed them. */
import type { NewEvent } from '../model/events';
import type { JobRef } from './contract';
import { event } from './events';
import { bearsMark } from './marks';
import type { Yagna } from './yagna';

/** Unsubscribes every demand that bears the job's mark. An unknown one is a success. */
export async function endDemands(yagna: Yagna, job: JobRef, signal: AbortSignal): Promise<NewEvent[]> {
  const events: NewEvent[] = [];
  for (const { demandId, properties } of await yagna.demands(signal)) {
    if (!bearsMark(job, properties)) continue;
    await yagna.unsubscribeDemand(demandId, signal);
    events.push(event('DemandUnsubscribed', { id: demandId }));
  }
  return events;
}
