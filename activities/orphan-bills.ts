/** What the orphans of a job have cost, and what of its budget is left. */
import { addAmounts, exact, toAmount } from '../model/amount';
import type { Amount } from '../model/ids';
import { readOffer } from '../model/offer';
import { mostAfter } from '../model/pricing';
import type { Orphan } from '../model/reconcile';
import type { Agreement, DebitNote, Invoice, Yagna } from './yagna';

type Cost = Pick<Orphan, 'cost' | 'costIs'>;
export const COSTS_NOTHING: Cost = { cost: '0', costIs: 'nothing' };

/** All documents on this yagna since some time: one list serves all jobs. */
export class Bills {
  private readonly invoices = new Map<string, Invoice[]>();
  private readonly notes = new Map<string, DebitNote[]>();

  /** @param since - before the first document that is of interest */
  static async read(yagna: Yagna, since: string, signal: AbortSignal): Promise<Bills> {
    const bills = new Bills();
    // A provider dates them; one whose clock is behind may date them before its agreement.
    const afterTimestamp = new Date(Date.parse(since) - 86_400_000).toISOString();
    for (const each of await yagna.invoices({ afterTimestamp }, signal)) add(bills.invoices, each);
    for (const each of await yagna.debitNotes({ afterTimestamp }, signal)) add(bills.notes, each);
    return bills;
  }

  hasInvoice(agreementId: string): boolean {
    return (this.invoices.get(agreementId) ?? []).some(({ status }) => status !== 'CANCELLED');
  }

  /** Accepted for an agreement: its invoice, or the greatest notes before that. */
  accepted(agreementId: string): Amount {
    const isAccepted = ({ status }: Invoice | DebitNote): boolean =>
      status === 'ACCEPTED' || status === 'SETTLED';
    const invoice = this.invoices.get(agreementId)?.find(isAccepted);
    if (invoice) return toAmount(exact(invoice.amount));
    return greatest((this.notes.get(agreementId) ?? []).filter(isAccepted));
  }

  ofAgreement(agreement: Agreement, nowMs: number): Cost {
    const { agreementId } = agreement;
    const invoice = this.invoices.get(agreementId)?.at(-1);
    if (invoice) return { cost: toAmount(exact(invoice.amount)), costIs: 'billed' };
    const notes = this.notes.get(agreementId) ?? [];
    if (notes.length > 0) return { cost: greatest(notes), costIs: 'billed' };
    if (agreement.state !== 'Approved') return COSTS_NOTHING;
    return { cost: mostOf(agreement, nowMs), costIs: 'atMost' };
  }

  ofActivity(agreement: Agreement, activityId: string, nowMs: number): Cost {
    const notes = (this.notes.get(agreement.agreementId) ?? []).filter(
      (note) => note.activityId === activityId,
    );
    if (notes.length > 0) return { cost: greatest(notes), costIs: 'billed' };
    return { cost: mostOf(agreement, nowMs), costIs: 'atMost' };
  }
}

function add<T extends { agreementId: string }>(to: Map<string, T[]>, document: T): void {
  const there = to.get(document.agreementId);
  if (there) there.push(document);
  else to.set(document.agreementId, [document]);
}

/** Sum over the Golem activities of the greatest note of each: a note tells all that its activity has cost. */
function greatest(notes: readonly DebitNote[]): Amount {
  const byActivity = new Map<string, Amount>();
  for (const { activityId, totalAmountDue } of notes) {
    const before = byActivity.get(activityId) ?? '0';
    if (exact(totalAmountDue).gt(exact(before))) byActivity.set(activityId, totalAmountDue);
  }
  return addAmounts(byActivity.values());
}

/** The most that one Golem activity of an agreement can have cost at that time; 0 where its prices cannot be read. */
export function mostOf(agreement: Agreement, atMs: number): Amount {
  const read = readOffer(agreement.offer.properties, agreement.offer.providerId);
  if (!read.ok) return '0';
  // yagna tells its time by the second.
  const untilMs = Math.min(atMs + 1000, Date.parse(agreement.validTo));
  return mostAfter(read.offer, (untilMs - Date.parse(agreement.timestamp)) / 1000);
}
