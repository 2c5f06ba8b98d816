/** Rentals that end in an invoice, what becomes of it, and the admin API's part about money, for tests of the devnet. */
import type { Devnet, LedgerEntry } from '../../devnet';
import { Amount } from '../../devnet/payment/amounts';
import type { Answer, Requestor } from './devnet-requestor';

const PAYMENT = '/payment-api/v1';
/** All the money there is on a platform. */
export const SUPPLY = '1000000000';

export interface Invoice {
  invoiceId: string;
  agreementId: string;
  issuerId: string;
  amount: string;
  status: string;
}

/** Rents, uses one activity and ends the agreement; gives its invoice. */
export async function invoicedRental(requestor: Requestor, session: string): Promise<Invoice> {
  const agreementId = await requestor.rent(session);
  const activityId = await requestor.createActivity(agreementId);
  await requestor.delete(`/activity-api/v1/activity/${activityId}`);
  await requestor.terminate(agreementId);
  const { invoiceId } = await requestor.firstEvent('invoice', session);
  return await invoiceOf(requestor, invoiceId as string);
}

export async function invoiceOf(requestor: Requestor, invoiceId: string): Promise<Invoice> {
  return (await requestor.get(`${PAYMENT}/invoices/${invoiceId}`)).json as Invoice;
}

export function acceptInvoice(
  requestor: Requestor,
  { invoiceId, amount }: Invoice,
  allocationId: string,
): Promise<Answer> {
  const acceptance = { totalAmountAccepted: amount, allocationId };
  return requestor.post(`${PAYMENT}/invoices/${invoiceId}/accept`, acceptance);
}

/** Status and body of what the admin API answers. */
export async function adminPost(
  { adminUrl }: Devnet,
  path: string,
  body: object,
): Promise<[number, Answer['json']]> {
  const response = await fetch(`${adminUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return [response.status, await response.json()];
}

/** Waits until an invoice is settled. */
export async function settled(requestor: Requestor, invoiceId: string): Promise<void> {
  for (let seen = 0; ;) {
    const effect = await requestor.effect('invoice-settled', seen);
    if (effect === undefined) throw new Error(`invoice ${invoiceId} is not settled`);
    if (effect.invoiceId === invoiceId) return;
    seen = effect.seq as number;
  }
}

/** No money came or went, and every balance is what the ledger says. */
export function expectBalanced({ wallets, ledger }: Devnet): void {
  const expected = new Map<string, Amount>();
  const add = (owner: string, platform: string, amount: string | Amount): void => {
    const key = `${owner} ${platform}`;
    expected.set(key, (expected.get(key) ?? new Amount(0)).plus(amount));
  };
  const all = wallets.list();
  for (const { owner, platform } of all) if (owner === 'treasury') add(owner, platform, SUPPLY);
  for (const { from, to, platform, amount } of entries(ledger.after())) {
    add(from, platform, new Amount(amount).negated());
    add(to, platform, amount);
  }
  const found = all.map(({ owner, platform, balance }) => [`${owner} ${platform}`, balance]);
  const told = [...expected].map(([key, amount]) => [key, amount.toFixed()]);
  expect(Object.fromEntries(found)).toEqual({
    ...Object.fromEntries(found.filter(([, balance]) => balance === '0')),
    ...Object.fromEntries(told),
  });
  for (const platform of new Set(all.map((wallet) => wallet.platform)))
    expect([platform, wallets.total(platform)]).toEqual([platform, SUPPLY]);
  expect(all.filter(({ balance }) => balance.startsWith('-'))).toEqual([]);
}

/** Numbered from 1 without a gap. */
function entries(ledger: LedgerEntry[]): LedgerEntry[] {
  expect(ledger.map(({ seq }) => seq)).toEqual(ledger.map((_entry, index) => index + 1));
  return ledger;
}
