/**
 * Who is let in. On loopback: programs and pages of this machine, so the Host header must name it (a page of another
 * site whose name was turned to 127.0.0.1 has its own). Anywhere else: who has the token. Actions only from our own page.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export interface GuardOptions {
  /** Where the server listens is on this machine only. */
  isLoopback: boolean;
  /** Asked for where it is given. */
  token?: string;
}

/** Nothing but what this server has runs or is loaded, and nobody frames it. */
export const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** What the page that asks for the token is made of. */
const OPEN_PATHS = ['/page/page.css', '/page/icon.svg'];
const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]'];

/** @param signIn - answers a person whose browser has no token */
export function guard(
  app: FastifyInstance,
  { isLoopback, token }: GuardOptions,
  signIn: (request: FastifyRequest, reply: FastifyReply) => unknown,
): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(SECURITY_HEADERS);
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    if (isLoopback && !LOOPBACK_HOSTS.includes(host))
      return reply
        .code(403)
        .send({ message: `this page is of this machine only, not of ${host || 'any host'}` });
    const isAction = request.method !== 'GET' && request.method !== 'HEAD';
    // Whoever follows a link to this page comes from anywhere.
    const isVisit = !isAction && request.headers['sec-fetch-mode'] === 'navigate';
    if (!isVisit && !isOwnPage(request))
      return reply.code(403).send({ message: 'other pages are not let in' });
    if (token === undefined || isAllowed(request, token)) return;
    const { pathname, searchParams } = new URL(request.url, 'http://page');
    const given = searchParams.get('token');
    if (request.method === 'GET' && given !== null && isSame(given, token)) {
      searchParams.delete('token');
      const rest = searchParams.size > 0 ? `?${searchParams}` : '';
      // A path that began with two slashes would lead elsewhere.
      return letIn(request, reply, token, `${pathname.replace(/^\/+/, '/')}${rest}`);
    }
    if ((pathname === '/sign-in' && isAction) || OPEN_PATHS.includes(pathname)) return;
    if (request.method === 'GET' && (request.headers.accept ?? '').includes('text/html'))
      return signIn(request, reply);
    return reply.code(401).send({ message: 'a token is needed' });
  });
}

/** Keeps the token in the browser, where no script can read it, and shows the page without it in the address. */
export function letIn(request: FastifyRequest, reply: FastifyReply, token: string, to: string): FastifyReply {
  const cookie = `${cookieName(request)}=${encodeURIComponent(token)}; HttpOnly; SameSite=Strict; Path=/`;
  return reply.header('set-cookie', cookie).redirect(to, 303);
}

/** In a time that tells nothing of how far they are the same. */
export function isSame(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function isAllowed(request: FastifyRequest, token: string): boolean {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined && isSame(bearer, token)) return true;
  const name = cookieName(request);
  const cookies = (request.headers.cookie ?? '').split(/; */);
  const kept = cookies.find((cookie) => cookie.startsWith(`${name}=`))?.slice(name.length + 1);
  return kept !== undefined && isSame(decoded(kept), token);
}

/** A browser does not tell the cookies of one port from those of another. */
function cookieName(request: FastifyRequest): string {
  return `golem_ui_${request.socket.localPort ?? 0}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** A browser says where a request comes from; a program that says nothing is no browser. */
function isOwnPage({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  if (headers.origin === undefined) return true;
  try {
    return new URL(headers.origin).host === headers.host;
  } catch {
    return false;
  }
}
