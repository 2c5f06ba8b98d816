/** Ends an agreement and the VM under it, from whatever state they are in. */
import type { NewEvent } from '../model/events';
import { providerOf } from '../model/offer';
import { event, vmDestroyed } from './events';
import { isYagnaError, type Agreement, type ReasonBody, type Yagna } from './yagna';

export async function closeAgreement(
  yagna: Yagna,
  agreementId: string,
  reason: ReasonBody,
  signal: AbortSignal,
): Promise<NewEvent[]> {
  const agreement = await yagna.agreement(agreementId, signal);
  // Past its end nothing under it costs anything, even where yagna has not noticed yet.
  if (!agreement || Date.parse(agreement.validTo) <= Date.now()) return [];
  if (agreement.state === 'Approved') {
    const events = await endVms(yagna, agreement, signal);
    const ended = await yagna.terminateAgreement(agreementId, reason, signal);
    return ended === 'terminated' ? [...events, terminated(agreement, reason)] : events;
  }
  if (agreement.state !== 'Pending' && agreement.state !== 'Proposal') return [];
  try {
    await yagna.cancelAgreement(agreementId, reason, signal);
  } catch (error) {
    // A proposal that was never confirmed cannot be cancelled; it binds nobody and expires.
    if (!isYagnaError(error, 'gone', 'conflict', 'badRequest')) throw error;
    const now = await yagna.agreement(agreementId, signal);
    if (now?.state === 'Approved') return await closeAgreement(yagna, agreementId, reason, signal);
  }
  return [];
}

function terminated({ agreementId, offer }: Agreement, reason: ReasonBody): NewEvent {
  return event('AgreementTerminated', {
    id: agreementId,
    provider: providerOf(offer),
    reason: reason.message,
    terminator: 'Requestor',
  });
}

async function endVms(yagna: Yagna, agreement: Agreement, signal: AbortSignal): Promise<NewEvent[]> {
  const events: NewEvent[] = [];
  for (const id of await listActivities(yagna, agreement.agreementId, signal)) {
    events.push(...(await endVm(yagna, id, agreement, signal)));
  }
  return events;
}

async function listActivities(yagna: Yagna, agreementId: string, signal: AbortSignal): Promise<string[]> {
  try {
    return await yagna.golemActivities(agreementId, signal);
  } catch (error) {
    // A yagna without that call: ending the agreement ends whatever runs under it.
    if (isYagnaError(error, 'notFound')) return [];
    throw error;
  }
}

async function endVm(
  yagna: Yagna,
  activityId: string,
  { agreementId, offer }: Agreement,
  signal: AbortSignal,
): Promise<NewEvent[]> {
  try {
    const found = await yagna.golemActivityState(activityId, signal);
    if (!found || found.state[0] === 'Terminated') return [];
    await yagna.destroyGolemActivity(activityId, signal);
    return vmDestroyed(activityId, agreementId, providerOf(offer));
  } catch (error) {
    // A silent provider: ending the agreement is what counts.
    if (!isYagnaError(error, 'timeout', 'server', 'gone', 'lost')) throw error;
    return [];
  }
}
