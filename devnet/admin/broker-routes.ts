/**
 * The admin API's part for payers that are not a requestor's node: agreements as both sides signed them, which stands for
 * the signatures that the devnet does not have, and payments out of the wallet of who knows its key.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { walletOfKey } from '../broker/wallet-of-key';
import type { VmHost } from '../contract';
import type { Agreements } from '../market/agreements';
import { isAmount } from '../payment/amounts';
import { PaymentIdTaken, type KeyPayments } from '../payment/key-payments';
import { PLATFORMS } from '../payment/platforms';
import { InsufficientBalance } from '../payment/wallets';
import type { BrokerClaims } from '../provider/broker-claims';

export interface BrokerParts {
  agreements: Agreements;
  keyPayments: KeyPayments;
  brokerClaims: BrokerClaims;
  vms: Pick<VmHost, 'activityIds'>;
}

const text = z.string().min(1).max(200);
const amount = z.string().refine(isAmount, 'must be a decimal of GLM in a string, with up to 18 decimals');
const document = z.strictObject({
  ...{
    agreementId: text,
    activityId: text.optional(),
    debitNoteId: text.optional(),
    invoiceId: text.optional(),
  },
  amount,
});
const paymentBody = z.strictObject({
  ...{ key: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits'), paymentId: text },
  ...{ kind: z.enum(['payment', 'deposit-closed']), to: text.toLowerCase(), requestor: text.toLowerCase() },
  ...{ platform: z.enum(PLATFORMS as [string, ...string[]]), amount, depositId: text },
  for: z.array(document).max(100).optional(),
});
const openQuery = z.strictObject({ broker: text.toLowerCase(), deposit: text });

export function brokerRoutes(app: FastifyInstance, parts: BrokerParts): void {
  const { agreements, keyPayments, brokerClaims, vms } = parts;

  // Of a deposit with a broker: those under which something may still be claimed from it.
  app.get('/agreements', (request) => {
    const { broker, deposit } = openQuery.parse(request.query);
    return brokerClaims.openAgreements(broker, deposit);
  });

  app.get('/agreements/:id', (request) => {
    const { id } = request.params as { id: string };
    const found = agreements.find(id);
    if (!found) throw Object.assign(new Error(`there is no agreement ${id}`), { statusCode: 404 });
    const { requestor, provider, demand, offer, approvedMs, endedMs, state } = found;
    return {
      ...{ agreementId: id, state, requestor, provider, demand: demand.properties, offer: offer.properties },
      ...{ approvedMs, endedMs, activityIds: vms.activityIds(id) },
    };
  });

  app.post('/payments', (request) => {
    const { key, ...payment } = paymentBody.parse(request.body ?? {});
    try {
      keyPayments.pay({ ...payment, from: walletOfKey(key) });
    } catch (error) {
      if (error instanceof InsufficientBalance) throw Object.assign(error, { statusCode: 400 });
      if (error instanceof PaymentIdTaken) throw Object.assign(error, { statusCode: 409 });
      throw error;
    }
    return { paymentId: payment.paymentId, from: walletOfKey(key) };
  });
}
