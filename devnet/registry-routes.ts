/** A stand-in for Golem's image registry: every `golem/*` tag exists, with a hash that follows from the tag. */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { HttpError, textFailure } from './server/errors';
import { send, yagnaScope } from './server/http';

const HASH = /^[0-9a-f]{56}$/;

/** @param baseUrl the devnet's own URL, known once it listens. */
export function registryRoutes(app: FastifyInstance, baseUrl: () => string): void {
  yagnaScope(app, (scope) => {
    scope.get('/registry/v1/image/info', (request, reply) => {
      const { tag, hash } = request.query as { tag?: string; hash?: string };
      const sha3 = tag === undefined ? hash : hashOfTag(tag);
      if (sha3 === undefined || !HASH.test(sha3)) throw textFailure(404, 'Image not found');
      const url = `${baseUrl()}/registry/download/${sha3}`;
      // The stand-in has no TLS, so both addresses are the same.
      return send(reply, 200, { http: url, https: url, sha3 });
    });

    scope.get('/registry/download/:hash', (request, reply) => {
      const { hash } = request.params as { hash: string };
      if (!HASH.test(hash)) throw new HttpError(404, { message: 'Image not found' });
      return reply
        .code(200)
        .header('content-type', 'application/octet-stream')
        .send(`devnet image ${hash}\n`);
    });
  });
}

function hashOfTag(tag: string): string | undefined {
  const match = /^golem\/[a-z0-9][a-z0-9._-]*(?::([A-Za-z0-9._-]+))?$/.exec(tag);
  if (!match) return undefined;
  return createHash('sha3-224')
    .update(match[1] === undefined ? `${tag}:latest` : tag)
    .digest('hex');
}
