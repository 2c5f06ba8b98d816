/** Whatever is sent to the devnet: a right status, a clear body, no hang, and a devnet that goes on. */
import { connect } from 'node:net';
import { request as httpRequest } from 'node:http';
import { startDevnet, type Devnet } from '../devnet';
import { CALLS } from '../devnet/faults/operations';
import { PLATFORM, Requestor, type Answer } from './support/devnet-requestor';

let devnet: Devnet;
let requestor: Requestor;
let stranger: Requestor;

beforeAll(async () => {
  devnet = await startDevnet({ providers: [{ name: 'one' }], nodes: [{ name: 'bob', appKeys: ['bob'] }] });
  requestor = new Requestor(devnet.url, devnet.appKey, devnet.adminUrl);
  stranger = new Requestor(devnet.url, 'bob', devnet.adminUrl);
});
afterAll(() => devnet.close());
afterEach(async () => {
  expect((await requestor.get('/me')).status).toBe(200);
});

interface Call {
  method: string;
  route: string;
}

const calls: Call[] = Object.entries(CALLS).flatMap(([route, methods]) =>
  Object.keys(methods).map((method) => ({ method, route })),
);
const withBody = calls.filter(({ method }) => method !== 'GET' && method !== 'DELETE');
const withId = calls.filter(({ route }) => route.includes(':'));
const ENDLESS = '/activity-api/v1/_monitor';
/** What yagna tells everybody. */
const OPEN = ['/version/get', '/metrics-api/v1/expose'];
/** Answered for whatever id, as yagna does. */
const ANY_ID = /expenditures|orders|batchOrders/;

const HEX = '0123456789abcdef'.repeat(4);
const IDS: Record<string, string> = {
  demands: `${HEX.slice(0, 32)}-${HEX}`,
  agreements: HEX,
  allocations: '00000000-0000-4000-8000-000000000000',
};

/** A route with an id of the right shape that nobody has. */
function path(route: string, id?: string): string {
  const known = Object.entries(IDS).find(([kind]) => route.includes(`/${kind}/`))?.[1] ?? IDS['allocations'];
  return route.replace(':proposal', id ?? `R-${HEX}`).replace(/:\w+/g, id ?? known ?? '');
}

