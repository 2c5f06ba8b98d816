/** What yagna's REST API has for providers and for its service bus. The devnet says that it has neither. */
import type { FastifyInstance } from 'fastify';
import { failure } from './errors';

/** Method and path of each. */
export const PROVIDER_CALLS: readonly (readonly ['GET' | 'POST' | 'PUT' | 'DELETE', string])[] = [
  ['POST', '/market-api/v1/offers'],
  ['DELETE', '/market-api/v1/offers/:id'],
  ['GET', '/market-api/v1/offers/:id/events'],
  ['POST', '/market-api/v1/offers/:id/propertyQuery/:query'],
  ['GET', '/market-api/v1/offers/:id/proposals/:proposal'],
  ['POST', '/market-api/v1/offers/:id/proposals/:proposal'],
  ['POST', '/market-api/v1/offers/:id/proposals/:proposal/reject'],
  ['POST', '/market-api/v1/agreements/:id/approve'],
  ['POST', '/market-api/v1/agreements/:id/reject'],
  ['GET', '/activity-api/v1/events'],
  ['PUT', '/activity-api/v1/activity/:activityId/state'],
  ['POST', '/payment-api/v1/debitNotes'],
  ['POST', '/payment-api/v1/debitNotes/:id/send'],
  ['POST', '/payment-api/v1/debitNotes/:id/cancel'],
  ['POST', '/payment-api/v1/invoices'],
  ['POST', '/payment-api/v1/invoices/:id/send'],
  ['POST', '/payment-api/v1/invoices/:id/cancel'],
];

const BUS_CALLS: readonly (readonly ['GET' | 'POST' | 'DELETE', string])[] = [
  ['GET', '/gsb-api/v1/services/:key'],
  ['POST', '/gsb-api/v1/services'],
  ['DELETE', '/gsb-api/v1/services/:key'],
];

export function otherSideRoutes(scope: FastifyInstance): void {
  for (const [calls, what] of [
    [PROVIDER_CALLS, 'a call for providers'],
    [BUS_CALLS, 'a call of the service bus'],
  ] as const) {
    for (const [method, url] of calls) {
      scope.route({
        ...{ method, url },
        handler: () => {
          throw failure(501, `${what}: the devnet serves requestors only`);
        },
      });
    }
  }
}
