/**
 * What armed faults make of debit notes and invoices. Each says first whether it would change the bill at all: there
 * is no less than nothing, and nothing to be too large.
 */
import type { Fault } from '../faults/faults';
import type { Agreement } from '../market/agreements';
import { Amount } from '../payment/amounts';

const GLM_DECIMALS = 18;
const BY_DEFAULT = 10;

/** A debit note as it is about to be written. */
export interface NoteTerms {
  agreement: Agreement;
  amount: Amount;
  usage: number[];
  /** Nanoseconds since the epoch; none: it is not payable. */
  paymentDue: bigint | undefined;
}

/** What else a dishonest provider needs to know for it. */
export interface NoteContext {
  /** No other note of the activity will follow. */
  isLast: boolean;
  /** Amount of the activity's note before. */
  before(): string | undefined;
  price(usage: readonly number[]): Amount;
  /** When a note falls due that should not be payable. */
  dueUnasked(): bigint;
  /** One of the same two parties: a yagna takes notes from nobody else, and for no agreement that it doesn't have. */
  otherAgreement(): Agreement | undefined;
}

export function changesNote(fault: Fault, note: NoteTerms, context: NoteContext): boolean {
  switch (fault.do) {
    case 'tooMuch':
      return note.amount.gt(0);
    case 'impossibleUsage':
      return note.usage.some((counter) => counter > 0);
    case 'lessThanBefore':
      return new Amount(context.before() ?? 0).gt(0);
    case 'payable':
      return note.paymentDue === undefined;
    case 'tooOften':
      return !context.isLast;
    case 'otherAgreement':
      return context.otherAgreement() !== undefined;
    default:
      return true;
  }
}

/** @returns the note as it is sent; the same one where the fault is about something else than its terms */
export function dishonestNote(fault: Fault | undefined, note: NoteTerms, context: NoteContext): NoteTerms {
  switch (fault?.do) {
    case 'tooMuch':
      return { ...note, amount: note.amount.times(factorOf(fault)) };
    case 'impossibleUsage': {
      const usage = note.usage.map((counter) => counter * factorOf(fault));
      return { ...note, usage, amount: context.price(usage) };
    }
    case 'lessThanBefore':
      return { ...note, amount: half(new Amount(context.before() ?? 0)) };
    case 'payable':
      return { ...note, paymentDue: context.dueUnasked() };
    case 'otherAgreement':
      return { ...note, agreement: context.otherAgreement() ?? note.agreement };
    default:
      return note;
  }
}

/** By how much a bill or a price is too large, or a note too early. */
export function factorOf({ factor = BY_DEFAULT }: Fault): number {
  return factor;
}

export function changesInvoice(fault: Fault, amount: Amount, activities: number): boolean {
  if (fault.do === 'zero' || fault.do === 'tooMuch') return amount.gt(0);
  return fault.do === 'noteAfter' ? activities > 0 : true;
}

/** Amounts of the invoices that are sent, none when there is to be none. */
export function invoiceAmounts(fault: Fault | undefined, amount: Amount): Amount[] {
  switch (fault?.do) {
    case 'withhold':
      return [];
    case 'zero':
      return [new Amount(0)];
    case 'tooMuch':
      return [amount.times(factorOf(fault))];
    case 'twice':
      return [amount, amount.times(0.9).toDecimalPlaces(GLM_DECIMALS)];
    default:
      return [amount];
  }
}

/** Rounded down, so that it is less however little there is. */
function half(amount: Amount): Amount {
  return amount.times(0.5).toDecimalPlaces(GLM_DECIMALS, Amount.ROUND_DOWN);
}
