/** /market-api/v1/demands: subscribe, read offers, counter and reject them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Effects } from '../effects';
import type { Conditions } from '../faults/conditions';
import { failure, pathFailure } from '../server/errors';
import { send } from '../server/http';
import { Body, marketMaxEvents, Query } from '../server/input';
import { waitFor } from '../server/long-poll';
import { proposalView, subscriptionNotFound, type DemandBook, type Proposal } from './book';
import { readTerms } from './terms-input';

const BASE = '/market-api/v1';
const DEFAULT_TIMEOUT_SEC = 5;
const DEFAULT_MAX_EVENTS = 20;

export function demandRoutes(
  scope: FastifyInstance,
  book: DemandBook,
  effects: Effects,
  conditions: Conditions,
): void {
  scope.post(`${BASE}/demands`, (request, reply) => {
    const demand = book.subscribe(request.requestorId, readTerms(Body.of('market', request)));
    effects.record('demand-created', { demandId: demand.id });
    return send(reply, 201, demand.id);
  });

  scope.get(`${BASE}/demands`, (request, reply) =>
    send(
      reply,
      200,
      book.live(request.requestorId).map((demand) => ({
        properties: demand.properties,
        constraints: demand.constraints,
        demandId: demand.id,
        requestorId: demand.requestor,
        timestamp: demand.created,
      })),
    ),
  );

  scope.get(`${BASE}/offers`, (_request, reply) => send(reply, 200, []));

  scope.delete(`${BASE}/demands/:id`, (request, reply) => {
    const id = subscriptionParam(request);
    const demand = book.known(request.requestorId, id);
    if (!demand?.subscribed) throw failure(404, `Demand [${id}] not found.`);
    book.unsubscribe(demand);
    effects.record('demand-removed', { demandId: id });
    return reply.code(204).send();
  });

  scope.get(`${BASE}/demands/:id/events`, async (request, reply) => {
    const id = subscriptionParam(request);
    const query = new Query(request);
    const timeoutSec = query.number('timeout', DEFAULT_TIMEOUT_SEC);
    const max = marketMaxEvents(query, DEFAULT_MAX_EVENTS);
    const demand = book.known(request.requestorId, id);
    if (!demand) throw subscriptionNotFound(id);
    const events = await waitFor(demand.stream, reply, timeoutSec, () => book.takeEvents(demand, max));
    return send(reply, 200, events ?? []);
  });

  scope.get(`${BASE}/demands/:id/proposals/:proposal`, (request, reply) =>
    send(reply, 200, proposalView(proposalParam(request))),
  );

  scope.post(`${BASE}/demands/:id/proposals/:proposal`, (request, reply) => {
    const terms = readTerms(Body.of('market', request));
    const previous = proposalParam(request);
    if (conditions.reach(request.requestorId, previous.provider) !== 'up') {
      const gsb = `GSB error: Remote service at \`/net/${previous.provider}\` error: endpoint address not found.`;
      throw failure(
        500,
        `Failed to send response for Proposal [${previous.id}]. Error: Countering Proposal [${previous.id}] ${gsb}`,
      );
    }
    const counter = book.counter(previous, terms);
    effects.record('proposal-countered', {
      demandId: counter.demand.id,
      proposalId: counter.id,
      providerId: counter.provider,
    });
    return send(reply, 200, counter.id);
  });

  scope.post(`${BASE}/demands/:id/proposals/:proposal/reject`, (request, reply) => {
    const proposal = proposalParam(request);
    book.reject(proposal);
    return reply.code(204).send();
  });

  function proposalParam(request: FastifyRequest): Proposal {
    const demandId = subscriptionParam(request);
    const { proposal: id } = request.params as { proposal: string };
    if (!/^[RP]-[0-9a-f]{64}$/.test(id)) throw pathFailure(`Id [${id}] has invalid format.`);
    const proposal = book.findProposal(request.requestorId, demandId, id);
    if (proposal) return proposal;
    const [random = '', hash = ''] = demandId.split('-');
    const subscription = `Some(SubscriptionId { random_id: "${random}", hash: "${hash}" })`;
    throw failure(404, `Proposal [${id}] not found (subscription [${subscription}]).`);
  }
}

function subscriptionParam(request: FastifyRequest): string {
  const { id } = request.params as { id: string };
  if (!/^[0-9a-f]{32}-[0-9a-f]{64}$/.test(id))
    throw pathFailure(`Subscription id [${id}] has invalid format.`);
  return id;
}
