/** What goes wrong between us and yagna is told apart by what it may have done there; keys never show. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { Connections, toFailure, YagnaError, type Yagna } from '../activities/yagna';
import { Transport } from '../activities/yagna/transport';
import { freePort } from '../cli/free-port';
import { respond, startFakeYagna, type FakeYagna } from './support/recorded-yagna';
import { tempDir } from './support/temp-dir';

const APP_KEY = 'a-key-that-must-not-show';
const dir = tempDir('connections');
let fake: FakeYagna;
let yagna: Yagna;

beforeEach(async () => {
  fake = await startFakeYagna();
  yagna = new Connections({ YAGNA_APPKEY: APP_KEY, YAGNA_API_URL: fake.url }).get();
});
afterEach(() => fake.close());

async function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it should have failed');
    },
    (reason: unknown) => reason,
  );
}

async function failing(promise: Promise<unknown>): Promise<YagnaError> {
  const error = await caught(promise);
  if (!(error instanceof YagnaError)) throw new Error(`no YagnaError but ${String(error)}`);
  expect(error.message + error.detail + String(error.stack)).not.toContain(APP_KEY);
  expect(error.message).not.toContain('\n');
  return error;
}

describe('no answer', () => {
  test('a refused connection certainly had no effect', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const away = new Connections({ YAGNA_APPKEY: APP_KEY, YAGNA_API_URL: url }).get();
    const error = await failing(away.subscribeDemand({ properties: {}, constraints: '' }));
    expect(error).toMatchObject({ kind: 'unreachable', certainlyNoEffect: true });
    expect(error.message).toMatch(/connection default.*POST \/market-api\/v1\/demands.*ECONNREFUSED/);
    expect(toFailure(error)).toMatchObject({ type: 'YagnaUnavailable', nonRetryable: false });
  });

  test('a name that does not exist certainly had no effect', async () => {
    const url = 'http://yagna.invalid:7465';
    const away = new Connections({ YAGNA_APPKEY: APP_KEY, YAGNA_API_URL: url }).get();
    expect(await failing(away.me())).toMatchObject({ kind: 'unreachable', certainlyNoEffect: true });
  });

  test('a connection reset before the answer leaves the effect unknown', async () => {
    fake.answer = (_, response) => response.socket?.resetAndDestroy();
    const error = await failing(yagna.subscribeDemand({ properties: {}, constraints: '' }));
    expect(error).toMatchObject({ kind: 'lost', certainlyNoEffect: false });
    expect(toFailure(error)).toMatchObject({ type: 'YagnaUnavailable', nonRetryable: false });
  });

  test('a connection reset within the answer leaves the effect unknown', async () => {
    fake.answer = (_, response) => {
      response.writeHead(201, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('"b22c', () => response.socket?.resetAndDestroy());
    };
    const error = await failing(yagna.subscribeDemand({ properties: {}, constraints: '' }));
    expect(error).toMatchObject({ kind: 'lost', certainlyNoEffect: false });
  });

  test('a silent yagna is given up, and the request with it', async () => {
    const endpoint = { url: fake.url, appKey: APP_KEY };
    const transport = new Transport('default', { endpoint: () => endpoint, failed: () => undefined });
    const hungUp = new Promise<void>((resolve) => {
      fake.answer = (_, response) => response.on('close', resolve);
    });
    const error = await failing(transport.send({ method: 'GET', path: '/me' }, { timeoutMs: 100 }));
    expect(error).toMatchObject({ kind: 'lost', certainlyNoEffect: false });
    await hungUp;
  });

  test('an abort ends the request and is no failure of yagna', async () => {
    const abort = new AbortController();
    const reason = new CancelledFailure('cancelled by the user');
    const hungUp = new Promise<void>((resolve) => {
      fake.answer = (_, response) => {
        response.on('close', resolve);
        abort.abort(reason);
      };
    });
    expect(await caught(yagna.demandEvents('d', { timeoutSec: 60 }, abort.signal))).toBe(reason);
    await hungUp;
    expect(await caught(yagna.me(abort.signal))).toBe(reason);
    expect(fake.requests).toHaveLength(1);
    expect(toFailure(new DOMException('stop', 'AbortError'))).toBeInstanceOf(CancelledFailure);
  });
});

describe('answers that are errors', () => {
  const gsb = { message: 'GSB error: Remote service at `/net/x` error: endpoint address not found' };
  test.each([
    [408, { message: 'Timeout' }, 'timeout', 'YagnaUnavailable', false],
    [504, undefined, 'timeout', 'YagnaUnavailable', false],
    [500, { message: 'Service error: broken' }, 'server', 'YagnaUnavailable', false],
    [503, undefined, 'server', 'YagnaUnavailable', false],
    [500, gsb, 'gone', 'YagnaUnavailable', true],
    [410, { message: 'already ended' }, 'gone', 'YagnaIncompatible', true],
    [404, { message: null }, 'notFound', 'YagnaIncompatible', true],
    [
      500,
      { message: 'DAO error: Not found: agreement id for activity: f' },
      'notFound',
      'YagnaIncompatible',
      true,
    ],
    [409, { message: 'second' }, 'conflict', 'YagnaIncompatible', true],
    [400, { message: 'bad' }, 'badRequest', 'YagnaIncompatible', true],
    [501, { message: null }, 'server', 'YagnaUnavailable', true],
    [302, undefined, 'incompatible', 'YagnaIncompatible', false],
  ])('%d %j is %s', async (status, body, kind, type, certainlyNoEffect) => {
    fake.answer = (_, response) => respond(response, status, body);
    const error = await failing(yagna.me());
    expect(error).toMatchObject({ kind, status, certainlyNoEffect });
    expect(toFailure(error)).toMatchObject({ type, message: error.message });
  });

  test('plain text is as good as JSON', async () => {
    fake.answer = (_, response) =>
      respond(response, 400, 'Json deserialize error:\n missing field', 'text/plain; charset=utf-8');
    expect((await failing(yagna.me())).detail).toBe('Json deserialize error: missing field');
  });

  test('plain text that is called JSON too', async () => {
    fake.answer = (_, response) => {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end('not really JSON');
    };
    expect((await failing(yagna.me())).detail).toBe('not really JSON');
  });

  test('other errors become failures, and failures stay what they are', () => {
    const failure = ApplicationFailure.create({ type: 'VmLost', message: 'gone' });
    expect(toFailure(failure)).toBe(failure);
    expect(toFailure(new Error('a bug'))).toMatchObject({ message: 'a bug' });
    expect(toFailure('text')).toMatchObject({ message: 'text' });
  });
});

describe('answers that cannot be read', () => {
  test('name what is missing', async () => {
    fake.answer = (_, response) => respond(response, 200, { identity: '0x1' });
    const error = await failing(yagna.me());
    expect(error).toMatchObject({ kind: 'incompatible', detail: 'unreadable answer: name is missing' });
    expect(toFailure(error)).toMatchObject({ type: 'YagnaIncompatible', nonRetryable: true });
  });

  test('name what is wrong, with its place in a list', async () => {
    fake.answer = (_, response) => respond(response, 200, [{ id: 'a', role: 'Requestor' }, { id: 5 }]);
    expect((await failing(yagna.agreements())).detail).toMatch(/1\.id: .*string.*; 1\.role is missing/);
  });

  test('broken JSON and text where JSON belongs', async () => {
    fake.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{');
    };
    expect((await failing(yagna.me())).kind).toBe('incompatible');
    fake.answer = (_, response) => respond(response, 200, '<html>', 'text/html');
    expect((await failing(yagna.me())).kind).toBe('incompatible');
  });
});

describe('connections', () => {
  const me = { identity: '0x1', name: 'me' };
  const unknown = (name: string, env: Record<string, string>) => {
    try {
      new Connections(env).get(name);
    } catch (error) {
      return error as ApplicationFailure;
    }
    throw new Error('it should have failed');
  };

  test('a connection the worker lacks is named, and what it has', () => {
    expect(unknown('default', {})).toMatchObject({
      type: 'UnknownConnection',
      nonRetryable: true,
      message: expect.stringMatching(/"default"; it has none\. Set YAGNA_APPKEY/) as string,
    });
    const env = { YAGNA_APPKEY: APP_KEY };
    expect(unknown('other', env).message).toMatch(/"other"; it has default\. Add it to/);
    expect(unknown('constructor', env).type).toBe('UnknownConnection');
  });

  test('mistakes in the settings are named without the key', async () => {
    const file = join(dir, 'mistakes.json');
    for (const content of [
      `{ "one": { "url": "http://127.0.0.1:1", "appKey": "${APP_KEY}\\n" } }`,
      `{ "one": { "url": "somewhere", "appKey": "${APP_KEY}" } }`,
      `{ "one": { "appKey": "${APP_KEY}" `,
    ]) {
      writeFileSync(file, content);
      const failure = unknown('one', { GOLEM_CONNECTIONS: file });
      expect(failure.type).toBe('UnknownConnection');
      expect(failure.message).toContain(file);
      expect(failure.message).not.toContain(APP_KEY);
    }
    expect(unknown('one', { GOLEM_CONNECTIONS: join(dir, 'none.json') }).message).toMatch(
      /none\.json\): there is no such file$/,
    );
    expect(unknown('default', { YAGNA_APPKEY: `${APP_KEY}\n` }).message).not.toContain(APP_KEY);
    await Promise.resolve();
  });

  test('the file is read again for a new name, when yagna has moved, and when the key is refused', async () => {
    const file = join(dir, 'connections.json');
    const write = (connections: object) => writeFileSync(file, JSON.stringify(connections));
    const old = `http://127.0.0.1:${await freePort()}`;
    write({});
    const connections = new Connections({ GOLEM_CONNECTIONS: file });
    write({ moved: { url: old, appKey: 'old' } });
    const moved = connections.get('moved');
    expect(connections.get('moved')).toBe(moved);
    write({ moved: { url: `${fake.url}/`, appKey: 'old' } });
    expect((await failing(moved.me())).kind).toBe('unreachable');
    fake.answer = (request, response) =>
      request.headers.authorization === 'Bearer new'
        ? respond(response, 200, me)
        : respond(response, 401, 'Invalid application key', 'text/plain');
    write({ moved: { url: fake.url, appKey: 'new' } });
    fake.requests.length = 0;
    expect(await moved.me()).toEqual(me);
    expect(fake.requests).toHaveLength(2);
    write({ moved: { url: fake.url, appKey: 'wrong' } });
    fake.answer = (_, response) => respond(response, 401, 'Invalid application key', 'text/plain');
    fake.requests.length = 0;
    expect((await failing(moved.me())).kind).toBe('unauthorized');
    expect((await failing(moved.me())).kind).toBe('unauthorized');
    expect(fake.requests).toHaveLength(3);
    writeFileSync(file, '{ half');
    fake.answer = (_, response) => response.socket?.resetAndDestroy();
    expect((await failing(moved.me())).kind).toBe('lost');
    fake.answer = (_, response) => respond(response, 200, me);
    expect(await moved.me()).toEqual(me);
  });

  test("its time is yagna's as its answers tell it", async () => {
    const clocks = new Connections({ YAGNA_APPKEY: APP_KEY, YAGNA_API_URL: fake.url }).get();
    const theirs = Date.now() + 3_600_000;
    fake.answer = (_, response) => {
      response.setHeader('date', new Date(theirs).toUTCString());
      respond(response, 200, me);
    };
    await clocks.me();
    expect(clocks.now()).toBeGreaterThan(theirs - 1000);
    expect(clocks.now()).toBeLessThan(theirs + 600_000);
  });

  test('one yagna and one set of streams for each name', () => {
    const connections = new Connections({ YAGNA_APPKEY: APP_KEY });
    expect(connections.get()).toBe(connections.get('default'));
    expect(connections.streams()).toBe(connections.streams('default'));
    expect(connections.get().connection).toBe('default');
  });
});
