/** Requests by their path, as a fault may be armed on them: `GET /registry/*`, or `/registry/*` for every method. */

export const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'] as const;

export type RequestPattern = `/${string}` | `${(typeof METHODS)[number]} /${string}`;

export interface RequestLine {
  method: string;
  /** Without the query. */
  path: string;
}

/** Whether this is meant as a pattern, be it a good one or not: no operation has a slash in its name. */
export function isPattern(on: string): on is RequestPattern {
  return on.includes('/');
}

/** What is wrong with a pattern. */
export function problemOf(pattern: string): string | undefined {
  const [method, path] = parts(pattern);
  if (method !== undefined && !(METHODS as readonly string[]).includes(method))
    return `"${method}" is no method; give one of ${METHODS.join(', ')}, or none for all`;
  if (!path.startsWith('/')) return `a path begins with "/", not as "${path}" does`;
  if (/[\s?#]/.test(path)) return `"${path}" is more than a path: give it without a query`;
  if (/[{}]|\/:/.test(path)) return `"${path}" has a placeholder: write * for a part that differs`;
  return undefined;
}

/** `*` stands for any text, slashes too. Takes one pass over the path, whatever the pattern. */
export function matchesRequest(pattern: string, request: RequestLine): boolean {
  const [method, path] = parts(pattern);
  if (method !== undefined && method !== request.method) return false;
  const [first = '', ...rest] = path.split('*');
  const last = rest.pop();
  if (last === undefined) return request.path === first;
  const end = request.path.length - last.length;
  if (end < first.length || !request.path.startsWith(first) || !request.path.endsWith(last)) return false;
  let from = first.length;
  for (const text of rest) {
    const found = request.path.indexOf(text, from);
    if (found < 0 || found + text.length > end) return false;
    from = found + text.length;
  }
  return true;
}

function parts(pattern: string): [string | undefined, string] {
  const space = pattern.indexOf(' ');
  return space < 0 ? [undefined, pattern] : [pattern.slice(0, space), pattern.slice(space + 1)];
}
