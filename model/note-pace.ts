/** How often a provider may send debit notes, so that it cannot keep whoever decides them busy for ever. */
import { positiveSeconds } from './agreed-terms';
import type { AgreementId } from './ids';
import { upfrontSecOf } from './payment-terms';
import { PROP, type Halves } from './properties';

/** One note each `intervalSec`, and `spare` ones more. */
export interface NotePace {
  intervalSec: number;
  spare: number;
  /** Whether both sides have signed it. */
  agreed: boolean;
}

/** Beyond an agreed interval: the last one at the end of an activity, and one for clocks that differ. */
const SPARE_NOTES = 2;
/** Where nothing is agreed. ya-provider sends one each 120 s. */
const UNASKED: NotePace = { intervalSec: 10, spare: 10, agreed: false };

/**
 * The pace of an agreement's debit notes. The provider writes the offer's half: it may lengthen the interval that the
 * demand asks for, but neither shorten nor drop it.
 */
export function notePace({ demand, offer }: Halves): NotePace {
  const asked = seconds(demand.properties[PROP.debitNoteInterval]);
  const offered = seconds(offer.properties[PROP.debitNoteInterval]);
  const intervalSec = Math.max(asked, offered);
  const isAgreed = asked > 0 || intervalSec >= UNASKED.intervalSec;
  return isAgreed ? { intervalSec, spare: SPARE_NOTES, agreed: true } : UNASKED;
}

/**
 * The pace of payable ones among them; undefined when the demand promises no payments. What is paid in advance has one.
 * @param leastSec - of the counters that are taken. Default: what the demand asks for
 */
export function payablePace(agreement: Halves, leastSec = Infinity): NotePace | undefined {
  const { demand, offer } = agreement;
  const upfrontSec = upfrontSecOf(agreement);
  if (upfrontSec !== undefined) return { intervalSec: upfrontSec, spare: SPARE_NOTES, agreed: true };
  const asked = seconds(demand.properties[PROP.paymentTimeout]);
  if (asked === 0) return undefined;
  const intervalSec = Math.max(Math.min(asked, leastSec), seconds(offer.properties[PROP.paymentTimeout]));
  return { intervalSec, spare: SPARE_NOTES, agreed: true };
}

/** @param count - notes of an activity, the newest included, within `elapsedSec` of its agreement's beginning */
export function isTooOften(pace: NotePace, count: number, elapsedSec: number): boolean {
  return count > Math.floor(elapsedSec / pace.intervalSec) + pace.spare;
}

/** Whether a document is a debit note of one of those agreements, such as those whose notes came too often. */
export function isNoteOf(
  agreementIds: readonly AgreementId[],
  { kind, agreementId }: { kind: string; agreementId?: AgreementId },
): boolean {
  return kind === 'debitNote' && agreementId !== undefined && agreementIds.includes(agreementId);
}

const seconds = (value: unknown): number => positiveSeconds(value) ?? 0;
