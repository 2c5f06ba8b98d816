/**
 * Decides one debit note or invoice: checks it against the agreement's own price and what can have been used, and
 * accepts it, or says why not.
 */
import { exact } from '../model/amount';
import type { NewEvent } from '../model/events';
import type { DebitNoteId, InvoiceId } from '../model/ids';
import { readOffer } from '../model/offer';
import { checkDebitNote, checkInvoice, type AgreementTerms } from '../model/pricing';
import { PROP } from '../model/properties';
import type { ProviderInfo } from '../model/result';
import { attempt } from './attempt';
import type { AgreementSoFar, DecideInput, Decision, GolemActivities } from './contract';
import type { ActivityEnvironment } from './environment';
import { amounts, event } from './events';
import { bearsMark } from './marks';
import {
  failure,
  isYagnaError,
  type Agreement,
  type DebitNote,
  type Invoice,
  type Yagna,
  type YagnaError,
} from './yagna';

/** Notes beyond what the interval allows: the last one at the end of an activity, and one for clocks that differ. */
const SPARE_NOTES = 2;

const NOTHING_YET: AgreementSoFar = {
  acceptedByActivity: {},
  notes: {},
  lastUsage: {},
  invoiceAccepted: false,
};

export function decisionActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemDecideDocument'> {
  return {
    /**
     * Decides one debit note or invoice.
     *
     * Effect: it is accepted, or (an invoice) rejected with a reason; a refused debit note is left undecided.
     * Retry: reads its status first; what an earlier attempt decided stands.
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemDecideDocument(input) {
      return await attempt(async ({ signal, retried }) => {
        const yagna = env.connections.get(input.job.connection);
        return input.document.kind === 'invoice'
          ? await decideInvoice(yagna, input, retried, signal)
          : await decideDebitNote(yagna, input, signal);
      });
    },
  };
}

interface Case {
  agreement: Agreement;
  provider: ProviderInfo;
  terms?: AgreementTerms;
  /** Why the terms cannot be read. */
  unreadable?: string;
  soFar: AgreementSoFar;
  approvedMs: number;
}

async function open(
  yagna: Yagna,
  input: DecideInput,
  agreementId: string,
  signal: AbortSignal,
): Promise<Case | undefined> {
  const agreement = await yagna.agreement(agreementId, signal);
  if (!agreement || !bearsMark(input.job, agreement.demand.properties)) return undefined;
  const read = readOffer(agreement.offer.properties, agreement.offer.providerId);
  const id = agreement.offer.providerId.toLowerCase();
  return {
    agreement,
    provider: read.ok ? { id, name: read.offer.providerName } : { id, name: id },
    terms: read.ok ? { pricing: read.offer.pricing, cpuThreads: read.offer.cpuThreads } : undefined,
    unreadable: read.ok ? undefined : read.reason,
    soFar: input.ledger[agreementId] ?? NOTHING_YET,
    approvedMs: Date.parse(agreement.approvedDate ?? agreement.timestamp),
  };
}

async function decideDebitNote(yagna: Yagna, input: DecideInput, signal: AbortSignal): Promise<Decision> {
  const note = await yagna.debitNote(input.document.id as DebitNoteId, signal);
  if (!note) throw failure('YagnaUnavailable', `yagna does not show debit note ${input.document.id}`);
  const found = await open(yagna, input, note.agreementId, signal);
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
  const atSec = Math.max(0, (Date.parse(note.timestamp) - found.approvedMs) / 1000);
  const lastUsage = note.usageCounterVector && { usage: note.usageCounterVector, atSec };
  const decided = (decision: Decision['decision'], more: Partial<Decision> = {}): Decision => ({
    ...{ ...base, provider, decision, events },
    ...(decision === 'accepted' ? { lastUsage } : {}),
    ...more,
  });
  if (note.status === 'ACCEPTED' || note.status === 'SETTLED') {
    events.push(event('DebitNoteAccepted', details));
    return decided('accepted');
  }
  if (soFar.invoiceAccepted || note.status === 'CANCELLED') return decided('superseded');
  const refusal = await refuseDebitNote(yagna, input, found, note, signal);
  if (!refusal) {
    try {
      await yagna.acceptDebitNote(note.debitNoteId, note.totalAmountDue, input.allocationId, signal);
      events.push(event('DebitNoteAccepted', details));
      return decided('accepted');
    } catch (error) {
      if (!isYagnaError(error, 'badRequest')) throw error;
      events.push(event('PaymentFailed', { ...details, reason: error.detail }));
      return decided('refused', {
        reason: `debit note not accepted: ${error.detail}`,
        failure: failureOf(error),
      });
    }
  }
  events.push(event('PaymentFailed', { ...details, reason: refusal.reason }));
  return decided('refused', refusal);
}

