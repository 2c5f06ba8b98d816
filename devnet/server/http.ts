/** The HTTP server: app keys, empty 404s, and scopes whose bodies stay text until a route reads them. */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Identities } from '../identity';
import { HttpError, textFailure } from './errors';
import { acceptUpgrades } from './upgrades';

const OPEN_PATHS = ['/registry/', '/metrics-api/'];
/** Longest body of a request. */
const BODY_LIMIT_MIB = 8;

export function createServer(identities: Identities): FastifyInstance {
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    bodyLimit: BODY_LIMIT_MIB * 1024 * 1024,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (error, _request, reply) => refusePath(error.code, reply as unknown as FastifyReply),
  });
  acceptUpgrades(app);
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

function refusePath(code: string, reply: FastifyReply): void {
  const isTooLong = code === 'FST_ERR_MAX_PARAM_LENGTH';
  void reply
    .code(isTooLong ? 414 : 400)
    .header('content-type', 'text/plain; charset=utf-8')
    .send(isTooLong ? 'A part of the path is too long' : 'The path is not well encoded');
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
      const known =
        error instanceof HttpError ? error : refusal(error as { code?: string; statusCode?: number });
      if (known) return send(reply, known.status, known.body, known.contentType);
      const message = error instanceof Error ? error.message : String(error);
      return send(reply, 500, { message: `Internal error: ${message}` });
    });
    routes(scope);
    done();
  });
}

/** What the server itself refuses, in the words of yagna's. */
function refusal({ code, statusCode = 500 }: { code?: string; statusCode?: number }): HttpError | undefined {
  if (statusCode === 413)
    return textFailure(413, `Payload too large: a body has ${BODY_LIMIT_MIB} MiB at most`);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return textFailure(400, 'Content type error');
  return statusCode < 500 ? textFailure(statusCode, 'Bad request') : undefined;
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
