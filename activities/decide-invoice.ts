/**
 * Decides an invoice: checks it against the agreement's own price and what can have been used, and accepts it or
 * rejects it with the reason. An agreement is paid once.
 */
import { exact } from '../model/amount';
import type { NewEvent } from '../model/events';
import type { InvoiceId } from '../model/ids';
import { namedBroker } from '../model/payer';
import { billableSec } from '../model/payment-terms';
import { checkInvoice } from '../model/pricing';
import { hasAcceptedInvoice } from './accepted-invoice';
import { whyNotAccepted, openBilledAgreement, type BilledAgreement } from './billed-agreement';
import type { DecideInput, Decision } from './contract';
import { amounts, event } from './events';
import { knownActivities } from './known-activities';
import { failure, isYagnaError, type Documents, type Invoice, type Yagna } from './yagna';

export async function decideInvoice(
  yagna: Yagna,
  documents: Documents,
  input: DecideInput,
  signal: AbortSignal,
): Promise<Decision> {
  const invoice = await yagna.invoice(input.document.id as InvoiceId, signal);
  if (!invoice) throw failure('YagnaUnavailable', `yagna does not show invoice ${input.document.id}`);
  const found = await openBilledAgreement(yagna, input, invoice.agreementId, signal);
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
  const hasOtherPayer = namedBroker(found.agreement.demand.properties) !== undefined;
  if (hasOtherPayer && invoice.status !== 'REJECTED') return decided('awaited');
  const secondInvoice =
    found.soFar.invoiceAccepted ||
    (await hasAcceptedInvoice(yagna, documents, input.job, found.agreement, signal, invoice.invoiceId));
  if (invoice.status === 'REJECTED') return decided('refused', { reason: 'rejected before', secondInvoice });
  const reason = secondInvoice
    ? 'the agreement has an accepted invoice already'
    : await refuseInvoice(yagna, input, found, invoice, signal);
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
    return decided('refused', { reason: message, secondInvoice });
  }
  try {
    await yagna.acceptInvoice(invoice.invoiceId, invoice.amount, input.allocationId, signal);
  } catch (error) {
    if (!isYagnaError(error, 'badRequest')) throw error;
    // It is owed, but yagna will not pay it from this allocation: left undecided, for whoever funds it later.
    events.push(event('PaymentFailed', { ...details, reason: error.detail }));
    return decided('refused', {
      reason: `invoice not accepted: ${error.detail}`,
      ...whyNotAccepted(error),
    });
  }
  events.push(event('PaymentAccepted', details));
  const after = exact(invoice.amount).isZero() ? await yagna.invoice(invoice.invoiceId, signal) : undefined;
  if (after?.status === 'SETTLED') events.push(event('PaymentConfirmed', details));
  return decided('accepted', { settled: after?.status === 'SETTLED' });
}

async function refuseInvoice(
  yagna: Yagna,
  input: DecideInput,
  found: BilledAgreement,
  invoice: Invoice,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { terms, soFar } = found;
  if (!terms) return `the agreement's prices cannot be read: ${found.unreadable ?? ''}`;
  const { agreementId, activityIds } = invoice;
  const known = await knownActivities(yagna, agreementId, soFar, activityIds, signal);
  const decision = checkInvoice({
    ...{ terms, tolerance: input.tolerance },
    amount: invoice.amount,
    activityIds,
    activities: known.map((activityId) => ({
      activityId,
      accepted: soFar.acceptedByActivity[activityId] ?? '0',
      lastUsage: soFar.lastUsage[activityId],
    })),
    elapsedSec: billableSec(found.agreement, await lifeSec(yagna, found, signal)) * (input.vmsAtOnce ?? 1),
    // Whether the budget suffices is no fault of the invoice: yagna says so when it is accepted.
    budgetLeft: invoice.amount,
  });
  return decision.accept ? undefined : decision.reason;
}

/**
 * How long the agreement has lasted. The one who ends it dates its end, so that of a provider is compared with the date
 * of the approval, which is the provider's as well; by our clock it can't have lasted longer than until now.
 */
async function lifeSec(yagna: Yagna, found: BilledAgreement, signal: AbortSignal): Promise<number> {
  const { agreement, beganMs } = found;
  const mostMs = Math.min(yagna.now(), Date.parse(agreement.validTo)) - beganMs;
  const ended = await yagna.terminationReason(agreement.agreementId, signal);
  if (!ended) return Math.max(0, mostMs / 1000);
  const fromMs =
    ended.terminator === 'Provider' ? Date.parse(agreement.approvedDate ?? agreement.timestamp) : beganMs;
  return Math.max(0, Math.min(mostMs, Date.parse(ended.eventDate) - fromMs) / 1000);
}
