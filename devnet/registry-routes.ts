/**
 * A stand-in for Golem's image registry. It knows the well-known tags, and those that it is told of, each with a hash
 * that follows from the tag; others are not found, so that a misspelt tag is noticed before the real network is asked.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { HttpError, textFailure } from './server/errors';
import { send, yagnaScope } from './server/http';

const HASH = /^[0-9a-f]{56}$/;

/** Repositories of `golem/`; each has the tag `latest` and every tag that begins with a version, as `20-alpine`. */
const WELL_KNOWN = ['alpine', 'blender', 'debian', 'node', 'python', 'ray-on-golem', 'ubuntu'];
const WELL_KNOWN_TAG = new RegExp(`^golem/(${WELL_KNOWN.join('|')}):(latest|\\d[A-Za-z0-9._-]*)$`);

/**
 * @param baseUrl the devnet's own URL, known once it listens
 * @param images tags that exist beside the well-known ones, such as `me/renderer:v2`; without a version, `latest`
 */
export function registryRoutes(app: FastifyInstance, baseUrl: () => string, images: readonly string[]): void {
  const more = new Set(images.map(withVersion));

  function hashOfTag(asked: string): string | undefined {
    const tag = withVersion(asked);
    if (!WELL_KNOWN_TAG.test(tag) && !more.has(tag)) return undefined;
    return createHash('sha3-224').update(tag).digest('hex');
  }

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

function withVersion(tag: string): string {
  return tag.includes(':') ? tag : `${tag}:latest`;
}
