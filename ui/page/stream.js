/* The server's events: parts of what is shown, and whether the server is there. */
import { setClock } from './format.js';

const AGAIN_MS = 2000;

/**
 * @param onPart (name, value) of each part that is new
 * @param onLink (isThere) when the server comes and goes
 */
export function follow(url, onPart, onLink) {
  const source = new EventSource(url);
  source.addEventListener('clock', ({ data }) => {
    setClock(Number(data));
    onLink(true);
  });
  source.addEventListener('part', ({ data }) => {
    const { part, value } = JSON.parse(data);
    onPart(part, value);
  });
  source.addEventListener('error', () => {
    onLink(false);
    if (source.readyState !== EventSource.CLOSED) return;
    // The browser has given up: the server refused. A token that it does not take any more is asked for anew.
    setTimeout(async () => {
      const response = await fetch('/api/about').catch(() => undefined);
      if (response?.status === 401) location.reload();
      else follow(url, onPart, onLink);
    }, AGAIN_MS);
  });
}

/** @returns the answer's JSON. @throws Error with the server's message */
export async function get(path, query) {
  const response = await fetch(`${path}?${new URLSearchParams(query)}`);
  const answer = await response.json();
  if (!response.ok) {
    throw Object.assign(new Error(answer.message ?? response.statusText), { status: response.status });
  }
  return answer;
}

export async function post(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? response.statusText);
  return answer;
}
