/**
 * Decides a debit note: checks it against the agreement's own price, the usage that is possible and the interval
 * agreed, and accepts it or says why not. A refused one is left undecided: yagna cannot reject one.
 */
import type { NewEvent } from '../model/events';
import type { DebitNoteId } from '../model/ids';
import { isTooOften, notePace, payablePace } from '../model/note-pace';
import { namedBroker } from '../model/payer';
import { billableSec } from '../model/payment-terms';
import { checkDebitNote } from '../model/pricing';
import { hasAcceptedInvoice } from './accepted-invoice';
import { whyNotAccepted, openBilledAgreement, type BilledAgreement } from './billed-agreement';
import type { DecideInput, Decision } from './contract';
import { amounts, event } from './events';
import { knownActivities } from './known-activities';
import { failure, isYagnaError, type DebitNote, type Documents, type Yagna } from './yagna';

/** yagna tells its time by the second: so much more may have passed. */
const CLOCK_SEC = 1;

export async function decideDebitNote(
  yagna: Yagna,
  documents: Documents,
  input: DecideInput,
  signal: AbortSignal,
): Promise<Decision> {
  const note = await yagna.debitNote(input.document.id as DebitNoteId, signal);
  if (!note) throw failure('YagnaUnavailable', `yagna does not show debit note ${input.document.id}`);
  const found = await openBilledAgreement(yagna, input, note.agreementId, signal);
  const base = {
    document: input.document,
    agreementId: note.agreementId,
    activityId: note.activityId,
    amount: note.totalAmountDue,
    payable: note.paymentDueDate !== undefined,
    settled: note.status === 'SETTLED',
  };
  if (!found)
    return { ...base, provider: { id: note.issuerId, name: note.issuerId }, decision: 'foreign', events: [] };
  const { provider, soFar } = found;
  const { agreementId, activityId } = note;
  const details = {
    id: note.debitNoteId,
    agreementId,
    activityId,
    provider,
    ...amounts(note.totalAmountDue),
  };
  const events: NewEvent[] = [event('DebitNoteReceived', details)];
  const decided = (decision: Decision['decision'], more: Partial<Decision> = {}): Decision => ({
    ...{ ...base, provider, decision, events },
    ...(decision === 'accepted' ? { lastUsage: countersOf(note) } : {}),
    ...more,
  });
  if (note.status === 'ACCEPTED' || note.status === 'SETTLED') {
    events.push(event('DebitNoteAccepted', details));
    return decided('accepted');
  }
  // One that could not be decided in its turn tells less than those that came, and were accepted, after it.
  const isOvertaken = input.document.eventDate < (soFar.lastNoteAt[activityId] ?? '');
  const isInvoiced = soFar.invoiceAccepted || soFar.invoiceRejected === true;
  if (isInvoiced || isOvertaken || note.status === 'CANCELLED') return decided('superseded');
  if (namedBroker(found.agreement.demand.properties) && !paceRefusal(input, found, note))
    return decided('awaited');
  const refusal = await refuseDebitNote(yagna, input, found, note, signal);
  if (!refusal) {
    if (await hasAcceptedInvoice(yagna, documents, input.job, found.agreement, signal))
      return decided('superseded');
    try {
      await yagna.acceptDebitNote(note.debitNoteId, note.totalAmountDue, input.allocationId, signal);
      events.push(event('DebitNoteAccepted', details));
      return decided('accepted');
    } catch (error) {
      if (!isYagnaError(error, 'badRequest')) throw error;
      events.push(event('PaymentFailed', { ...details, reason: error.detail }));
      return decided('refused', {
        reason: `debit note not accepted: ${error.detail}`,
        ...whyNotAccepted(error),
      });
    }
  }
  events.push(event('PaymentFailed', { ...details, reason: refusal.reason }));
  return decided('refused', refusal);
}

async function refuseDebitNote(
  yagna: Yagna,
  input: DecideInput,
  found: BilledAgreement,
  note: DebitNote,
  signal: AbortSignal,
): Promise<Pick<Decision, 'reason' | 'requestorCode' | 'failure' | 'allocationGone'> | undefined> {
  const { terms, soFar, agreement } = found;
  if (!terms) return { reason: `the agreement's prices cannot be read: ${found.unreadable ?? ''}` };
  const tooOften = paceRefusal(input, found, note);
  if (tooOften) return tooOften;
  const elapsedSec = Math.max(0, (yagna.now() - found.beganMs) / 1000);
  const allocation = await yagna.allocation(input.allocationId, signal);
  const budgetLeft = allocation?.remainingAmount ?? '0';
  const acceptedEarlier = soFar.acceptedByActivity[note.activityId] ?? '0';
  const known = await knownActivities(yagna, note.agreementId, soFar, [note.activityId], signal);
  const claim = {
    ...{ terms, tolerance: input.tolerance, vmsAtOnce: input.vmsAtOnce },
    elapsedSec: billableSec(agreement, elapsedSec),
    amount: note.totalAmountDue,
    usage: countersOf(note),
    otherUsage: Object.entries(soFar.lastUsage)
      .filter(([activityId]) => activityId !== note.activityId)
      .map(([, usage]) => usage),
    activityKnown: known.includes(note.activityId),
    acceptedEarlier,
  };
  const decision = checkDebitNote({ ...claim, budgetLeft });
  if (decision.accept) return undefined;
  // Right but for the budget: then it is not the provider's fault.
  const exhausted = checkDebitNote({ ...claim, budgetLeft: note.totalAmountDue }).accept;
  return {
    reason: `debit note refused: ${decision.reason}`,
    failure: exhausted ? 'BudgetExhausted' : 'PaymentRefused',
    ...(exhausted && allocation === undefined ? { allocationGone: true } : {}),
  };
}

/** Why it comes too soon, whoever decides it. */
function paceRefusal(
  input: DecideInput,
  found: BilledAgreement,
  note: DebitNote,
): Pick<Decision, 'reason' | 'requestorCode'> | undefined {
  const { soFar, agreement } = found;
  // Both times are our yagna's. However late it is decided, it came when it did: those of a flood wait for each other.
  const elapsedSec = (Date.parse(input.document.eventDate) - found.beganMs) / 1000;
  const seen = soFar.notes[note.activityId] ?? { all: 0, payable: 0 };
  const pace = notePace(agreement);
  if (isTooOften(pace, seen.all + 1, elapsedSec + CLOCK_SEC)) {
    const why = pace.agreed ? 'as agreed' : 'where nothing is agreed';
    const reason = `debit notes come more often than every ${pace.intervalSec} s ${why}`;
    return { reason, requestorCode: 'TooManyDebitNotes' };
  }
  if (note.paymentDueDate === undefined) return undefined;
  const requestorCode = 'TooManyPayableDebitNotes';
  const payable = payablePace(agreement, input.leastPaymentTimeoutSec);
  if (!payable) return { reason: 'payable debit notes were not agreed', requestorCode };
  if (!isTooOften(payable, seen.payable + 1, elapsedSec + CLOCK_SEC)) return undefined;
  const reason = `payable debit notes come more often than every ${payable.intervalSec} s as agreed`;
  return { reason, requestorCode };
}

/** Its counters, where they are a list of numbers: whatever else a provider puts there is no usage. */
function countersOf({ usageCounterVector: vector }: DebitNote): number[] | undefined {
  if (!Array.isArray(vector)) return undefined;
  const counters = vector.filter((counter): counter is number => typeof counter === 'number');
  return counters.length === vector.length ? counters : undefined;
}