async function refuseDebitNote(
  yagna: Yagna,
  input: DecideInput,
  found: Case,
  note: DebitNote,
  signal: AbortSignal,
): Promise<Pick<Decision, 'reason' | 'requestorCode' | 'failure'> | undefined> {
  const { terms, soFar, agreement } = found;
  if (!terms) return { reason: `the agreement's prices cannot be read: ${found.unreadable ?? ''}` };
  const elapsedSec = Math.max(0, (Date.now() - found.approvedMs) / 1000);
  const seen = soFar.notes[note.activityId] ?? { all: 0, payable: 0 };
  const agreed = { ...agreement.offer.properties };
  const tooMany = (count: number, property: string): number | undefined => {
    const intervalSec = Number(agreed[property]);
    if (!(intervalSec > 0)) return undefined;
    return count + 1 > Math.floor(elapsedSec / intervalSec) + SPARE_NOTES ? intervalSec : undefined;
  };
  const often = tooMany(seen.all, PROP.debitNoteInterval);
  if (often !== undefined) {
    const reason = `debit notes come more often than every ${often} s as agreed`;
    return { reason, requestorCode: 'TooManyDebitNotes' };
  }
  if (note.paymentDueDate !== undefined) {
    const payable = tooMany(seen.payable, PROP.paymentTimeout);
    if (payable !== undefined) {
      const reason = `payable debit notes come more often than every ${payable} s as agreed`;
      return { reason, requestorCode: 'TooManyPayableDebitNotes' };
    }
    if (agreement.demand.properties[PROP.paymentTimeout] === undefined) {
      return { reason: 'payable debit notes were not agreed', requestorCode: 'TooManyPayableDebitNotes' };
    }
  }
  const allocation = await yagna.allocation(input.allocationId, signal);
  const budgetLeft = allocation?.remainingAmount ?? '0';
  const acceptedEarlier = soFar.acceptedByActivity[note.activityId] ?? '0';
  const claim = {
    ...{ terms, tolerance: input.tolerance, elapsedSec },
    amount: note.totalAmountDue,
    usage: note.usageCounterVector,
    activityKnown: await isKnown(yagna, note, signal),
    acceptedEarlier,
  };
  const decision = checkDebitNote({ ...claim, budgetLeft });
  if (decision.accept) return undefined;
  // Right but for the budget: then it is not the provider's fault.
  const exhausted = checkDebitNote({ ...claim, budgetLeft: note.totalAmountDue }).accept;
  return {
    reason: `debit note refused: ${decision.reason}`,
    failure: exhausted ? 'BudgetExhausted' : 'PaymentRefused',
  };
}

/** yagna refuses to accept for want of funds in the allocation, or because the allocation is gone. */
function failureOf(error: YagnaError): Decision['failure'] {
  return /not enough funds|allocation/i.test(error.detail) ? 'BudgetExhausted' : 'PaymentRefused';
}

async function isKnown(yagna: Yagna, note: DebitNote, signal: AbortSignal): Promise<boolean> {
  try {
    return (await yagna.golemActivities(note.agreementId, signal)).includes(note.activityId);
  } catch (error) {
    // This yagna can't tell.
    if (isYagnaError(error, 'notFound')) return true;
    throw error;
  }
}

