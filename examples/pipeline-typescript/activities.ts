/** Moves files between the source, the storage and our own disk; none of them passes through Temporal. */
import { ApplicationFailure, cancellationSignal } from '@temporalio/activity';

/** Copies the source, so that what it is later does not matter. */
export async function fetchSource(source: string, snapshot: string): Promise<void> {
  await put(snapshot, await get(source));
}

/** Deals the lines of a file out to the parts. */
export async function split(snapshot: string, parts: string[]): Promise<void> {
  const lines = (await get(snapshot)).split('\n').filter((line) => line !== '');
  await Promise.all(
    parts.map((url, n) => put(url, lines.filter((_, i) => i % parts.length === n).join('\n') + '\n')),
  );
}

export async function publish(report: unknown, url: string): Promise<void> {
  await put(url, JSON.stringify(report));
}

/** Removing what is gone already is fine. */
export async function remove(urls: string[]): Promise<void> {
  await Promise.all(urls.map((url) => request('DELETE', url, undefined, [404])));
}

async function get(url: string): Promise<string> {
  return await (await request('GET', url)).text();
}

async function put(url: string, body: string): Promise<void> {
  await request('PUT', url, body);
}

/** An answer that trying again cannot change is not tried again. */
async function request(
  method: string,
  url: string,
  body?: string,
  alsoFine: number[] = [],
): Promise<Response> {
  const response = await fetch(url, { method, body, signal: cancellationSignal() });
  if (response.ok || alsoFine.includes(response.status)) return response;
  const message = `${method} ${url}: ${response.status} ${await response.text()}`;
  throw ApplicationFailure.create({ message, nonRetryable: response.status < 500, type: 'StorageRefused' });
}
