/** Who is who: one requestor identity for each app key, kept over restarts; and the routes /version and /me. */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { hexId } from './clock';
import type { Database } from './contract';
import { send, yagnaScope } from './server/http';

/** The yagna whose behaviour the devnet shows. */
export const YAGNA_VERSION = '0.17.6';

export class Identities {
  private readonly byKey = new Map<string, string>();

  constructor(database: Database, appKeys: readonly string[]) {
    const select = database.prepare('SELECT node_id FROM identity WHERE key_hash = ?');
    const insert = database.prepare('INSERT INTO identity (key_hash, node_id) VALUES (?, ?)');
    for (const key of appKeys) {
      const hash = createHash('sha256').update(key).digest('hex');
      const row = select.get(hash) as { node_id: string } | undefined;
      const nodeId = row?.node_id ?? `0x${hexId(20)}`;
      if (!row) insert.run(hash, nodeId);
      this.byKey.set(key, nodeId);
    }
  }

  ofAppKey(key: string): string | undefined {
    return this.byKey.get(key);
  }

  isLocal(nodeId: string): boolean {
    return [...this.byKey.values()].includes(nodeId.toLowerCase());
  }
}

/** A provider's node id follows from its name, so that lists of allowed providers can be written down. */
export function providerNodeId(name: string): string {
  return `0x${createHash('sha256').update(`devnet provider ${name}`).digest('hex').slice(0, 40)}`;
}

export function identityRoutes(app: FastifyInstance): void {
  const version = {
    current: {
      version: YAGNA_VERSION,
      name: 'devnet',
      seen: true,
      releaseTs: '2015-10-13T15:43:00',
      insertionTs: '2026-11-22T04:44:13',
      updateTs: '2026-11-22T04:44:13',
    },
    pending: null,
  };
  yagnaScope(app, (scope) => {
    scope.get('/version/get', (_request, reply) => send(reply, 200, version));
    scope.get('/me', (request, reply) =>
      send(reply, 200, { identity: request.requestorId, name: 'autoconfigured', role: 'manager' }),
    );
  });
}
