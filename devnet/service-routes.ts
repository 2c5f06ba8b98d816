/** What operators ask of a yagna: is it well, and its counters. */
import type { FastifyInstance } from 'fastify';
import type { Effects } from './effects';
import { send } from './server/http';

/** yagna's counter by the kind of effect that it counts. */
const COUNTERS: Record<string, string> = {
  'demand-created': 'market_demands_subscribed',
  'demand-removed': 'market_demands_unsubscribed',
  'agreement-created': 'market_agreements_requestor_created',
  'agreement-confirmed': 'market_agreements_requestor_confirmed',
  'agreement-approved': 'market_agreements_requestor_approved',
  'agreement-rejected': 'market_agreements_requestor_rejected',
  'agreement-cancelled': 'market_agreements_requestor_cancelled',
  'agreement-terminated': 'market_agreements_requestor_terminated',
  'debit-note-issued': 'payment_debit_notes_requestor_received',
  'debit-note-accepted': 'payment_debit_notes_requestor_accepted',
  'invoice-issued': 'payment_invoices_requestor_received',
  'invoice-accepted': 'payment_invoices_requestor_accepted',
  'invoice-settled': 'payment_invoices_requestor_paid',
};

export function serviceRoutes(scope: FastifyInstance, effects: Effects): void {
  scope.get('/healthcheck', (_request, reply) => send(reply, 200, { status: 'ok' }));

  // Of the whole network: effects are not kept by node.
  scope.get('/metrics-api/v1/expose', (_request, reply) => {
    const counts = effects.counts();
    const lines = Object.entries(COUNTERS)
      .map(([kind, name]) => `# TYPE ${name} counter\n${name} ${counts.get(kind) ?? 0}\n`)
      .sort();
    const header = `# metrics snapshot (ts=${Math.floor(Date.now() / 1000)}) (prometheus exposition format)\n`;
    return send(reply, 200, header + lines.join('\n'), 'text/plain; charset=utf-8');
  });
}
