/** Why an agreement is over, as yagna tells it. */
import type { AgreementId } from '../model/ids';
import { providerOf } from '../model/offer';
import type { RentalEnded } from './contract';
import { event } from './events';
import { oneLine, type Agreement, type Yagna } from './yagna';

/** A provider ends an agreement by its own clock, and may do so a little before its time. */
const CLOCKS_MS = 60_000;
/** One whose clock is off by more is blamed for what it ends too early. */
const WORST_CLOCK_MS = 15 * 60_000;

export const isOver = (yagna: Yagna, agreement: Agreement | undefined): boolean =>
  agreement?.state !== 'Approved' || yagna.now() > Date.parse(agreement.validTo);

export async function endOfAgreement(
  yagna: Yagna,
  agreementId: AgreementId,
  agreement: Agreement | undefined,
  signal: AbortSignal,
): Promise<RentalEnded> {
  const why = await yagna.terminationReason(agreementId, signal);
  const by = why?.terminator ? ` by ${why.terminator}` : '';
  const code = why?.reason?.['golem.provider.code'];
  const words = oneLine([code, why?.reason?.message].filter((part) => typeof part === 'string').join(': '));
  const state = agreement?.state === 'Approved' ? 'Expired' : (agreement?.state ?? 'unknown');
  const leftMs = agreement === undefined ? Infinity : Date.parse(agreement.validTo) - yagna.now();
  const expired = leftMs <= CLOCKS_MS && (state === 'Expired' || code === 'Expired');
  const excused = leftMs <= WORST_CLOCK_MS && code === 'Expired';
  const reason = `agreement ${state}${by}${words ? ` (${words})` : ''}`;
  const details = {
    id: agreementId,
    provider: agreement && providerOf(agreement.offer),
    reason,
    terminator: why?.terminator,
  };
  return {
    ...{ ended: 'agreement', reason, terminator: why?.terminator },
    code: typeof code === 'string' ? oneLine(code) : undefined,
    expired: expired || undefined,
    excused: excused || undefined,
    events: [event('AgreementTerminated', details)],
  };
}
