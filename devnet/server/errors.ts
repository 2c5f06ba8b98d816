/** Errors as yagna answers them; a route throws one and the scope's error handler sends it. */

/** An answer other than success: its status, and its body as text or JSON. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
    readonly contentType = 'application/json',
  ) {
    super(typeof body === 'string' ? body : JSON.stringify(body));
  }
}

/** `{"message": …}`, the common form. */
export function failure(status: number, message: string | null): HttpError {
  return new HttpError(status, { message });
}

/** Plain text, as for query strings and for the bodies of payment and activity. */
export function textFailure(status: number, text: string): HttpError {
  return new HttpError(status, text, 'text/plain; charset=utf-8');
}

/** The allocation errors' own form. */
export function problem(status: number, fields: Record<string, unknown>): HttpError {
  return new HttpError(status, fields, 'application/problem+json');
}

/** A path segment of the wrong shape: JSON in a body that calls itself text. */
export function pathFailure(message: string): HttpError {
  return new HttpError(
    400,
    JSON.stringify({ message: `Path deserialize error: ${message}` }),
    'text/plain; charset=utf-8',
  );
}
