/** /market-api/v1/agreements and agreementEvents. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseRfc3339 } from '../clock';
import { failure } from '../server/errors';
import { send } from '../server/http';
import { Body, marketMaxEvents, Query, queryFailure } from '../server/input';
import { waitFor } from '../server/long-poll';
import { AGREEMENT_STATES, eventStream, type Agreement, type Agreements } from './agreements';
import type { DemandBook } from './book';
import type { Conditions } from '../faults/conditions';

const BASE = '/market-api/v1';
const DEFAULT_TIMEOUT_SEC = 5;
const DEFAULT_MAX_EVENTS = 100;

export function agreementRoutes(
  scope: FastifyInstance,
  book: DemandBook,
  agreements: Agreements,
  conditions: Conditions,
): void {
  scope.post(`${BASE}/agreements`, (request, reply) => {
    const body = Body.of('market', request);
    const id = body.string('proposalId');
    const validTo = body.time('validTo');
    if (!/^[RP]-[0-9a-f]{64}$/.test(id))
      throw failure(400, `Invalid Agreement id. Id [${id}] has invalid format.`);
    const proposal = book.findAnywhere(request.requestorId, id);
    const cannot = `Can't create Agreement for Proposal [${id}].`;
    if (!proposal) throw failure(400, `${cannot} Proposal [${id}] not found.`);
    if (proposal.issuer === request.requestorId) {
      throw failure(
        400,
        `Can't create Agreement for an own Proposal [${id}]. You can promote only provider's Proposals to Agreement.`,
      );
    }
    if (proposal.state === 'Initial') {
      throw failure(
        400,
        `${cannot} No negotiation with Provider took place. (You should counter Proposal at least one time)`,
      );
    }
    if (proposal.state === 'Rejected')
      throw failure(400, `Can't create Agreement for rejected Proposal [${id}].`);
    if (proposal.state === 'Accepted')
      throw failure(409, `Can't create second Agreement for Proposal [${id}].`);
    if (proposal.countered) throw failure(400, `${cannot} Proposal [${id}] was already countered.`);
    proposal.state = 'Accepted';
    return send(reply, 200, agreements.create(proposal, validTo));
  });

  scope.get(`${BASE}/agreements`, (request, reply) => {
    const query = new Query(request);
    const state = query.text('state');
    if (state !== undefined && !(AGREEMENT_STATES as readonly string[]).includes(state)) {
      const expected = AGREEMENT_STATES.map((name) => `\`${name}\``).join(', ');
      throw queryFailure(`unknown variant \`${state}\`, expected one of ${expected}`);
    }
    const session = query.text('appSessionId');
    const [after, before] = [query.time('afterDate'), query.time('beforeDate')];
    const chosen = agreements.ofRequestor(request.requestorId, session).filter((agreement) => {
      const created = parseRfc3339(agreement.created) ?? 0n;
      return (
        (state === undefined || agreement.state === state) &&
        (after === undefined || created > after) &&
        (before === undefined || created < before)
      );
    });
    return send(
      reply,
      200,
      chosen.map(({ id, created, approved }) => ({
        id,
        timestamp: created,
        approvedDate: approved ?? null,
        role: 'Requestor',
      })),
    );
  });

  scope.get(`${BASE}/agreements/:id`, (request, reply) =>
    send(reply, 200, agreementView(agreementParam(request, agreements, { notFound: '' }))),
  );

  scope.post(`${BASE}/agreements/:id/confirm`, (request, reply) => {
    const agreement = agreementParam(request, agreements);
    if (agreement.state === 'Proposal')
      tellProvider(agreement, 'Protocol error: Propose', 'AgreementReceived');
    agreements.confirm(agreement, new Query(request).text('appSessionId'));
    return reply.code(204).send();
  });

  scope.post(`${BASE}/agreements/:id/wait`, async (request, reply) => {
    const timeoutSec = new Query(request).number('timeout', DEFAULT_TIMEOUT_SEC);
    const { id } = agreementParam(request, agreements, { invalid: 'Invalid agreement id.' });
    const approved = await waitFor(agreements.streams.get(id), reply, timeoutSec, () => {
      const agreement = agreements.find(id);
      const name = `Agreement [R-${id}]`;
      switch (agreement?.state) {
        case 'Approved':
          return true;
        case 'Proposal':
          throw failure(400, `${name} should be confirmed, before waiting for approval.`);
        case 'Rejected':
        case 'Cancelled':
          throw failure(410, agreement.state);
        case 'Expired':
          throw failure(410, `${name} expired.`);
        case 'Terminated':
          throw failure(400, `${name} terminated.`);
        default:
          return undefined;
      }
    });
    if (!approved) throw failure(408, `Timeout while waiting for Agreement [R-${id}] approval.`);
    return reply.code(204).send();
  });

  scope.post(`${BASE}/agreements/:id/cancel`, (request, reply) => {
    const reason = reasonOf(request);
    agreements.cancel(agreementParam(request, agreements), reason);
    return reply.code(200).send();
  });

  scope.post(`${BASE}/agreements/:id/terminate`, (request, reply) => {
    const reason = reasonOf(request);
    const agreement = agreementParam(request, agreements, { notFound: '', terminating: true });
    if (agreement.state === 'Approved')
      tellProvider(agreement, 'Protocol error while terminating: Terminate', 'AgreementTerminated');
    agreements.terminate(agreement, 'Requestor', reason);
    return reply.code(200).send();
  });

  scope.get(`${BASE}/agreements/:id/terminate/reason`, (request, reply) => {
    const agreement = agreementParam(request, agreements);
    if (agreement.termination === undefined)
      throw failure(400, `Agreement [R-${agreement.id}] not terminated yet.`);
    return send(reply, 200, JSON.parse(agreement.termination));
  });

  scope.get(`${BASE}/agreementEvents`, async (request, reply) => {
    const query = new Query(request);
    const timeoutSec = query.number('timeout', DEFAULT_TIMEOUT_SEC);
    const after = Number((query.time('afterTimestamp') ?? 0n) / 1000n);
    const session = query.text('appSessionId');
    const max = marketMaxEvents(query, DEFAULT_MAX_EVENTS);
    const { requestorId } = request;
    const events = await waitFor(
      agreements.streams.get(eventStream(requestorId, session)),
      reply,
      timeoutSec,
      () => agreements.events(requestorId, after, session, max),
    );
    return send(reply, 200, events ?? []);
  });

  /** Both sides have to hear of it, or nothing changes. */
  function tellProvider({ id, requestor, provider }: Agreement, what: string, message: string): void {
    if (conditions.reach(requestor, provider) === 'up') return;
    const address = `/net/${provider}/market/protocol/mk1/negotiation/provider/agreement/${message}`;
    const cause = `Remote service at \`${address}\` error: Bad request: endpoint address not found.`;
    throw failure(500, `${what} Agreement [R-${id}] GSB error: ${cause}.`);
  }
}

