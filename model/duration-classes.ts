/**
 * How long an agreement may last depends on what the requestor promises: providers keep it for half an hour
 * as it is, for longer when debit notes are accepted in time, and for over ten hours when they are paid meanwhile.
 * This fills in the promises that a duration needs, and refuses those that contradict it.
 */
import { given } from './given';
import type { DemandSpec } from './job';

/**
 * Providers sign no agreement that ends sooner. So a demand with less left is made anew, and with less left no task is
 * begun that may take as long.
 */
export const LEAST_LIFE_MS = 300_000;

/** Thresholds and defaults, all in seconds. Markets differ, so a worker can set them; the defaults are ya-provider's. */
export interface DurationClasses {
  /** Taken when the spec does not say how long. */
  defaultExpirationSec: number;
  /** Providers refuse a demand that ends sooner. */
  minExpirationSec: number;
  /** End of a demand's life in which no task is started any more: providers would not sign. */
  reservedSec: number;
  /** Over this, debit notes must be accepted in time. */
  debitNotesOverSec: number;
  /** Over this, payable debit notes must be paid in time. */
  paymentsOverSec: number;
  debitNotesAcceptanceTimeoutSec: number;
  midAgreementDebitNoteIntervalSec: number;
  midAgreementPaymentTimeoutSec: number;
  /** Below this, a worker that is just being restarted could not accept a note in time. */
  minAcceptanceTimeoutSec: number;
}

export const DURATION_CLASSES: Readonly<DurationClasses> = {
  defaultExpirationSec: 1800,
  minExpirationSec: LEAST_LIFE_MS / 1000,
  reservedSec: LEAST_LIFE_MS / 1000,
  debitNotesOverSec: 1800,
  paymentsOverSec: 36_000,
  debitNotesAcceptanceTimeoutSec: 240,
  midAgreementDebitNoteIntervalSec: 120,
  midAgreementPaymentTimeoutSec: 43_200,
  minAcceptanceTimeoutSec: 30,
};

/** The classes with what a worker sets otherwise. */
export function durationClasses(settings: Partial<DurationClasses> = {}): DurationClasses {
  return { ...DURATION_CLASSES, ...given(settings) };
}

/** What a spec says about its duration. `null` or 0 switches a promise off, absent leaves it to the class. */
export interface WantedDuration {
  expirationSec?: number;
  debitNotesAcceptanceTimeoutSec?: number | null;
  midAgreementDebitNoteIntervalSec?: number | null;
  midAgreementPaymentTimeoutSec?: number | null;
}

export type Duration = Pick<
  DemandSpec,
  | 'expirationSec'
  | 'debitNotesAcceptanceTimeoutSec'
  | 'midAgreementDebitNoteIntervalSec'
  | 'midAgreementPaymentTimeoutSec'
>;

/** @returns the complete duration, and what is wrong with the wanted one as pairs of field and text */
export function applyDurationClass(
  wanted: WantedDuration,
  classes: DurationClasses,
): { duration: Duration; problems: { field: keyof Duration; problem: string }[] } {
  const problems: { field: keyof Duration; problem: string }[] = [];
  const refuse = (field: keyof Duration, problem: string) => problems.push({ field, problem });

  const expirationSec = wanted.expirationSec ?? classes.defaultExpirationSec;
  if (expirationSec < classes.minExpirationSec) {
    refuse(
      'expirationSec',
      `${expirationSec} s is too short; providers refuse less than ${classes.minExpirationSec} s, so set at least that`,
    );
  }
  const paysMeanwhile = expirationSec > classes.paymentsOverSec;
  const payment = promise(
    wanted.midAgreementPaymentTimeoutSec,
    paysMeanwhile,
    classes.midAgreementPaymentTimeoutSec,
  );
  // A payable note is accepted before it is paid, so the one promise needs the other.
  const acceptsNotes = expirationSec > classes.debitNotesOverSec || payment !== undefined;
  const acceptance = promise(
    wanted.debitNotesAcceptanceTimeoutSec,
    acceptsNotes,
    classes.debitNotesAcceptanceTimeoutSec,
  );
  const interval = promise(
    wanted.midAgreementDebitNoteIntervalSec,
    acceptsNotes,
    classes.midAgreementDebitNoteIntervalSec,
  );

  if (paysMeanwhile && payment === undefined) {
    refuse(
      'midAgreementPaymentTimeoutSec',
      `is off, but providers keep an agreement of over ${classes.paymentsOverSec} s only when they are paid ` +
        `meanwhile; leave it out (${classes.midAgreementPaymentTimeoutSec} is taken) or lower demand.expirationSec`,
    );
  }
  if (acceptsNotes && acceptance === undefined) {
    const why =
      expirationSec > classes.debitNotesOverSec
        ? `providers keep an agreement of over ${classes.debitNotesOverSec} s only when debit notes are accepted in time`
        : 'a debit note must be accepted before it is paid, and midAgreementPaymentTimeoutSec is set';
    refuse(
      'debitNotesAcceptanceTimeoutSec',
      `is off, but ${why}; leave it out (${classes.debitNotesAcceptanceTimeoutSec} is taken)`,
    );
  }
  if (acceptance !== undefined && acceptance < classes.minAcceptanceTimeoutSec) {
    refuse(
      'debitNotesAcceptanceTimeoutSec',
      `${acceptance} s is too short: a worker that is just restarting could not accept a note in time; ` +
        `set at least ${classes.minAcceptanceTimeoutSec}`,
    );
  }
  if (payment !== undefined && interval !== undefined && payment < interval) {
    refuse(
      'midAgreementPaymentTimeoutSec',
      `${payment} s is shorter than midAgreementDebitNoteIntervalSec (${interval} s), and only debit notes are paid; ` +
        'set it to at least that',
    );
  }
  return {
    duration: {
      expirationSec,
      ...(acceptance === undefined ? {} : { debitNotesAcceptanceTimeoutSec: acceptance }),
      ...(interval === undefined ? {} : { midAgreementDebitNoteIntervalSec: interval }),
      ...(payment === undefined ? {} : { midAgreementPaymentTimeoutSec: payment }),
    },
    problems,
  };
}

/** A promise as the spec has it; where the spec is silent, as the class needs it. */
function promise(wanted: number | null | undefined, needed: boolean, usual: number): number | undefined {
  if (wanted === undefined) return needed ? usual : undefined;
  return wanted === null || wanted === 0 ? undefined : wanted;
}
