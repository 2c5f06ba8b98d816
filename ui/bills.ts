/** Debit notes and invoices of a job, and what became of each, from its events. */
import type { JobEvent } from '../client/index';
import type { Amount, Timestamp } from '../model/ids';
import type { ProviderInfo } from '../model/result';
import { providerIn, textIn } from './event-fields';

export type BillState = 'received' | 'accepted' | 'paid' | 'refused';

export interface Bill {
  id: string;
  kind: 'debit note' | 'invoice';
  agreementId: string;
  /** Of a debit note: the VM that it is for. */
  activityId?: string;
  provider?: ProviderInfo;
  /** GLM. Of a debit note: all that its VM has cost by then. */
  amount: Amount;
  state: BillState;
  /** Why it was refused. */
  reason?: string;
  receivedAt: Timestamp;
  decidedAt?: Timestamp;
  /** When yagna told that it was paid. */
  paidAt?: Timestamp;
}

/** In the order in which they came. @param events - of one job, in the order of time */
export function billsOf(events: readonly JobEvent[]): Bill[] {
  const bills = new Map<string, Bill>();
  for (const { name, at, details } of events) {
    const id = textIn(details, 'id');
    if (id === undefined || !/^(DebitNote|Invoice|Payment)/.test(name)) continue;
    // One whose coming is not kept any more is known by what became of it.
    const bill: Bill = bills.get(id) ?? {
      ...{ id, kind: kindOf(name, details), agreementId: textIn(details, 'agreementId') ?? '' },
      ...{ activityId: textIn(details, 'activityId'), provider: providerIn(details) },
      ...{ amount: textIn(details, 'amount') ?? '0', state: 'received' as const, receivedAt: at },
    };
    bills.set(id, bill);
    switch (name) {
      case 'DebitNoteAccepted':
      case 'PaymentAccepted':
        if (bill.state !== 'paid') bill.state = 'accepted';
        bill.decidedAt ??= at;
        break;
      case 'InvoiceRejected':
      case 'PaymentFailed':
        bill.state = 'refused';
        bill.reason = textIn(details, 'reason');
        bill.decidedAt = at;
        break;
      case 'PaymentConfirmed':
        bill.state = 'paid';
        bill.paidAt = at;
        break;
      default:
    }
  }
  return [...bills.values()];
}

function kindOf(name: JobEvent['name'], details: JobEvent['details']): Bill['kind'] {
  if (name.startsWith('DebitNote')) return 'debit note';
  return textIn(details, 'activityId') === undefined ? 'invoice' : 'debit note';
}