/** The agreement a path names; its errors differ a little from route to route. */
function agreementParam(
  request: FastifyRequest,
  agreements: Agreements,
  wording: { notFound?: 'R-' | ''; invalid?: string; terminating?: boolean } = {},
): Agreement {
  const { id } = request.params as { id: string };
  if (!/^[0-9a-fA-F]+$/.test(id)) {
    const complaint = `Id [${id}] contains non hexadecimal characters.`;
    throw wording.terminating
      ? failure(500, `Failed to get Agreement [${id}]. Error: Invalid Agreement id: ${complaint}`)
      : failure(400, `${wording.invalid ?? 'Invalid Agreement id.'} ${complaint}`);
  }
  const agreement = agreements.find(id);
  if (agreement?.requestor === request.requestorId) return agreement;
  throw failure(404, `Agreement [${wording.notFound ?? 'R-'}${id}] not found.`);
}

/** The reason in a body: null or an object with a message. */
function reasonOf(request: FastifyRequest): unknown {
  const body = Body.of('market', request);
  if (body.json === null) return null;
  body.string('message');
  return body.json;
}

function agreementView(agreement: Agreement): object {
  const { id, demand, offer, created, state } = agreement;
  const confirmed = state !== 'Proposal' && (state !== 'Expired' || agreement.session !== undefined);
  return {
    agreementId: id,
    demand: { ...demand, demandId: agreement.demandId, requestorId: agreement.requestor, timestamp: created },
    offer: { ...offer, offerId: agreement.offerId, providerId: agreement.provider, timestamp: created },
    validTo: agreement.validTo,
    ...(agreement.approved ? { approvedDate: agreement.approved } : {}),
    state,
    timestamp: created,
    ...(agreement.session !== undefined ? { appSessionId: agreement.session } : {}),
    ...(confirmed ? { proposedSignature: 'NoSignature' } : {}),
    ...(agreement.approved ? { approvedSignature: 'NoSignature', committedSignature: 'NoSignature' } : {}),
  };
}
