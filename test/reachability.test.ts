/** That a yagna is away, or refuses the key, is told once, not by everybody who waits; and app keys are in no words of ours. */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { ToldFailures } from '../activities/told-failures';
import { attempt, RENTED } from '../activities/attempt';
import { Connections, MIN_YAGNA, supportedVersion, YagnaError } from '../activities/yagna';
import { Reachability } from '../activities/yagna/reachability';
import { redacted } from '../activities/yagna/redact';
import { backoffMs, YAGNA_BACKOFF } from '../model/backoff';
import { respond, startFakeYagna, type FakeYagna } from './support/recorded-yagna';

const URL = 'http://127.0.0.1:7465';

describe('a connection', () => {
  let nowMs: number;
  let lines: string[];
  let connection: Reachability;
  beforeEach(() => {
    nowMs = 1_000_000;
    lines = [];
    connection = new Reachability(
      'default',
      ({ line }) => lines.push(line),
      () => nowMs,
    );
  });
  const refusedToConnect = new YagnaError({
    ...{ kind: 'unreachable', call: 'GET /me', detail: 'cannot connect' },
    unanswered: 'ECONNREFUSED',
  });
  const reset = new YagnaError({
    ...{ kind: 'lost', call: 'GET /me', detail: 'connection was lost' },
    unanswered: 'ECONNRESET',
  });
  const slow = new YagnaError({
    ...{ kind: 'lost', call: 'GET /me', detail: 'no answer', timedOut: true },
    unanswered: 'no answer within 15 s',
  });
  const wrongKey = new YagnaError({ kind: 'unauthorized', call: 'GET /me', status: 401, detail: 'Invalid' });
  const silentProvider = new YagnaError({
    kind: 'timeout',
    call: 'GET /state',
    status: 408,
    detail: 'Timeout',
  });

  test('says that nobody listens, once, and for how long it was so', () => {
    connection.answered(URL);
    expect(lines).toEqual([]);
    nowMs += 10_000;
    expect(connection.upForMs).toBe(10_000);
    for (let i = 0; i < 100; i++) connection.failed(URL, refusedToConnect, nowMs);
    expect(connection.upForMs).toBe(0);
    nowMs += 35_000;
    for (let i = 0; i < 100; i++) connection.answered('http://127.0.0.1:7000');
    expect(lines).toEqual([
      'connection default: yagna at http://127.0.0.1:7465 does not answer (ECONNREFUSED); waiting for it',
      'connection default: yagna at http://127.0.0.1:7000 answers again after 35 s',
    ]);
  });

  test('says at its very first request that it is not there', () => {
    connection.failed(URL, reset, nowMs);
    expect(lines).toHaveLength(1);
  });

  test.each([
    ['reset', reset],
    ['unanswered', slow],
  ])('makes nothing of one request that is %s, nor of many at the same time', (_, lost) => {
    connection.answered(URL);
    const startedMs = nowMs;
    nowMs += 1000;
    for (let i = 0; i < 10; i++) connection.failed(URL, lost, startedMs);
    connection.answered(URL);
    nowMs += 1000;
    connection.failed(URL, lost, nowMs);
    expect(lines).toEqual([]);
    nowMs += 1000;
    connection.failed(URL, lost, nowMs);
    expect(lines).toHaveLength(1);
    connection.failed(URL, lost, nowMs);
    expect(lines).toHaveLength(1);
  });

  test('is there when it is a provider that does not answer', () => {
    connection.failed(URL, silentProvider, nowMs);
    connection.failed(URL, silentProvider, nowMs);
    expect(lines).toEqual([]);
    connection.failed(URL, refusedToConnect, nowMs);
    connection.failed(URL, silentProvider, nowMs);
    expect(lines).toHaveLength(2);
  });

  test('says once that the key is refused, and that it is taken again', () => {
    for (let i = 0; i < 10; i++) connection.failed(URL, wrongKey, nowMs);
    // Its version yagna tells everybody.
    connection.answered(URL, false);
    nowMs += 5000;
    connection.answered(URL);
    connection.answered(URL);
    expect(lines).toEqual([
      'connection default: yagna at http://127.0.0.1:7465 refuses the app key (401): Invalid; give the worker a valid one',
      'connection default: yagna at http://127.0.0.1:7465 takes the app key again after 5 s',
    ]);
  });
});

