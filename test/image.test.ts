/** Where the image of a job is found: in the Golem registry, or at a URL of the user's own. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApplicationFailure } from '@temporalio/common';
import { resolveImage } from '../activities/image';

const HASH = 'd73cc921276b01be2abe29596997cd92ad0a8a50566d4925c743bcd8';
const DOWNLOAD = `http://registry.golem.network/download/${HASH}`;
const INFO = JSON.stringify({ sha3: HASH, http: DOWNLOAD, https: DOWNLOAD.replace('http:', 'https:') });

let server: Server;
let base: string;
let requests: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  requests = [];
  answer = (_, response) => response.end(INFO);
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function failureOf(promise: Promise<unknown>): Promise<ApplicationFailure> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApplicationFailure)) throw new Error(`no failure but ${String(error)}`);
  return error;
}

const tag = { tag: 'golem/alpine:latest', label: 'golem/alpine:latest' };

test('a tag is looked up as the JavaScript SDK does', async () => {
  expect(await resolveImage(tag, { registryUrl: `${base}/registry/` })).toEqual({
    taskPackage: `hash:sha3:${HASH}:${DOWNLOAD}`,
    label: 'golem/alpine:latest',
  });
  expect(requests).toEqual(['/registry/v1/image/info?count=true&tag=golem/alpine:latest']);
});

test('a hash is looked up for its address', async () => {
  const image = await resolveImage({ hash: HASH, label: HASH }, { registryUrl: base });
  expect(image.taskPackage).toBe(`hash:sha3:${HASH}:${DOWNLOAD}`);
  expect(requests).toEqual([`/v1/image/info?count=true&hash=${HASH}`]);
});

test('a URL with its hash asks nobody', async () => {
  const url = `${base}/image.gvmi`;
  expect(await resolveImage({ url, hash: HASH, label: url }, { registryUrl: base })).toEqual({
    taskPackage: `hash:sha3:${HASH}:${url}`,
    label: url,
  });
  expect(requests).toEqual([]);
});

test('a URL without a hash is downloaded once for it', async () => {
  const file = Buffer.alloc(300_000, 'golem');
  answer = (_, response) => response.end(file);
  const url = `${base}/image.gvmi`;
  const image = await resolveImage({ url, label: url });
  expect(image.taskPackage).toBe(`hash:sha3:${createHash('sha3-224').update(file).digest('hex')}:${url}`);
  expect(requests).toEqual(['/image.gvmi']);
});

test.each([404, 400])(
  'an image that the registry does not know (%d) is not asked for again',
  async (status) => {
    answer = (_, response) => response.writeHead(status).end('no such tag\nat all');
    const failure = await failureOf(resolveImage(tag, { registryUrl: base }));
    expect(failure).toMatchObject({ type: 'ImageNotFound', nonRetryable: true });
    expect(failure.message).toContain('"golem/alpine:latest"');
    expect(failure.message).toContain(`(${status} no such tag)`);
  },
);

test('a URL at which nothing is is not asked for again', async () => {
  answer = (_, response) => response.writeHead(404).end();
  const url = `${base}/image.gvmi`;
  expect(await failureOf(resolveImage({ url, label: url }))).toMatchObject({
    type: 'ImageNotFound',
    nonRetryable: true,
  });
});

test.each([500, 503, 429])('a registry in trouble (%d) is asked again', async (status) => {
  answer = (_, response) => response.writeHead(status).end('later');
  expect(await failureOf(resolveImage(tag, { registryUrl: base }))).toMatchObject({
    type: 'RegistryUnavailable',
    nonRetryable: false,
    message: `the Golem registry at ${base} answered ${status} later`,
  });
});

test.each([
  ['<html>sign in</html>'],
  ['{}'],
  [JSON.stringify({ sha3: 'abc', http: DOWNLOAD })],
  [JSON.stringify({ sha3: HASH, http: 'ftp://x' })],
])('an answer that makes no sense (%s) is asked for again', async (body) => {
  answer = (_, response) => response.end(body);
  expect(await failureOf(resolveImage(tag, { registryUrl: base }))).toMatchObject({
    type: 'RegistryUnavailable',
    nonRetryable: false,
    message: expect.stringContaining('unreadable') as unknown,
  });
});

test('a registry that cannot be reached, or hangs up, is asked again', async () => {
  answer = (request) => request.socket.destroy();
  const hungUp = await failureOf(resolveImage(tag, { registryUrl: base }));
  expect(hungUp).toMatchObject({ type: 'RegistryUnavailable', nonRetryable: false });
  expect(hungUp.message).toMatch(/did not answer: /);

  answer = (_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('part');
    response.on('close', () => undefined);
    response.destroy();
  };
  const url = `${base}/image.gvmi`;
  expect(await failureOf(resolveImage({ url, label: url }))).toMatchObject({ type: 'RegistryUnavailable' });

  await new Promise((resolve) => server.close(resolve));
  const refused = await failureOf(resolveImage(tag, { registryUrl: base }));
  expect(refused).toMatchObject({ type: 'RegistryUnavailable', nonRetryable: false });
  expect(refused.message).toContain('ECONNREFUSED');
});

test('a cancelled look-up ends at once, as a cancellation', async () => {
  const controller = new AbortController();
  answer = () => controller.abort(new Error('cancelled by the caller'));
  await expect(resolveImage(tag, { registryUrl: base, signal: controller.signal })).rejects.toThrow(
    'cancelled by the caller',
  );
});

test('without a registry of its own the public one is asked', async () => {
  const asked: string[] = [];
  const fetched = ((url: string) => {
    asked.push(url);
    return Promise.resolve(new Response(INFO));
  }) as typeof fetch;
  await resolveImage(tag, { fetch: fetched });
  expect(asked).toEqual(['https://registry.golem.network/v1/image/info?count=true&tag=golem/alpine:latest']);
});