const BODIES: [string, string][] = [
  ['nothing', ''],
  ['half an object', '{"a":'],
  ['no JSON', 'not json'],
  ['null', 'null'],
  ['a number', '7'],
  ['text', '"text"'],
  ['a list', '[]'],
  ['an empty object', '{}'],
  [
    '__proto__ and constructor',
    '{"__proto__":{"properties":{},"text":"[]"},"constructor":{"prototype":{"x":1}}}',
  ],
  [
    'wrong types',
    JSON.stringify(Object.fromEntries(FIELDS().map((name) => [name, { nested: [null, true] }]))),
  ],
  ['numbers for all', JSON.stringify(Object.fromEntries(FIELDS().map((name) => [name, 1e308])))],
  ['nulls for all', JSON.stringify(Object.fromEntries(FIELDS().map((name) => [name, null])))],
  ['text for all', JSON.stringify(Object.fromEntries(FIELDS().map((name) => [name, '\u0000\ud800 "\\'])))],
  ['lists nested 100,000 deep', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['objects nested 20,000 deep', nested(20_000)],
];

function FIELDS(): string[] {
  return [
    ...['properties', 'constraints', 'proposalId', 'validTo', 'message', 'type', 'agreementId', 'text'],
    ...['totalAmount', 'timeout', 'paymentPlatform', 'address', 'deposit', 'makeDeposit', 'extendTimeout'],
    ...['totalAmountAccepted', 'allocationId', 'rejectionReason'],
  ];
}

function nested(depth: number): string {
  const [open, close] = ['{"properties":'.repeat(depth), '}'.repeat(depth)];
  return `{"constraints":"${'('.repeat(depth)}","properties":${open}1${close}}`;
}

/** Never a 5xx but where a real yagna gives one, and something said. */
function expectRefusal(call: Call, answer: Answer, context: string): void {
  const where = `${call.method} ${call.route}, ${context}: ${answer.status} ${answer.text.slice(0, 300)}`;
  expect([where, answer.status < 500 || isYagnas5xx(call, answer)]).toEqual([where, true]);
  expect([
    where,
    answer.text.includes('Internal error') || /node_modules|\.[jt]s:\d/.test(answer.text),
  ]).toEqual([where, false]);
}

/** The recordings have a 500 for unknown activities, for ids that are none, and a 501 for what yagna has not. */
function isYagnas5xx({ route }: Call, { status, text }: Answer): boolean {
  if (status === 501) return /debitNotes\/:id\/(reject|payments)/.test(route);
  return /DAO error: Not found|Service error: Id \[|Failed to get Agreement \[|not found in active accounts/.test(
    text,
  );
}

describe('every call of the API', () => {
  it.each(BODIES)('bears a body of %s', async (name, body) => {
    for (const call of withBody)
      expectRefusal(call, await requestor.call(call.method, path(call.route), body), name);
  });

  it('bears a body of another kind, or without a kind', async () => {
    for (const call of withBody) {
      for (const type of [
        'text/plain',
        'multipart/form-data; boundary=x',
        'application/json; charset=\u00fftf',
        'x',
      ]) {
        const headers = { 'content-type': type };
        expectRefusal(call, await requestor.call(call.method, path(call.route), '{}', headers), type);
      }
    }
  });

  it('knows no id that nobody has', async () => {
    for (const call of withId) {
      const timeout = call.method === 'GET' ? '?timeout=0' : '';
      const answer = await requestor.call(
        call.method,
        path(call.route) + timeout,
        call.method === 'GET' ? undefined : 'null',
      );
      expectRefusal(call, answer, 'an unknown id');
      if (ANY_ID.test(call.route)) continue;
      expect([call, answer.status >= 400]).toEqual([call, true]);
    }
  });

  const tricks: string[] = [
    ...[
      '..%2f..%2fetc%2fpasswd',
      '%00',
      '%2e%2e',
      'a%00b',
      '%ff%fe',
      '%',
      '%zz',
      'x'.repeat(120),
      '%F0%9F%92%A9',
    ],
    ...[
      '__proto__',
      'constructor',
      'toString',
      "'; DROP TABLE agreement; --".replaceAll(' ', '%20'),
      '0'.repeat(64),
    ],
  ];
  it.each([...tricks.map((id) => [id, id]), ['5,000 letters', 'x'.repeat(5000)]])(
    'takes %s for no id',
    async (_, id) => {
      for (const call of withId) {
        const timeout = call.method === 'GET' ? '?timeout=0' : '';
        const answer = await asWritten(call.method, path(call.route, id) + timeout);
        expectRefusal(call, answer, id.slice(0, 40));
        if (ANY_ID.test(call.route)) continue;
        expect([call, answer.status >= 400]).toEqual([call, true]);
      }
    },
  );

  /** Sends a path that fetch would mend. */
  function asWritten(method: string, path: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: 'Bearer try_golem', 'content-type': 'application/json' };
      const sent = httpRequest({ port: devnet.port, method, path, headers, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, contentType: null, text, json: undefined }),
        );
      });
      sent.on('error', reject);
      sent.end(method === 'GET' || method === 'DELETE' ? undefined : 'null');
    });
  }

  const queries = [
    ...['timeout=x', 'timeout=', 'timeout=NaN', 'timeout=1e999', 'timeout=-0', 'timeout=0&timeout=0'],
    ...[
      'timeout=0&maxEvents=x',
      'timeout=0&maxEvents=-1',
      'timeout=0&maxEvents=99999999999999999999',
      'timeout=0&maxItems=1.5',
    ],
    ...[
      'timeout=0&afterTimestamp=yesterday',
      'timeout=0&afterTimestamp=9999-12-31T23:59:59Z',
      'timeout=0&afterTimestamp[]=1',
    ],
    ...[
      'timeout=0&appSessionId=%00',
      `timeout=0&appSessionId=${'x'.repeat(8000)}`,
      'timeout=0&__proto__=1&constructor=2',
    ],
    ...[
      'timeout=0&commandIndex=99999999999',
      'timeout=0&state=Nonsense',
      'timeout=0&allocationIds=,,,',
      '%',
      '&&&===',
    ],
  ];
  it.each(queries)('bears the query %s', async (query) => {
    for (const call of calls.filter(({ method, route }) => method === 'GET' && route !== ENDLESS)) {
      // An endless wait is what was asked for.
      const signal = AbortSignal.timeout(
        query.includes('1e999') || !query.includes('timeout=0') ? 300 : 5000,
      );
      const url = `${devnet.url}${path(call.route)}?${query}`;
      const response = await fetch(url, { headers: { authorization: 'Bearer try_golem' }, signal }).catch(
        () => undefined,
      );
      if (!response) continue;
      const text = await response.text();
      expectRefusal(call, { status: response.status, contentType: null, text, json: undefined }, query);
    }
  });

  it('lets nobody in without a key of its node', async () => {
    for (const { method, route } of calls.filter(({ route }) => !OPEN.includes(route))) {
      const headers: Record<string, string>[] = [
        {},
        { authorization: 'Bearer ' },
        { authorization: 'Basic dHJ5X2dvbGVt' },
        { authorization: 'Bearer try_golem2' },
        { authorization: 'Bearer __proto__' },
        { authorization: `Bearer ${'k'.repeat(10_000)}` },
        // A key of another node of the network.
        { authorization: `Bearer ${stranger.appKey}` },
      ];
      for (const header of headers) {
        const response = await fetch(devnet.url + path(route), { method, headers: header });
        expect([method, route, response.status]).toEqual([method, route, 401]);
        expect(await response.text()).toMatch(/^(Missing|Invalid) application key$/);
      }
    }
  });
});

