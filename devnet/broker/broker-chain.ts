/**
 * What a broker sees of the network and does there: agreements as both sides signed them, the public ledger, and payments
 * out of its own wallet, each by an id that makes a repeat harmless.
 */
import { z } from 'zod';
import type { LedgerEntry, PaidDocument } from '../payment/ledger';
import type { SignedTerms } from './release-rules';

const properties = z.record(z.string(), z.unknown());
const signedTerms = z.object({
  ...{ requestor: z.string(), provider: z.string(), demand: properties, offer: properties },
  ...{ approvedMs: z.number().optional(), endedMs: z.number().optional(), activityIds: z.array(z.string()) },
});

export interface BrokerPayment {
  /** The secret of the wallet that pays. */
  key: string;
  paymentId: string;
  /** `deposit-closed`: what is left of a deposit goes back. */
  kind: 'payment' | 'deposit-closed';
  to: string;
  platform: string;
  amount: string;
  depositId: string;
  /** For whom it is paid. */
  requestor: string;
  for?: Omit<PaidDocument, 'allocationId'>[];
}

/** The network does not answer, or says no. */
export class ChainError extends Error {
  constructor(
    message: string,
    /** Of the answer; 0 when there was none. */
    readonly status: number,
  ) {
    super(message);
  }
}

export class BrokerChain {
  constructor(private readonly adminUrl: string) {}

  async agreement(id: string): Promise<SignedTerms | undefined> {
    try {
      return signedTerms.parse(await this.call('GET', `/agreements/${encodeURIComponent(id)}`));
    } catch (error) {
      if (error instanceof ChainError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Agreements under which something may still be claimed from a deposit. */
  async openAgreements(address: string, deposit: string): Promise<string[]> {
    const query = new URLSearchParams({ broker: address, deposit });
    return z.array(z.string()).parse(await this.call('GET', `/agreements?${query}`));
  }

  async ledger(after: number): Promise<LedgerEntry[]> {
    return (await this.call('GET', `/ledger?after=${after}&limit=100000`)) as LedgerEntry[];
  }

  async pay(payment: BrokerPayment): Promise<void> {
    await this.call('POST', '/payments', payment);
  }

  private async call(method: string, path: string, body?: object): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`${this.adminUrl}${path}`, {
        method,
        signal: AbortSignal.timeout(10_000),
        ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
    } catch {
      throw new ChainError('the network does not answer', 0);
    }
    const answer = (await response.json().catch(() => ({}))) as { message?: string };
    if (!response.ok)
      throw new ChainError(answer.message ?? `the network answers ${response.status}`, response.status);
    return answer;
  }
}
