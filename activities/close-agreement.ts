/** Ends an agreement and the VM under it, from whatever state they are in. */
import type { NewEvent } from '../model/events';
import { providerOf } from '../model/offer';
import type { Attempt } from './attempt';
import { event, vmDestroyed } from './events';
import {
  isYagnaError,
  unlessNotFound,
  type Agreement,
  type GolemActivityState,
  type ReasonBody,
  type Yagna,
} from './yagna';

/** In a retry, what an attempt before has ended without being heard is told as well. */
export type Closing = Pick<Attempt, 'signal' | 'retried'> & {
  /** Its VM ends with the agreement, not before it. */
  isBroken?: boolean;
};

export async function closeAgreement(
  yagna: Yagna,
  agreementId: string,
  reason: ReasonBody,
  closing: Closing,
): Promise<NewEvent[]> {
  const { signal } = closing;
  const agreement = await yagna.agreement(agreementId, signal);
  if (!agreement) return [];
  if (agreement.state === 'Terminated') {
    if (!closing.retried || !(await isEndedFor(yagna, agreement, reason, signal))) return [];
    return [...(await endVms(yagna, agreement, closing)), terminated(agreement, reason)];
  }
  // Past its end nothing under it costs anything, even where yagna has not noticed yet.
  if (Date.parse(agreement.validTo) <= yagna.now()) return [];
  if (agreement.state === 'Approved') {
    const events = closing.isBroken ? [] : await endVms(yagna, agreement, closing);
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
    if (now?.state === 'Approved') return await closeAgreement(yagna, agreementId, reason, closing);
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

/** Whether it was ended by us, and for this very reason: by an attempt before this one. */
async function isEndedFor(
  yagna: Yagna,
  { agreementId }: Agreement,
  reason: ReasonBody,
  signal: AbortSignal,
): Promise<boolean> {
  const why = await yagna.terminationReason(agreementId, signal);
  return why?.terminator === 'Requestor' && why.reason?.message === reason.message;
}

async function endVms(yagna: Yagna, agreement: Agreement, { signal, retried }: Closing): Promise<NewEvent[]> {
  const events: NewEvent[] = [];
  // Where yagna lacks that call, ending the agreement ends whatever runs under it.
  const ids = (await unlessNotFound(yagna.golemActivities(agreement.agreementId, signal))) ?? [];
  for (const id of ids) {
    // VMs before the newest were ended, and told of, when a fresh one was made.
    const maybeUntold = retried && id === ids.at(-1);
    events.push(...(await endVm(yagna, id, agreement, maybeUntold, signal)));
  }
  return events;
}

async function endVm(
  yagna: Yagna,
  activityId: string,
  { agreementId, offer }: Agreement,
  maybeUntold: boolean,
  signal: AbortSignal,
): Promise<NewEvent[]> {
  const destroyed = (): NewEvent[] => vmDestroyed(activityId, agreementId, providerOf(offer));
  try {
    const found = await yagna.golemActivityState(activityId, signal);
    if (!found) return [];
    if (found.state[0] === 'Terminated') return maybeUntold && wasDestroyed(found) ? destroyed() : [];
    await yagna.destroyGolemActivity(activityId, signal);
    return destroyed();
  } catch (error) {
    // A silent provider: ending the agreement is what counts.
    if (!isYagnaError(error, 'timeout', 'server', 'gone', 'lost')) throw error;
    return [];
  }
}

/** Of a VM that ended by itself yagna says why. */
function wasDestroyed({ reason, errorMessage }: GolemActivityState): boolean {
  return reason === undefined && errorMessage === undefined;
}
