/**
 * Whether an agreement has its accepted invoice, by what yagna says. What the settlement has booked may be less than
 * what was done: an acceptance whose answer was lost is not in its ledger when the next document is decided.
 */
import type { InvoiceId } from '../model/ids';
import type { JobRef } from './contract';
import { allAfter } from './document-events';
import { sessionOfDocuments } from './ours';
import type { Agreement, Documents, Yagna } from './yagna';

/**
 * Goes by the events of acceptance, which yagna dates itself: a document's own date is the provider's, and a wrong one
 * would hide it from a list of newer ones. They are few, and whose they are is mostly known already.
 * @param except - the invoice that is being decided
 */
export async function hasAcceptedInvoice(
  yagna: Yagna,
  documents: Documents,
  job: JobRef,
  { agreementId, timestamp }: Agreement,
  signal: AbortSignal,
  except?: InvoiceId,
): Promise<boolean> {
  const { events } = await allAfter(timestamp, (query) =>
    yagna.invoiceEvents({ ...query, appSessionId: sessionOfDocuments(job), types: ['ACCEPTED'] }, signal),
  );
  for (const { invoiceId, eventType } of events) {
    // A yagna that does not know the header tells of all kinds.
    if (invoiceId === except || eventType !== 'InvoiceAcceptedEvent') continue;
    if ((await documents.agreementOf('invoice', invoiceId)) === agreementId) return true;
  }
  return false;
}