describe('retries', () => {
  const failing = async (number: number, error: unknown, options = {}): Promise<ApplicationFailure> => {
    const environment = new MockActivityEnvironment(
      { attempt: number },
      { logger: new DefaultLogger('ERROR') },
    );
    const failed: unknown = await environment
      .run(() => attempt(() => Promise.reject(error as Error), options))
      .catch((reason: unknown) => reason);
    if (!(failed instanceof ApplicationFailure)) throw new Error('it should have failed');
    return failed;
  };
  const away = new YagnaError({
    ...{ kind: 'unreachable', call: 'GET /me', detail: 'cannot connect' },
    unanswered: 'ECONNREFUSED',
  });
  const odd = new YagnaError({ kind: 'server', call: 'GET /me', status: 500, detail: 'odd' });
  const { BENIGN } = ApplicationFailureCategory;

  test('come after half a second, doubling to half a minute, the upper half of it random', async () => {
    expect(backoffMs(0, YAGNA_BACKOFF, () => 0)).toBe(250);
    expect(backoffMs(3, YAGNA_BACKOFF, () => 1)).toBe(4000);
    expect(backoffMs(1_000_000, YAGNA_BACKOFF, () => 0)).toBe(15_000);
    const delays = await Promise.all(
      Array.from({ length: 20 }, async () => Number((await failing(7, away)).nextRetryDelay)),
    );
    expect(new Set(delays).size).toBeGreaterThan(1);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(15_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(30_000);
  });

  test('are no lines in the log: of an absence the connection tells, of anything else the first attempt', async () => {
    expect((await failing(1, away)).category).toBe(BENIGN);
    expect((await failing(1, odd)).category).not.toBe(BENIGN);
    expect((await failing(2, odd)).category).toBe(BENIGN);
  });

  test('nor are those which a workflow makes by a new activity each time', async () => {
    const busy = new YagnaError({ kind: 'server', call: 'GET /me', status: 500, detail: 'busy' });
    const other = new YagnaError({ kind: 'server', call: 'GET /me', status: 500, detail: 'broken' });
    expect((await failing(1, busy)).category).not.toBe(BENIGN);
    const again = await failing(1, busy);
    expect(again.category).toBe(BENIGN);
    expect(again).toMatchObject({ type: 'YagnaUnavailable', nonRetryable: false });
    expect(Number(again.nextRetryDelay)).toBeGreaterThan(0);
    expect((await failing(1, other)).category).not.toBe(BENIGN);
  });

  test('but what lasts is told again each hour', () => {
    let now = 0;
    const told = new ToldFailures(() => now);
    expect(told.isNews('job', 'activity', 'busy')).toBe(true);
    now = 3_599_999;
    expect(told.isNews('job', 'activity', 'busy')).toBe(false);
    expect(told.isNews('another', 'activity', 'busy')).toBe(true);
    now = 3_600_000;
    expect(told.isNews('job', 'activity', 'busy')).toBe(true);
  });

  test('are for what they can help: a refused key only where something is rented', async () => {
    const wrongKey = new YagnaError({
      kind: 'unauthorized',
      call: 'GET /me',
      status: 401,
      detail: 'Invalid',
    });
    const foreign = new YagnaError({
      kind: 'unauthorized',
      call: 'GET /me',
      status: 403,
      detail: 'Forbidden',
    });
    expect(await failing(1, wrongKey)).toMatchObject({ type: 'YagnaUnauthorized', nonRetryable: true });
    expect(await failing(1, wrongKey, RENTED)).toMatchObject({
      type: 'YagnaUnauthorized',
      nonRetryable: false,
    });
    expect(await failing(1, foreign, RENTED)).toMatchObject({
      type: 'YagnaUnauthorized',
      nonRetryable: true,
    });
    expect((await failing(1, wrongKey)).category).toBe(BENIGN);
  });
});

describe('a yagna', () => {
  let fake: FakeYagna;
  beforeEach(async () => {
    fake = await startFakeYagna();
  });
  afterEach(() => fake.close());
  const asked = (version: unknown) => {
    fake.answer = (_, response) => respond(response, 200, { current: { version } });
    return supportedVersion(new Connections({ YAGNA_APPKEY: 'app-key', YAGNA_API_URL: fake.url }).get());
  };

  test.each(['0.17.0', '0.17.6', '0.17.6-nightly', 'v0.18.0', '1.0.0', '0.17.1-preview.arkiv.41', '0.100.0'])(
    'of version %s will do',
    async (version) => expect(await asked(version)).toBe(version),
  );

  test.each(['0.16.0', '0.16.99', '0.15.0-deposits-beta7', '0.0.0'])(
    'of version %s is too old',
    async (version) => {
      await expect(asked(version)).rejects.toMatchObject({
        ...{ type: 'YagnaIncompatible', nonRetryable: true },
        message: `yagna (connection default) is ${version}; this version of golem-temporal needs ${MIN_YAGNA} or newer: update it`,
      });
    },
  );

  test.each([
    '',
    'latest',
    '17',
    '0.17',
    '0.17.x',
    '0.17.0 && rm',
    `0.17.${'9'.repeat(1000)}`,
    'x'.repeat(1e6),
  ])('whose version is none is incompatible', async (version) => {
    const failed: unknown = await asked(version).catch((error: unknown) => error);
    expect(failed).toMatchObject({ type: 'YagnaIncompatible', nonRetryable: true });
    expect(String(failed).length).toBeLessThan(300);
  });

  test('that is away when it is asked for its version is waited for', async () => {
    const connections = new Connections({ YAGNA_APPKEY: 'app-key', YAGNA_API_URL: fake.url });
    await fake.close();
    await expect(supportedVersion(connections.get())).rejects.toMatchObject({ kind: 'unreachable' });
  });
});

describe('an app key', () => {
  test('is taken out of what others said, however they wrote it', () => {
    const key = 'a"key/with+signs\\in=it';
    for (const form of [
      key,
      JSON.stringify(key),
      encodeURIComponent(key),
      Buffer.from(key).toString('base64'),
      Buffer.from(key).toString('base64url'),
    ]) {
      const said = redacted(`before ${form} after`, ['another-key', key]);
      expect(said).toMatch(/^before "?\*\*\*"?=* after$/);
    }
    expect(redacted('the key of the key', ['', 'key'])).toBe('the *** of the ***');
  });

  test('of any connection, and one that was replaced, stands in no error', async () => {
    const fake = await startFakeYagna();
    const connections = new Connections({ YAGNA_APPKEY: 'the-secret-key', YAGNA_API_URL: fake.url });
    const quoting = (text: string) => {
      fake.answer = (_, response) => respond(response, 400, { message: text });
      return connections
        .get()
        .me()
        .catch((error: unknown) => error as YagnaError);
    };
    // A key that the limit of a line cuts in two is none.
    const words = await quoting(`${'x'.repeat(480)} Bearer the-secret-key`);
    expect(words).toMatchObject({ kind: 'badRequest' });
    expect((words as YagnaError).detail).not.toMatch(/the-s/);
    expect(String((words as YagnaError).stack)).not.toMatch(/the-s/);
    await fake.close();
  });
});
