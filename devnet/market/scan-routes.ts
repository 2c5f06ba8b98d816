/** /market-api/v1/scan: looking over the offers on the market without a demand. Forgotten with the daemon. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { failure } from '../server/errors';
import { send } from '../server/http';
import { Body, marketMaxEvents, Query } from '../server/input';
import { Stream, waitFor } from '../server/long-poll';
import { evaluate, parseConstraints, type Constraint, type Terms } from './constraints';
import { readConstraints } from './terms-input';

const BASE = '/market-api/v1/scan';
const DEFAULT_TIMEOUT_SEC = 5;
const DEFAULT_MAX_EVENTS = 20;

export interface PublicOffer extends Terms {
  offerId: string;
  providerId: string;
  timestamp: string;
}

interface Scan {
  requestor: string;
  constraint: Constraint | undefined;
  seen: Set<string>;
  ended: Stream;
}

export function scanRoutes(scope: FastifyInstance, offers: () => PublicOffer[]): void {
  const scans = new Map<string, Scan>();
  let next = 0;

  scope.post(BASE, (request, reply) => {
    const body = Body.of('market', request);
    const type = body.oneOf('type', ['offer', 'demand']);
    const constraints = body.has('constraints') ? readConstraints(body) : '()';
    const id = String(next++);
    scans.set(id, {
      requestor: request.requestorId,
      // Demands are not published by the devnet: such a scan finds nothing.
      constraint: type === 'demand' ? undefined : parseConstraints(constraints),
      seen: new Set(),
      ended: new Stream(),
    });
    return send(reply, 201, id);
  });

  scope.get(`${BASE}/:id/events`, async (request, reply) => {
    const query = new Query(request);
    const timeoutSec = query.number('timeout', DEFAULT_TIMEOUT_SEC);
    const max = marketMaxEvents(query, DEFAULT_MAX_EVENTS);
    const { id, scan } = scanParam(request);
    const found = await waitFor(scan.ended, reply, timeoutSec, () => {
      if (!scans.has(id)) throw notFound(id);
      const fresh = offers()
        .filter((offer) => !scan.seen.has(offer.offerId))
        .filter((offer) => scan.constraint && evaluate(scan.constraint, offer.properties) === true)
        .slice(0, max);
      for (const offer of fresh) scan.seen.add(offer.offerId);
      return fresh.length === 0 ? undefined : fresh;
    });
    return send(reply, 200, found ?? []);
  });

  scope.delete(`${BASE}/:id`, (request, reply) => {
    const { id, scan } = scanParam(request);
    scans.delete(id);
    scan.ended.wake();
    return reply.code(204).send();
  });

  function scanParam(request: FastifyRequest): { id: string; scan: Scan } {
    const { id } = request.params as { id: string };
    const scan = scans.get(id);
    if (scan?.requestor !== request.requestorId) throw notFound(id);
    return { id, scan };
  }
}

function notFound(id: string): Error {
  return failure(404, `Iterator with id "${id}" not found`);
}
