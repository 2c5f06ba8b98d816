/** /payment-api/v1: how the requestor's payments are batched. */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { formatNanos } from '../clock';
import type { Database } from '../contract';
import { send } from '../server/http';
import { Query } from '../server/input';
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

/** @param cycleSec between an acceptance and its payment. */
export function batchRoutes(scope: FastifyInstance, database: Database, cycleSec: number): void {
  const payments = database.prepare(
    'SELECT at, body FROM payment WHERE requestor = ? AND at > ? ORDER BY at DESC LIMIT ?',
  );
  const startedMs = Date.now();

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
    const cycleMs = Math.max(1, cycleSec * 1000);
    const last = startedMs + Math.floor((Date.now() - startedMs) / cycleMs) * cycleMs;
    const cycle = {
      cron: null,
      extraPayTimeSec: 0,
      intervalSec: cycleSec,
      lastProcess: cycleTime(last),
      maxIntervalSec: cycleSec,
      nextProcess: cycleTime(last + cycleMs),
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
