/** /payment-api/v1: how the requestor's payments are batched. */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { formatNanos } from '../clock';
import type { Database } from '../contract';
import { send } from '../server/http';
import { Query } from '../server/input';
import type { Payer } from './payer';
import { NETWORKS, platformOfNetwork } from './platforms';

const BASE = '/payment-api/v1';

interface PaymentRow {
  at: number;
  body: string;
}

interface Payment {
  paymentId: string;
  payerAddr: string;
  paymentPlatform: string;
  amount: string;
  timestamp: string;
}

export function batchRoutes(scope: FastifyInstance, database: Database, payer: Payer): void {
  const payments = database.prepare(
    'SELECT at, body FROM payment WHERE requestor = ? AND at > ? ORDER BY at DESC LIMIT ?',
  );

  // The devnet pays each provider by a transfer of its own, so that an order is a payment.
  const orders = (request: FastifyRequest, afterMicros: number, max: number): { id: string }[] =>
    (payments.all(request.requestorId, afterMicros, max) as PaymentRow[]).map((row) =>
      orderView(row, request.requestorId),
    );

  scope.get(`${BASE}/batchOrders`, (request, reply) => {
    const query = new Query(request);
    const after = Number((query.time('afterTimestamp') ?? 0n) / 1000n);
    return send(reply, 200, orders(request, after, query.count('maxItems') ?? -1));
  });

  scope.get(`${BASE}/batchOrders/:id`, (request, reply) => {
    const { id } = request.params as { id: string };
    return send(reply, 200, orders(request, 0, -1).find((order) => order.id === id) ?? null);
  });

  scope.get(`${BASE}/batchCycles`, (request, reply) => {
    const { intervalSec, lastMs, nextMs } = payer.cycle;
    const cycle = {
      cron: null,
      extraPayTimeSec: 0,
      intervalSec,
      lastProcess: cycleTime(lastMs),
      maxIntervalSec: intervalSec,
      nextProcess: cycleTime(nextMs),
      nodeId: request.requestorId,
    };
    return send(
      reply,
      200,
      NETWORKS.map((network) => ({ ...cycle, platform: platformOfNetwork(network) })),
    );
  });
}

function orderView({ at, body }: PaymentRow, ownerId: string): { id: string } {
  const { paymentId, payerAddr, paymentPlatform, amount, timestamp } = JSON.parse(body) as Payment;
  return {
    id: orderId(paymentId),
    ...{ createdTs: withoutZone(timestamp), updatedTs: withoutZone(formatNanos(BigInt(at) * 1000n)) },
    ...{ ownerId, payerAddr, platform: paymentPlatform, totalAmount: amount, paidAmount: amount },
  };
}

/** A UUID that follows from the payment's. */
function orderId(paymentId: string): string {
  const hash = createHash('sha256').update(`batch order ${paymentId}`).digest('hex');
  return hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function withoutZone(time: string): string {
  return time.replace('Z', '');
}

function cycleTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000+00:00`;
}
