/** How long a call is repeated that fails although yagna is there. One that is away is waited for without end. */
import { agreedTerms } from '../model/agreed-terms';
import { DURATION_CLASSES } from '../model/duration-classes';
import type { Halves } from '../model/properties';
import type { Yagna } from './yagna';

/** A yagna that has come back is given so long to be quite well again. */
const STEADY_MS = 120_000;

/** True when it is the call itself, or whom it is about, that does not come right: somebody else may do better. */
export function isVain(yagna: Pick<Yagna, 'upForMs'>, attempts: number, enough: number): boolean {
  return attempts >= enough && yagna.upForMs() >= STEADY_MS;
}

/**
 * How long a provider may be silent before its VM counts as lost. Whoever has agreed to more than providers commonly do about
 * debit notes (a longer time to accept one, or a longer time between two) has made ready for each other's absence: a
 * provider that yagna cannot reach keeps the VM for as long, so it is not given up before.
 *
 * @param usualMs - where what was agreed is what ya-provider agrees with everybody, or less
 */
export function patienceMs(usualMs: number, agreement: Halves): number {
  const { debitNotesAcceptanceTimeoutSec: acceptSec = 0, midAgreementDebitNoteIntervalSec: noteSec = 0 } =
    agreedTerms(agreement);
  const common = DURATION_CLASSES;
  const isLong =
    acceptSec > common.debitNotesAcceptanceTimeoutSec || noteSec > common.midAgreementDebitNoteIntervalSec;
  return isLong ? Math.max(usualMs, acceptSec * 1000, noteSec * 1000) : usualMs;
}
