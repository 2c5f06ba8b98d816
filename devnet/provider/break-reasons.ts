/** Why a provider ends an agreement: ya-provider's codes, and the words that requestors get with them. */
import { formatDuration, formatForPeople, formatSpan } from '../clock';

export interface BreakReason {
  message: string;
  code:
    | 'InitializationError'
    | 'Expired'
    | 'NoActivity'
    | 'DebitNotesDeadline'
    | 'DebitNoteRejected'
    | 'DebitNoteNotPaid'
    | 'PaidTimeOver'
    | 'RequestorUnreachable'
    | 'Shutdown'
    | 'Success';
}

/** It was over before the provider could begin with it. */
export function initializationError(expirationMs: number): BreakReason {
  const at = new Date(expirationMs).toISOString();
  return {
    code: 'InitializationError',
    message: `Failed to initialize. Error: Agreement expired before start. Expiration ${at}`,
  };
}

export function expired(expirationMs: number): BreakReason {
  return { code: 'Expired', message: `Agreement expired @ ${formatForPeople(expirationMs)}` };
}

export function noActivity(limitSec: number): BreakReason {
  return { code: 'NoActivity', message: `No activity created within ${formatSpan(limitSec)}` };
}

export function debitNotesDeadline(acceptTimeoutSec: number): BreakReason {
  return {
    code: 'DebitNotesDeadline',
    message: `Requestor isn't accepting DebitNotes in time (${formatDuration(acceptTimeoutSec)})`,
  };
}

export function debitNoteNotPaid(paymentTimeoutSec: number): BreakReason {
  return {
    code: 'DebitNoteNotPaid',
    message: `Requestor didn't pay for DebitNote in time (${formatDuration(paymentTimeoutSec)})`,
  };
}

/** What was paid for in advance. */
export function paidTimeOver(upfrontSec: number): BreakReason {
  return {
    code: 'PaidTimeOver',
    message: `The time that was paid in advance is over (${formatDuration(upfrontSec)})`,
  };
}

export function debitNoteRejected(reason: string): BreakReason {
  return { code: 'DebitNoteRejected', message: `DebitNote rejected by its payer: ${reason}` };
}

export function requestorUnreachable(acceptTimeoutSec: number): BreakReason {
  return {
    code: 'RequestorUnreachable',
    message: `Requestor is unreachable more than ${formatDuration(acceptTimeoutSec)}`,
  };
}

export const SHUTDOWN: BreakReason = { code: 'Shutdown', message: 'Shutting down Provider' };

/** The first activity of a demand without `golem.srv.caps.multi-activity` is over, and with it the agreement. */
export const SUCCESS: BreakReason = { code: 'Success', message: 'Finished with success.' };
