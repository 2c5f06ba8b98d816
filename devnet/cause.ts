/**
 * Why something happens: each effect is recorded with the request, provider or timer that it goes back to. What is
 * started on behalf of one cause (a timer, a VM) keeps it, until somebody else acts on it with a cause of its own.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const causes = new AsyncLocalStorage<string>();

/** Of what nobody asked for: starting, stopping, and what a test does in the devnet's own process. */
const DEVNET = 'devnet';

/** Does something whose effects go back to `cause`. */
export function because<T>(cause: string, action: () => T): T {
  return causes.run(cause, action);
}

/** Such as `createAgreement at node requestor`, `provider steady` or `expiry`. */
export function presentCause(): string {
  return causes.getStore() ?? DEVNET;
}

/** The same action, of which the effects go back to the present cause, whoever has it happen later. */
export function withPresentCause<T>(action: () => T): () => T {
  const cause = causes.getStore();
  return cause === undefined ? action : () => because(cause, action);
}

export function byProvider(name: string): string {
  return `provider ${name}`;
}

/** What the routes of a server do goes back to the request. */
export function requestsAreCauses(app: FastifyInstance, causeOf: (request: FastifyRequest) => string): void {
  // Once the body has been read: before, what comes next would run as the connection's, not the request's.
  app.addHook('preValidation', (request, _reply, next) => because(causeOf(request), next));
}
