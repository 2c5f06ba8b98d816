/** /payment-api/v1/payments/status: what keeps the payment driver from paying. */
import type { FastifyInstance } from 'fastify';
import { failure } from '../server/errors';
import { send } from '../server/http';
import { Query } from '../server/input';
import type { Payer } from './payer';
import { DRIVER, isNetwork, parsePlatform } from './platforms';

export function driverStatusRoutes(scope: FastifyInstance, payer: Payer): void {
  scope.get('/payment-api/v1/payments/status', (request, reply) => {
    const query = new Query(request);
    const [wanted, network] = [query.text('driver'), query.text('network')];
    if (wanted !== undefined && wanted !== DRIVER)
      throw failure(404, `Requested driver not supported ${wanted}`);
    if (network !== undefined && !isNetwork(network))
      throw failure(404, `Requested network not supported ${network}`);
    const status = payer
      .shortages(request.requestorId)
      .map(({ platform, payer: address, missing }) => ({ ...parsePlatform(platform), address, missing }))
      .filter((shortage) => network === undefined || shortage.network === network)
      .map(({ driver, network, address, missing }) => ({
        ...{ kind: 'InsufficientToken', driver, address, network, neededTokenEst: missing },
      }));
    return send(reply, 200, status);
  });
}
