/** A bare requestor over HTTP, for tests of the devnet: no client library between the test and the wire. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { startDevnet, type Devnet, type DevnetOptions } from '../../devnet';

export interface Answer {
  status: number;
  contentType: string | null;
  text: string;
  // The wire's shape is what these tests are about; each looks at what it needs.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  json: any;
}

export const PLATFORM = 'erc20-holesky-tglm';
const MARKET = '/market-api/v1';
const PAYMENT = '/payment-api/v1';

export class Requestor {
  constructor(
    readonly url: string,
    readonly appKey: string,
    readonly adminUrl = '',
  ) {}

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.appKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, contentType: response.headers.get('content-type'), text, json };
  }

  /** Asks for a WebSocket, and hangs up. */
  async upgrade(path: string): Promise<Pick<Answer, 'status' | 'text' | 'json'>> {
    const headers = { authorization: `Bearer ${this.appKey}` };
    const socket = new WebSocket(`${this.url.replace('http', 'ws')}${path}`, { headers });
    const refused = once(socket, 'unexpected-response').then(([, response]) => response as IncomingMessage);
    const response = await Promise.race([once(socket, 'open').then(() => undefined), refused]);
    const answer = response ? await text(response) : '';
    socket.terminate();
    return { status: response?.statusCode ?? 101, text: answer, json: undefined };
  }

  get = (path: string, headers?: Record<string, string>): Promise<Answer> =>
    this.call('GET', path, undefined, headers);
  post = (path: string, body?: unknown): Promise<Answer> => this.call('POST', path, body);
  delete = (path: string): Promise<Answer> => this.call('DELETE', path);

  async allocate(amount = '10'): Promise<string> {
    const answer = await this.post(`${PAYMENT}/allocations`, {
      totalAmount: amount,
      paymentPlatform: PLATFORM,
    });
    return answer.json.allocationId as string;
  }

  /** Reserves 1 GLM until so many milliseconds from now; again where that was over before it was asked for. */
  async allocateFor(ms: number): Promise<string> {
    for (;;) {
      const timeout = new Date(Date.now() + ms).toISOString();
      const allocation = { totalAmount: '1', paymentPlatform: PLATFORM, timeout };
      const { status, json } = await this.post(`${PAYMENT}/allocations`, allocation);
      if (status === 201) return json.allocationId as string;
      if (Date.now() < Date.parse(timeout)) throw new Error(`no allocation: ${JSON.stringify(json)}`);
    }
  }

  /** Properties and constraints of an ordinary demand for one hour. */
  terms(properties: Record<string, unknown> = {}, constraints = '(golem.runtime.name=vm)'): object {
    return {
      properties: {
        'golem.srv.comp.expiration': Date.now() + 3_600_000,
        'golem.srv.caps.multi-activity': true,
        'golem.srv.comp.task_package': `hash:sha3:${'0'.repeat(56)}:http://127.0.0.1/image`,
        'golem.node.debug.subnet': 'public',
        'golem.com.payment.debit-notes.accept-timeout?': 240,
        'golem.com.payment.protocol.version': '3',
        [`golem.com.payment.platform.${PLATFORM}.address`]: '0x0',
        ...properties,
      },
      constraints: `(&${constraints}(golem.com.payment.platform.${PLATFORM}.address=*))`,
    };
  }

  async subscribe(terms = this.terms()): Promise<string> {
    return (await this.post(`${MARKET}/demands`, terms)).json as string;
  }

  async events(demandId: string, timeoutSec = 10, max = 100): Promise<Answer['json'][]> {
    return (await this.get(`${MARKET}/demands/${demandId}/events?timeout=${timeoutSec}&maxEvents=${max}`))
      .json;
  }

  /** Counters an offer with the chosen platform and gives what the provider answers. */
  async negotiate(
    demandId: string,
    proposalId: string,
    properties: Record<string, unknown> = {},
  ): Promise<Answer['json']> {
    const terms = this.terms({ 'golem.com.payment.chosen-platform': PLATFORM, ...properties });
    await this.post(`${MARKET}/demands/${demandId}/proposals/${proposalId}`, terms);
    // No other: an offer may come anew right behind it.
    const [event] = await this.events(demandId, 10, 1);
    return event;
  }

  async createAgreement(proposalId: string, validForSec = 300): Promise<string> {
    const validTo = new Date(Date.now() + validForSec * 1000).toISOString();
    return (await this.post(`${MARKET}/agreements`, { proposalId, validTo })).json as string;
  }

  /** From a demand to an approved agreement with the first provider that offers. */
  async rent(session = 'test', properties: Record<string, unknown> = {}): Promise<string> {
    const demandId = await this.subscribe(this.terms(properties));
    const [offer] = await this.events(demandId, 10, 1);
    await this.events(demandId, 0);
    const draft = await this.negotiate(demandId, offer.proposal.proposalId as string, properties);
    const agreementId = await this.createAgreement(draft.proposal.proposalId as string);
    await this.post(`${MARKET}/agreements/${agreementId}/confirm?appSessionId=${session}`);
    await this.post(`${MARKET}/agreements/${agreementId}/wait?timeout=10`);
    await this.delete(`${MARKET}/demands/${demandId}`);
    return agreementId;
  }

  async createActivity(agreementId: string): Promise<string> {
    return (await this.post('/activity-api/v1/activity', { agreementId })).json.activityId as string;
  }

  terminate = (agreementId: string): Promise<Answer> =>
    this.post(`${MARKET}/agreements/${agreementId}/terminate`, { message: 'finished' });

  /** The first event of a kind of document for a session, waited for. */
  async firstEvent(
    kind: 'invoice' | 'debitNote',
    session: string,
    types = 'RECEIVED',
  ): Promise<Answer['json']> {
    const answer = await this.get(`${PAYMENT}/${kind}Events?timeout=20&appSessionId=${session}`, {
      'X-Requestor-Events': types,
    });
    return answer.json[0];
  }

  /** What the admin API answers. */
  async admin(path: string): Promise<Answer['json']> {
    return await (await fetch(`${this.adminUrl}${path}`)).json();
  }

  /** The first effect of a kind after another one. */
  async effect(kind: string, after = 0): Promise<Answer['json']> {
    return (await this.admin(`/effects?kind=${kind}&after=${after}&timeout=30`))[0];
  }
}

/** Runs a test against a devnet of its own, which is gone afterwards. */
export async function withDevnet(
  options: DevnetOptions,
  test: (requestor: Requestor, devnet: Devnet) => Promise<void>,
): Promise<void> {
  const devnet = await startDevnet(options);
  try {
    await test(new Requestor(devnet.url, devnet.appKey, devnet.adminUrl), devnet);
  } finally {
    await devnet.close();
  }
}

/** A devnet with one provider, `one`, for all tests of a file or block, and a requestor on it. */
export function sharedDevnet(): { devnet: Devnet; requestor: Requestor } {
  const shared = {} as ReturnType<typeof sharedDevnet>; // set before the first test
  beforeAll(async () => {
    const devnet = await startDevnet({ providers: [{ name: 'one' }] });
    Object.assign(shared, { devnet, requestor: new Requestor(devnet.url, devnet.appKey, devnet.adminUrl) });
  });
  afterAll(() => shared.devnet.close());
  return shared;
}
