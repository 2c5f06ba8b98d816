/** What is known of the agreement that a debit note or an invoice belongs to. */
import { providerOf, readOffer } from '../model/offer';
import type { AgreementTerms } from '../model/pricing';
import type { ProviderInfo } from '../model/result';
import type { AgreementSoFar, DecideInput, Decision } from './contract';
import { isOurs } from './ours';
import { failure, type Agreement, type Yagna, type YagnaError } from './yagna';

const NOTHING_YET: AgreementSoFar = {
  acceptedByActivity: {},
  notes: {},
  lastUsage: {},
  lastNoteAt: {},
  invoiceAccepted: false,
};

export interface BilledAgreement {
  agreement: Agreement;
  provider: ProviderInfo;
  terms?: AgreementTerms;
  /** Why the terms cannot be read. */
  unreadable?: string;
  soFar: AgreementSoFar;
  /** Its beginning by our yagna's clock, which made it; the date of its approval is what the provider says. */
  beganMs: number;
}

/**
 * Undefined when the agreement is not the job's.
 * @throws YagnaUnavailable - yagna does not show it: then nobody can tell whose it is
 */
export async function openBilledAgreement(
  yagna: Yagna,
  input: DecideInput,
  agreementId: string,
  signal: AbortSignal,
): Promise<BilledAgreement | undefined> {
  const agreement = await yagna.agreement(agreementId, signal);
  if (!agreement) throw failure('YagnaUnavailable', `yagna does not show agreement ${agreementId}`);
  if (!isOurs(input.job, agreement)) return undefined;
  const read = readOffer(agreement.offer.properties, agreement.offer.providerId);
  return {
    agreement,
    provider: providerOf(agreement.offer),
    terms: read.ok ? { pricing: read.offer.pricing, cpuThreads: read.offer.cpuThreads } : undefined,
    unreadable: read.ok ? undefined : read.reason,
    soFar: input.ledger[agreementId] ?? NOTHING_YET,
    beganMs: Date.parse(agreement.timestamp),
  };
}

/** yagna refuses to accept for want of funds in the allocation, or because the allocation is gone. */
export function whyNotAccepted({ detail }: YagnaError): Pick<Decision, 'failure' | 'allocationGone'> {
  if (/not enough funds/i.test(detail)) return { failure: 'BudgetExhausted' };
  if (/allocation/i.test(detail)) return { failure: 'BudgetExhausted', allocationGone: true };
  return { failure: 'PaymentRefused' };
}