describe('a demand that expires after the end of time', () => {
  it.each([8.65e15, 1e18, 1e300])('is left unanswered by providers: %p', async (expiration) => {
    const properties = { 'golem.srv.comp.expiration': expiration };
    const demandId = await requestor.subscribe(requestor.terms(properties));
    const [offer] = await requestor.events(demandId);
    const terms = requestor.terms({ 'golem.com.payment.chosen-platform': PLATFORM, ...properties });
    const path = `/market-api/v1/demands/${demandId}/proposals/${offer.proposal.proposalId}`;
    expect((await requestor.post(path, terms)).status).toBe(200);
    // An answer would have come before that to a later question.
    await requestor.terminate(await requestor.rent());
    expect(await requestor.events(demandId, 0)).toEqual([]);
    await requestor.delete(`/market-api/v1/demands/${demandId}`);
  });
});

describe('what is nested in a text', () => {
  it('a constraint 20,000 deep is taken, and matches nothing', async () => {
    for (const constraints of ['(!'.repeat(20_000), `${'(!'.repeat(20_000)}(a=b)${')'.repeat(20_000)}`]) {
      const { status, json } = await requestor.post('/market-api/v1/demands', {
        properties: {},
        constraints,
      });
      expect(status).toBe(201);
      expect(await requestor.events(json as string, 0)).toEqual([]);
    }
  });

  it('a script that is none is refused, and the activity goes on', async () => {
    const agreementId = await requestor.rent('script');
    const activityId = await requestor.createActivity(agreementId);
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    for (const text of [
      '',
      '{',
      'null',
      '7',
      deep,
      '[null]',
      '[{"run":{}}]',
      '[{"__proto__":{"run":1}}]',
      '[{"nonsense":1}]',
    ]) {
      const answer = await requestor.post(`/activity-api/v1/activity/${activityId}/exec`, { text });
      expect([text.slice(0, 40), answer.status]).toEqual([text.slice(0, 40), 400]);
    }
    const { json } = await requestor.get(`/activity-api/v1/activity/${activityId}/state`);
    expect(json.state).toEqual(['Initialized', null]);
    await requestor.terminate(agreementId);
  });
});

describe('a body that is too large', () => {
  it('is refused with 413 before it is read', async () => {
    for (const call of withBody) {
      const answer = await requestor
        .call(call.method, path(call.route), `"${'x'.repeat(9 * 1024 * 1024)}"`)
        .catch(() => undefined);
      if (answer) expect([call, answer.status]).toEqual([call, 413]);
    }
    const answer = await tooLarge();
    expect(answer.status).toBe(413);
    expect(answer.text).toContain('8 MiB');
  });

  /** Says that it will send 1 TiB, and waits for the answer. */
  function tooLarge(): Promise<{ status?: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...{
          authorization: 'Bearer try_golem',
          'content-type': 'application/json',
          'content-length': 2 ** 40,
        },
      };
      const sent = httpRequest(
        `${devnet.url}/market-api/v1/demands`,
        { method: 'POST', headers },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.on('end', () => {
            sent.destroy();
            resolve({ status: response.statusCode, text });
          });
        },
      );
      sent.on('error', reject);
      sent.write('{');
    });
  }
});

describe('a request that is none', () => {
  const host = 'host: 127.0.0.1\r\nauthorization: Bearer try_golem\r\n';
  it.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['an unknown method', `BREW /me HTTP/1.1\r\n${host}\r\n`],
    ['headers without end', `GET /me HTTP/1.1\r\n${host}x: ${'y'.repeat(100_000)}\r\n\r\n`],
    [
      'two lengths',
      `POST /market-api/v1/demands HTTP/1.1\r\n${host}content-length: 5\r\ncontent-length: 6\r\n\r\n{}`,
    ],
    [
      'a length and chunks',
      `POST /me HTTP/1.1\r\n${host}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a negative length', `POST /me HTTP/1.1\r\n${host}content-length: -5\r\n\r\n`],
    ['a NUL in a header', `GET /me HTTP/1.1\r\n${host}x: \u0000\r\n\r\n`],
    ['a bad chunk', `POST /me HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\nzz\r\n`],
    ['a whole URL', `GET http://elsewhere/../../me HTTP/1.1\r\n${host}connection: close\r\n\r\n`],
    ['no host', 'GET /me HTTP/1.1\r\n\r\n'],
    ['dots in the path', `GET /../../../../etc/passwd HTTP/1.1\r\n${host}connection: close\r\n\r\n`],
  ])('is refused: %s', async (_name, bytes) => {
    expect(await raw(bytes)).toMatch(/^HTTP\/1\.1 4\d\d |^$/);
  });

  function raw(bytes: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(devnet.port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        socket.end();
      });
      socket.on('close', () => resolve(text));
      socket.on('error', () => resolve(text));
      socket.setTimeout(5000, () => reject(new Error('no answer')));
    });
  }
});
