/** /admin: what happened and what is still open, for tests that prove that nothing leaked. Loopback clients only. */
import type { FastifyInstance } from 'fastify';
import type { VmHost } from './contract';
import type { Effects } from './effects';
import type { Agreements } from './market/agreements';
import type { DemandBook } from './market/book';
import type { Allocations } from './payment/allocations';
import { send, yagnaScope } from './server/http';
import { Query } from './server/input';
import { waitFor } from './server/long-poll';

export interface AdminSources {
  effects: Effects;
  allocations: Allocations;
  book: DemandBook;
  agreements: Agreements;
  vms: VmHost;
}

export function adminRoutes(
  app: FastifyInstance,
  { effects, allocations, book, agreements, vms }: AdminSources,
): void {
  yagnaScope(app, (scope) => {
    scope.addHook('onRequest', (request, reply, next) => {
      if (/^(::ffff:)?127\.|^::1$/.test(request.ip)) next();
      else reply.code(404).send();
    });

    // `after`: only later ones; `kind`: comma-separated; `timeout`: seconds to wait for the first one.
    scope.get('/admin/effects', async (request, reply) => {
      const query = new Query(request);
      const after = query.integer('after') ?? 0;
      const kinds = query.text('kind')?.split(',') ?? [];
      const found = await waitFor(effects.stream, reply, query.number('timeout', 0), () => {
        const list = effects.after(after, kinds);
        return list.length === 0 ? undefined : list;
      });
      return send(reply, 200, found ?? []);
    });

    scope.get('/admin/open', (_request, reply) => {
      const open = {
        allocations: allocations.live().map(({ id }) => id),
        demands: book.live().map(({ id }) => id),
        agreements: agreements.live().map(({ id, state }) => ({ id, state })),
        activities: vms.liveActivities(),
      };
      const counts = Object.fromEntries(Object.entries(open).map(([name, list]) => [name, list.length]));
      return send(reply, 200, { counts, ...open });
    });
  });
}
