/** The HTTP server: app keys, empty 404s, and scopes whose bodies stay text until a route reads them. */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Identities } from '../identity';
import { HttpError } from './errors';

const OPEN_PATHS = ['/registry/', '/metrics-api/'];

export function createServer(identities: Identities): FastifyInstance {
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    bodyLimit: 64 * 1024 * 1024,
    routerOptions: { maxParamLength: 200 },
  });
  app.decorateRequest('requestorId', '');
  app.addHook('onRequest', (request, reply, next) => {
    const path = request.url;
    if (
      path === '/version/get' ||
      path.startsWith('/version/get?') ||
      OPEN_PATHS.some((open) => path.startsWith(open))
    ) {
      return next();
    }
    const key = appKey(request);
    const requestorId = key === undefined ? undefined : identities.ofAppKey(key);
    if (requestorId === undefined) {
      reply
        .code(401)
        .header('content-type', 'text/plain; charset=utf-8')
        .send(key === undefined ? 'Missing application key' : 'Invalid application key');
      return;
    }
    request.requestorId = requestorId;
    next();
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send());
  return app;
}

function appKey(request: FastifyRequest): string | undefined {
  const match = /^Bearer\s+(.*)$/i.exec(request.headers.authorization ?? '');
  if (match) return match[1];
  const token = (request.query as Record<string, unknown>)['authToken'];
  return typeof token === 'string' ? token : undefined;
}

/** Routes whose JSON bodies arrive as text, and whose {@link HttpError}s are answered as they say. */
export function yagnaScope(app: FastifyInstance, routes: (scope: FastifyInstance) => void): void {
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, parsed) => parsed(null, body));
    scope.setErrorHandler((error, _request, reply) => {
      if (error instanceof HttpError) return send(reply, error.status, error.body, error.contentType);
      const message = error instanceof Error ? error.message : String(error);
      return send(reply, 500, { message: `Internal error: ${message}` });
    });
    routes(scope);
    done();
  });
}

/** Sends JSON, or text when the content type says so, or nothing when there is no body. */
export function send(
  reply: FastifyReply,
  status: number,
  body: unknown,
  contentType = 'application/json',
): FastifyReply {
  if (body === undefined) return reply.code(status).send();
  const text = typeof body === 'string' && !contentType.includes('json') ? body : JSON.stringify(body);
  // As bytes, because fastify adds a charset to textual JSON, and yagna's has none.
  return reply.code(status).header('content-type', contentType).send(Buffer.from(text));
}
