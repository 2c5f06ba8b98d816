/** /payment-api/v1: allocations, decorations for a demand, accounts. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Identities } from '../identity';
import { problem } from '../server/errors';
import { send } from '../server/http';
import { Body, Query } from '../server/input';
import { readAllocationRequest, readValidation } from './allocation-request';
import { allocationView, type Allocations } from './allocations';
import { parsePlatform } from './platforms';
import type { Wallets } from './wallets';

const BASE = '/payment-api/v1';

export function allocationRoutes(
  scope: FastifyInstance,
  allocations: Allocations,
  wallets: Wallets,
  identities: Identities,
): void {
  scope.post(`${BASE}/allocations`, (request, reply) => {
    const asked = readAllocationRequest(Body.of('payment', request));
    const { address, echo } = asked;
    if (address !== undefined && address !== '' && !identities.isLocal(address)) {
      throw problem(500, {
        type: `${BASE}/allocations/internal-error`,
        detail: 'Unhandled internal error',
        internalError:
          'Failed to initialize account on driver: erc20 due to error ' +
          `Account ${address} not found in active accounts`,
        requestBody: echo,
      });
    }
    return send(reply, 201, allocationView(allocations.create(request.requestorId, asked, echo)));
  });

  scope.get(`${BASE}/allocations`, (request, reply) => {
    const max = new Query(request).count('maxItems');
    return send(reply, 200, allocations.live(request.requestorId).slice(0, max).map(allocationView));
  });

  scope.get(`${BASE}/allocations/:id`, (request, reply) =>
    send(reply, 200, allocationView(allocations.get(request.requestorId, idOf(request)))),
  );

  scope.put(`${BASE}/allocations/:id`, (request, reply) => {
    const body = Body.of('payment', request);
    const fields = body.object();
    const total = body.has('totalAmount') ? body.amount('totalAmount') : undefined;
    const timeout = body.has('timeout') ? body.time('timeout') : undefined;
    if (body.has('deposit')) readValidation(body.inner('deposit', 'struct DepositUpdate'));
    const amended = allocations.amend(request.requestorId, idOf(request), total, timeout, fields);
    return send(reply, 200, allocationView(amended));
  });

  scope.delete(`${BASE}/allocations/:id`, (request, reply) => {
    allocations.release(request.requestorId, idOf(request));
    return send(reply, 200, null);
  });

  scope.get(`${BASE}/allocations/:id/orders`, (_request, reply) => send(reply, 200, []));

  scope.get(`${BASE}/allocations/:id/expenditures`, (request, reply) =>
    send(reply, 200, allocations.expenditures(request.requestorId, idOf(request))),
  );

  scope.get(`${BASE}/demandDecorations`, (request, reply) => {
    const ids = new Query(request).required('allocationIds').split(',');
    const chosen = ids.map((id) => allocations.get(request.requestorId, id));
    const properties = chosen.map(({ platform, requestor }) => ({
      key: addressProperty(platform),
      value: requestor,
    }));
    const presence = chosen.map(({ platform }) => `(${addressProperty(platform)}=*)`);
    const deposit = chosen.some((allocation) => allocation.deposit !== undefined);
    return send(reply, 200, {
      properties: [...properties, { key: 'golem.com.payment.protocol.version', value: '3' }],
      constraints: [
        presence.length === 1 ? presence[0] : `(|\n  ${presence.join('\n  ')}\n)`,
        `(golem.com.payment.protocol.version>${deposit ? 2 : 1})`,
      ],
    });
  });

  scope.get(`${BASE}/requestorAccounts`, (request, reply) =>
    send(
      reply,
      200,
      wallets.platforms(request.requestorId).map((platform) => ({
        platform,
        address: request.requestorId,
        ...parsePlatform(platform),
        send: true,
        receive: false,
      })),
    ),
  );

  scope.get(`${BASE}/providerAccounts`, (_request, reply) => send(reply, 200, []));
}

function idOf(request: FastifyRequest): string {
  return (request.params as { id: string }).id;
}

function addressProperty(platform: string): string {
  return `golem.com.payment.platform.${platform}.address`;
}