async function decideInvoice(
  yagna: Yagna,
  input: DecideInput,
  retried: boolean,
  signal: AbortSignal,
): Promise<Decision> {
  const invoice = await yagna.invoice(input.document.id as InvoiceId, signal);
  if (!invoice) throw failure('YagnaUnavailable', `yagna does not show invoice ${input.document.id}`);
  const found = await open(yagna, input, invoice.agreementId, signal);
  const base = {
    document: input.document,
    agreementId: invoice.agreementId,
    amount: invoice.amount,
    payable: true,
    settled: invoice.status === 'SETTLED',
  };
  if (!found) {
    return {
      ...base,
      provider: { id: invoice.issuerId, name: invoice.issuerId },
      decision: 'foreign',
      events: [],
    };
  }
  const { provider } = found;
  const details = {
    id: invoice.invoiceId,
    agreementId: invoice.agreementId,
    provider,
    ...amounts(invoice.amount),
  };
  const events: NewEvent[] = [event('InvoiceReceived', details)];
  const decided = (decision: Decision['decision'], more: Partial<Decision> = {}): Decision => ({
    ...{ ...base, provider, decision, events },
    ...more,
  });
  if (invoice.status === 'ACCEPTED' || invoice.status === 'SETTLED') {
    events.push(event('PaymentAccepted', details));
    if (base.settled) events.push(event('PaymentConfirmed', details));
    return decided('accepted');
  }
  if (invoice.status === 'CANCELLED') return decided('superseded');
  if (invoice.status === 'REJECTED') return decided('refused', { reason: 'rejected before' });
  const reason = await refuseInvoice(yagna, input, found, invoice, retried, signal);
  if (reason) {
    const message = `invoice refused: ${reason}`;
    await yagna.rejectInvoice(
      invoice.invoiceId,
      { rejectionReason: 'INCORRECT_AMOUNT', totalAmountAccepted: '0', message },
      signal,
    );
    events.push(
      event('InvoiceRejected', { ...details, reason }),
      event('PaymentFailed', { ...details, reason }),
    );
    return decided('refused', { reason: message });
  }
  try {
    await yagna.acceptInvoice(invoice.invoiceId, invoice.amount, input.allocationId, signal);
  } catch (error) {
    if (!isYagnaError(error, 'badRequest')) throw error;
    // It is owed, but yagna will not pay it from this allocation: left undecided, for whoever funds it later.
    events.push(event('PaymentFailed', { ...details, reason: error.detail }));
    return decided('refused', { reason: `invoice not accepted: ${error.detail}`, failure: failureOf(error) });
  }
  events.push(event('PaymentAccepted', details));
  const after = exact(invoice.amount).isZero() ? await yagna.invoice(invoice.invoiceId, signal) : undefined;
  if (after?.status === 'SETTLED') events.push(event('PaymentConfirmed', details));
  return decided('accepted', { settled: after?.status === 'SETTLED' });
}

async function refuseInvoice(
  yagna: Yagna,
  input: DecideInput,
  found: Case,
  invoice: Invoice,
  retried: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { terms, soFar, agreement } = found;
  if (soFar.invoiceAccepted || (retried && (await hasAcceptedInvoice(yagna, invoice, signal)))) {
    return 'the agreement has an accepted invoice already';
  }
  if (!terms) return `the agreement's prices cannot be read: ${found.unreadable ?? ''}`;
  const ended = await yagna.terminationReason(agreement.agreementId, signal);
  const endedMs = ended ? Date.parse(ended.eventDate) : Math.min(Date.now(), Date.parse(agreement.validTo));
  const allocation = await yagna.allocation(input.allocationId, signal);
  const known = await knownActivities(yagna, invoice, Object.keys(soFar.acceptedByActivity), signal);
  const decision = checkInvoice({
    ...{ terms, tolerance: input.tolerance },
    amount: invoice.amount,
    activityIds: invoice.activityIds,
    activities: known.map((activityId) => ({
      activityId,
      accepted: soFar.acceptedByActivity[activityId] ?? '0',
      lastUsage: soFar.lastUsage[activityId],
    })),
    // One creation may have been lost on the way back: its VM is billed although nobody here knows its id.
    unknownActivities: 1,
    elapsedSec: Math.max(0, (endedMs - found.approvedMs) / 1000),
    budgetLeft: allocation?.remainingAmount ?? '0',
  });
  return decision.accept ? undefined : decision.reason;
}

async function knownActivities(
  yagna: Yagna,
  invoice: Invoice,
  accepted: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  try {
    return await yagna.golemActivities(invoice.agreementId, signal);
  } catch (error) {
    if (isYagnaError(error, 'notFound')) return [...new Set([...invoice.activityIds, ...accepted])];
    throw error;
  }
}

async function hasAcceptedInvoice(yagna: Yagna, invoice: Invoice, signal: AbortSignal): Promise<boolean> {
  const all = await yagna.invoices({}, signal);
  return all.some(
    (other) =>
      other.agreementId === invoice.agreementId &&
      other.invoiceId !== invoice.invoiceId &&
      (other.status === 'ACCEPTED' || other.status === 'SETTLED'),
  );
}
