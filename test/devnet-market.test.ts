import { checkProviders, DEFAULT_PROVIDERS, loadProviders, startDevnet } from '../devnet';
import { PLATFORM, Requestor, withDevnet } from './support/devnet-requestor';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MARKET = '/market-api/v1';
const CHOSEN = { 'golem.com.payment.chosen-platform': PLATFORM };
const ACCEPT_TIMEOUT = 'golem.com.payment.debit-notes.accept-timeout?';
const ONE = [{ name: 'one' }];

describe('getting in', () => {
  it('nothing but the version is told without an app key, unknown routes neither', async () => {
    await withDevnet({ providers: ONE }, async ({ url, appKey }) => {
      const stranger = new Requestor(url, 'wrong');
      const refused = await stranger.get('/nope');
      expect(refused).toMatchObject({ status: 401, text: 'Invalid application key' });
      expect(refused.contentType).toBe('text/plain; charset=utf-8');
      const nobody = await fetch(`${url}/me`);
      expect([nobody.status, await nobody.text()]).toEqual([401, 'Missing application key']);
      expect((await fetch(`${url}/version/get`)).status).toBe(200);
      expect((await fetch(`${url}/me?authToken=${appKey}`)).status).toBe(200);
    });
  });

  it('unknown routes and methods are an empty 404', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      expect(await requestor.get('/nope')).toMatchObject({ status: 404, text: '' });
      expect(await requestor.call('PATCH', '/payment-api/v1/allocations')).toMatchObject({
        status: 404,
        text: '',
      });
    });
  });

  it('each app key is an identity of its own that sees only what is its own', async () => {
    await withDevnet({ providers: ONE, appKeys: ['alice', 'bob'] }, async (alice, { url }) => {
      const bob = new Requestor(url, 'bob');
      const identities = await Promise.all(
        [alice, bob].map(async (who) => (await who.get('/me')).json.identity),
      );
      expect(new Set(identities).size).toBe(2);
      const agreementId = await alice.rent();
      expect((await bob.get(`${MARKET}/agreements/${agreementId}`)).status).toBe(404);
      expect((await bob.get(`${MARKET}/agreements`)).json).toEqual([]);
      await alice.subscribe();
      expect((await bob.get(`${MARKET}/demands`)).json).toEqual([]);
    });
  });
});

describe('providers', () => {
  it('the default ones differ in prices and hardware, and all offer to an ordinary demand', async () => {
    await withDevnet({}, async (requestor) => {
      const offers = await requestor.events(await requestor.subscribe());
      const properties = offers.map((event) => event.proposal.properties);
      expect(properties.map((p) => p['golem.node.id.name']).sort()).toEqual(
        DEFAULT_PROVIDERS.map((p) => p.name).sort(),
      );
      expect(
        new Set(properties.map((p) => JSON.stringify(p['golem.com.pricing.model.linear.coeffs']))).size,
      ).toBe(5);
      expect(new Set(properties.map((p) => p['golem.inf.mem.gib'])).size).toBeGreaterThan(2);
    });
  });

  it('a wrong provider file is answered with one line a mistake', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'providers-'));
    try {
      const file = join(directory, 'providers.json');
      await writeFile(
        file,
        JSON.stringify([
          { name: 'a', agreementLimit: 0, colour: 'red' },
          { name: 'a', pricing: { start: 1 } },
        ]),
      );
      expect(() => loadProviders(file)).toThrow(
        expect.objectContaining({
          mistakes: expect.arrayContaining([
            expect.stringMatching(/^providers\[0\]\.agreementLimit: /),
            'providers[0].colour: no such setting',
            expect.stringMatching(/^providers\[1\]\.pricing\.start: /),
          ]),
        }),
      );
      await expect(startDevnet({ providers: join(directory, 'nowhere.json') })).rejects.toThrow(
        /nowhere\.json/,
      );
    } finally {
      await rm(directory, { recursive: true });
    }
    expect(() => checkProviders([{ name: 'a' }, { name: 'a' }])).toThrow(/another provider is named "a" too/);
  });
});

describe('offers', () => {
  it('come only from providers that match in both directions', async () => {
    const providers = [
      { name: 'small', capabilities: [] },
      { name: 'vpn', capabilities: ['vpn', 'inet'] },
      { name: 'elsewhere', subnet: 'other' },
      { name: 'mainnet', platforms: ['erc20-polygon-glm'] },
    ];
    await withDevnet({ providers }, async (requestor) => {
      const names = async (constraints: string): Promise<string[]> => {
        const demandId = await requestor.subscribe(requestor.terms({}, constraints));
        const offers = await requestor.events(demandId, 0);
        return offers.map((event) => event.proposal.properties['golem.node.id.name'] as string);
      };
      expect(await names('(golem.runtime.name=vm)')).toEqual(['small', 'vpn']);
      expect(await names('(golem.runtime.capabilities=vpn)')).toEqual(['vpn']);
      expect(await names('(!(golem.runtime.capabilities=vpn))')).toEqual(['small']);
      expect(await names('(|(golem.node.id.name=sm*)(golem.inf.mem.gib>1000))')).toEqual(['small']);
      expect(await names('(golem.runtime.version$v>=0.4.0)(golem.runtime.version$v<0.10.0)')).toEqual([
        'small',
        'vpn',
      ]);
      expect(await names('(golem.no.such.property=*)')).toEqual([]);
      expect(await names('(((')).toEqual([]);
    });
  });

  it('are handed out once, and an aborted poll loses none', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const demandId = await requestor.subscribe();
      expect(await requestor.events(demandId, 0)).toHaveLength(1);
      expect(await requestor.events(demandId, 0)).toEqual([]);

      const abort = new AbortController();
      const aborted = fetch(`${requestor.url}${MARKET}/demands/${demandId}/events?timeout=60`, {
        headers: { authorization: `Bearer ${requestor.appKey}` },
        signal: abort.signal,
      });
      const again = await requestor.subscribe();
      const [offer] = await requestor.events(again);
      abort.abort();
      await expect(aborted).rejects.toThrow();
      const proposals = `${MARKET}/demands/${again}/proposals`;
      await requestor.post(`${proposals}/${offer.proposal.proposalId}`, requestor.terms(CHOSEN));
      expect(await requestor.events(again)).toHaveLength(1);
    });
  });

  it('a poll in flight ends with 404 the moment its demand is unsubscribed', async () => {
    await withDevnet({ providers: [{ name: 'one', subnet: 'other' }] }, async (requestor) => {
      const demandId = await requestor.subscribe();
      const poll = requestor.get(`${MARKET}/demands/${demandId}/events?timeout=60`);
      expect((await requestor.delete(`${MARKET}/demands/${demandId}`)).status).toBe(204);
      expect((await poll).json.message).toBe(`Subscription [${demandId}] not found. Could be unsubscribed.`);
      expect((await requestor.delete(`${MARKET}/demands/${demandId}`)).status).toBe(404);
    });
  });
});

describe('a scan', () => {
  it('that waits hears of a new offer at once, and ends with 404 when it is ended', async () => {
    await withDevnet({ providers: [{ name: 'one' }, { name: 'two' }] }, async (requestor, devnet) => {
      const constraints = '(golem.node.id.name=two)';
      const { json: id } = await requestor.post(`${MARKET}/scan`, { type: 'offer', constraints });
      const path = `${MARKET}/scan/${id}/events`;
      const [first] = (await requestor.get(`${path}?timeout=0`)).json;
      await devnet.shutDownProvider('two');
      const arrived = devnet.faults.arm({ on: 'collectScan', do: 'delayAfter', sec: 0 });
      const waiting = requestor.get(`${path}?timeout=20`);
      await arrived.hit();
      await requestor.get('/version/get');
      // What another provider offers is nothing to it.
      await devnet.shutDownProvider('one');
      devnet.reopenProvider('one');
      devnet.reopenProvider('two');
      const [second, ...more] = (await waiting).json;
      expect([second.providerId, more]).toEqual([first.providerId, []]);
      expect(second.offerId).not.toBe(first.offerId);
      const { cause } = await devnet.effects.next(
        'offers-scanned',
        devnet.effects.all(0, ['scan-begun'])[0]?.seq,
      );
      expect(cause).toBe('collectScan at node requestor');
      const ended = requestor.get(`${path}?timeout=20`);
      await requestor.delete(`${MARKET}/scan/${id}`);
      expect((await ended).status).toBe(404);
    });
  });
});

describe('negotiation', () => {
  const answerTo = async (
    requestor: Requestor,
    properties: Record<string, unknown>,
  ): Promise<Record<string, never>> => {
    const demandId = await requestor.subscribe();
    const [offer] = await requestor.events(demandId);
    return requestor.negotiate(demandId, offer.proposal.proposalId, properties);
  };

  it('a provider takes a shorter acceptance time, and refuses a longer one for good', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const shorter = await answerTo(requestor, { [ACCEPT_TIMEOUT]: 60 });
      expect(shorter).toMatchObject({ eventType: 'ProposalEvent', proposal: { state: 'Draft' } });
      expect((shorter['proposal'] as unknown as { properties: object }).properties).toHaveProperty(
        [ACCEPT_TIMEOUT],
        60,
      );
      expect(await answerTo(requestor, { [ACCEPT_TIMEOUT]: 241 })).toMatchObject({
        eventType: 'ProposalRejectedEvent',
        reason: {
          message: 'DebitNote acceptance deadline should be less than 4m.',
          'golem.proposal.rejection.is-final': true,
        },
      });
    });
  });

  it.each([
    [
      'no chosen platform',
      { 'golem.com.payment.chosen-platform': null },
      'Missing fields: /golem/com/payment/chosen-platform',
      false,
    ],
    [
      'an early end',
      { 'golem.srv.comp.expiration': 60_000 },
      /which is less than 5m or more than 100years from now$/,
      true,
    ],
    [
      'an hour without accepting notes',
      { [ACCEPT_TIMEOUT]: null },
      /less than 5m or more than 30m from now$/,
      false,
    ],
    [
      'ten hours without payments',
      { 'golem.srv.comp.expiration': 37_000_000 },
      /exceeds the 10h threshold/,
      true,
    ],
    [
      'an interval out of range',
      { 'golem.com.scheme.payu.debit-note.interval-sec?': 90_000 },
      /acceptable range of \[1s; 1d\]/,
      true,
    ],
  ])('a provider refuses %s', async (_what, properties, message, isFinal) => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const relative = (properties as Record<string, unknown>)['golem.srv.comp.expiration'];
      const wanted =
        typeof relative === 'number' ? { 'golem.srv.comp.expiration': Date.now() + relative } : properties;
      const answer = await answerTo(requestor, wanted);
      expect(answer).toMatchObject({ eventType: 'ProposalRejectedEvent' });
      const reason = answer['reason'] as unknown as Record<string, unknown>;
      expect(reason['message']).toEqual(
        typeof message === 'string' ? message : expect.stringMatching(message),
      );
      expect(reason['golem.proposal.rejection.is-final']).toBe(isFinal);
    });
  });

  it('a busy provider says so, and comes back with a draft when it is free', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const agreementId = await requestor.rent();
      const demandId = await requestor.subscribe();
      const [offer] = await requestor.events(demandId);
      const refused = await requestor.negotiate(demandId, offer.proposal.proposalId);
      expect(refused.reason).toEqual({
        message: 'No capacity available. Reached Agreements limit: 1',
        'golem.proposal.rejection.is-final': false,
      });
      const later = requestor.events(demandId, 30);
      await requestor.terminate(agreementId);
      expect(await later).toMatchObject([
        { eventType: 'ProposalEvent', proposal: { state: 'Draft', prevProposalId: refused.proposalId } },
      ]);
    });
  });

  it('a demand that outlives its agreement is offered to again', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const demandId = await requestor.subscribe();
      const [offer] = await requestor.events(demandId);
      const draft = await requestor.negotiate(demandId, offer.proposal.proposalId);
      const agreementId = await requestor.createAgreement(draft.proposal.proposalId);
      await requestor.post(`${MARKET}/agreements/${agreementId}/confirm`);
      await requestor.post(`${MARKET}/agreements/${agreementId}/wait?timeout=10`);
      const later = requestor.events(demandId, 30);
      await requestor.terminate(agreementId);
      expect(await later).toMatchObject([{ proposal: { state: 'Initial' } }]);
    });
  });

  it('a proposal is countered once, and its answer rejected as often as one likes', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const demandId = await requestor.subscribe();
      const [offer] = await requestor.events(demandId);
      const draft = await requestor.negotiate(demandId, offer.proposal.proposalId);
      const proposals = `${MARKET}/demands/${demandId}/proposals`;
      const twice = await requestor.post(
        `${proposals}/${offer.proposal.proposalId}`,
        requestor.terms(CHOSEN),
      );
      expect(twice.status).toBe(410);
      for (let i = 0; i < 2; i++) {
        const reject = `${proposals}/${draft.proposal.proposalId}/reject`;
        expect((await requestor.post(reject, { message: 'too expensive' })).status).toBe(204);
      }
      const validTo = new Date(Date.now() + 60_000).toISOString();
      const agreement = await requestor.post(`${MARKET}/agreements`, {
        proposalId: draft.proposal.proposalId,
        validTo,
      });
      expect(agreement).toMatchObject({ status: 400 });
      expect(agreement.json.message).toMatch(/for rejected Proposal/);
    });
  });
});

describe('agreements', () => {
  /** An agreement that is made but not yet confirmed. */
  const propose = async (requestor: Requestor, validForSec?: number): Promise<string> => {
    const demandId = await requestor.subscribe();
    const [offer] = await requestor.events(demandId);
    const draft = await requestor.negotiate(demandId, offer.proposal.proposalId);
    return requestor.createAgreement(draft.proposal.proposalId, validForSec);
  };

  it('go from Proposal to Approved to Terminated, and every other step is refused', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const id = await propose(requestor);
      const step = async (action: string, body?: unknown): Promise<[number, string | undefined]> => {
        const { status, json } = await requestor.post(`${MARKET}/agreements/${id}/${action}`, body);
        return [status, json?.message];
      };
      const finished = { message: 'finished', 'golem.requestor.code': 'Success' };
      expect(await step('wait?timeout=1')).toEqual([
        400,
        `Agreement [R-${id}] should be confirmed, before waiting for approval.`,
      ]);
      expect(await step('terminate', finished)).toEqual([
        409,
        "Can't update Agreement state from Proposal to Terminated.",
      ]);
      expect(await step('confirm?appSessionId=s')).toEqual([204, undefined]);
      expect(await step('wait?timeout=10')).toEqual([204, undefined]);
      expect(await step('confirm')).toEqual([410, "Can't update Agreement state from Approved to Pending."]);
      expect(await step('cancel', finished)).toEqual([
        410,
        "Can't update Agreement state from Approved to Cancelled.",
      ]);
      expect(await step('terminate', {})).toEqual([400, expect.stringContaining('missing field `message`')]);
      expect(await step('terminate', finished)).toEqual([200, undefined]);
      expect(await step('terminate', finished)).toEqual([
        410,
        "Can't update Agreement state from Terminated to Terminated.",
      ]);
      expect(await step('wait?timeout=1')).toEqual([400, `Agreement [R-${id}] terminated.`]);
      const { json: reason } = await requestor.get(`${MARKET}/agreements/${id}/terminate/reason`);
      expect(reason).toMatchObject({ terminator: 'Requestor', reason: finished });
      const { json: agreement } = await requestor.get(`${MARKET}/agreements/${id}`);
      expect(agreement).toMatchObject({ agreementId: id, state: 'Terminated', appSessionId: 's' });
    });
  });

  it('the session given at confirmation filters events, after is exclusive', async () => {
    await withDevnet({ providers: [{ name: 'one', agreementLimit: 2 }] }, async (requestor) => {
      const id = await requestor.rent('mine');
      await requestor.rent('other');
      const events = async (query: string): Promise<Record<string, string>[]> =>
        (await requestor.get(`${MARKET}/agreementEvents?${query}`)).json;
      const mine = await events('timeout=0&appSessionId=mine');
      expect(mine).toEqual([
        { eventDate: expect.any(String), agreementId: id, eventType: 'AgreementApprovedEvent' },
      ]);
      expect(await events('timeout=0')).toHaveLength(2);
      const later = events(`timeout=30&appSessionId=mine&afterTimestamp=${mine[0]?.['eventDate']}`);
      await requestor.terminate(id);
      expect(await later).toMatchObject([
        { agreementId: id, eventType: 'AgreementTerminatedEvent', terminator: 'Requestor' },
      ]);
    });
  });

  it('a provider that is full rejects, and tells why', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const second = await propose(requestor);
      await requestor.rent();
      await requestor.post(`${MARKET}/agreements/${second}/confirm?appSessionId=second`);
      const wait = await requestor.post(`${MARKET}/agreements/${second}/wait?timeout=10`);
      expect(wait).toMatchObject({ status: 410, json: { message: 'Rejected' } });
      const { json: events } = await requestor.get(`${MARKET}/agreementEvents?timeout=0&appSessionId=second`);
      expect(events).toMatchObject([
        {
          eventType: 'AgreementRejectedEvent',
          reason: { message: expect.stringContaining('No capacity') },
        },
      ]);
    });
  });

  it('one that the provider does not answer can be cancelled, and ends the wait for it', async () => {
    await withDevnet({ providers: [{ name: 'silent', approveSec: 1e6 }] }, async (requestor) => {
      const id = await propose(requestor);
      const path = `${MARKET}/agreements/${id}`;
      await requestor.post(`${path}/confirm`);
      expect((await requestor.post(`${path}/wait?timeout=0`)).status).toBe(408);
      expect((await requestor.post(`${path}/terminate`, { message: 'x' })).status).toBe(410);
      const wait = requestor.post(`${path}/wait?timeout=30`);
      expect((await requestor.post(`${path}/cancel`, { message: 'changed my mind' })).status).toBe(200);
      expect(await wait).toMatchObject({ status: 410, json: { message: 'Cancelled' } });
    });
  });

  it('one that is not confirmed in time has expired', async () => {
    await withDevnet({ providers: ONE }, async (requestor) => {
      const id = await propose(requestor, -60);
      const confirmed = await requestor.post(`${MARKET}/agreements/${id}/confirm`);
      expect(confirmed.json.message).toBe("Can't update Agreement state from Expired to Pending.");
      expect((await requestor.get(`${MARKET}/agreements?state=Expired`)).json).toMatchObject([{ id }]);
    });
  });
});

describe('a provider ends an agreement', () => {
  const reasonOf = async (requestor: Requestor, agreementId: string): Promise<Record<string, string>> => {
    await requestor.effect('agreement-terminated');
    return (await requestor.get(`${MARKET}/agreements/${agreementId}/terminate/reason`)).json.reason;
  };

  it('that has no activity, with a zero invoice', async () => {
    await withDevnet({ providers: [{ name: 'one', idleLimitSec: 0.1 }] }, async (requestor) => {
      const agreementId = await requestor.rent('idle');
      expect(await reasonOf(requestor, agreementId)).toEqual({
        message: 'No activity created within 100ms',
        'golem.provider.code': 'NoActivity',
      });
      const { invoiceId } = await requestor.firstEvent('invoice', 'idle');
      const { json: invoice } = await requestor.get(`/payment-api/v1/invoices/${invoiceId}`);
      expect(invoice).toMatchObject({ amount: '0', activityIds: [] });
    });
  });

  it('whose debit note is not accepted in time', async () => {
    const providers = [{ name: 'one', minAcceptTimeoutSec: 0 }];
    await withDevnet({ providers }, async (requestor) => {
      const terms = { [ACCEPT_TIMEOUT]: 1, 'golem.com.scheme.payu.debit-note.interval-sec?': 1 };
      const agreementId = await requestor.rent('late', terms);
      await requestor.createActivity(agreementId);
      expect(await reasonOf(requestor, agreementId)).toEqual({
        message: "Requestor isn't accepting DebitNotes in time (1s)",
        'golem.provider.code': 'DebitNotesDeadline',
      });
      expect((await requestor.admin('/open')).counts.activities).toBe(0);
    });
  });

  it('whose payable debit note is not paid in time', async () => {
    const providers = [{ name: 'one', pricing: { start: '1' } }];
    await withDevnet({ providers }, async (requestor) => {
      const terms = {
        'golem.com.scheme.payu.payment-timeout-sec?': 1,
        'golem.com.scheme.payu.debit-note.interval-sec?': 1,
      };
      const agreementId = await requestor.rent('unpaid', terms);
      await requestor.createActivity(agreementId);
      expect(await reasonOf(requestor, agreementId)).toEqual({
        message: "Requestor didn't pay for DebitNote in time (1s)",
        'golem.provider.code': 'DebitNoteNotPaid',
      });
    });
  });

  it('at the end that the demand named', async () => {
    await withDevnet({ providers: [{ name: 'one', minExpirationSec: 0 }] }, async (requestor) => {
      const agreementId = await requestor.rent('short', { 'golem.srv.comp.expiration': Date.now() + 2000 });
      expect(await reasonOf(requestor, agreementId)).toMatchObject({ 'golem.provider.code': 'Expired' });
    });
  });
});

describe('the image registry', () => {
  it('knows well-known tags and those it is told of, always with the same hash, and serves what it points to', async () => {
    await withDevnet({ providers: ONE, images: ['me/renderer:v2', 'me/tool'] }, async ({ url }) => {
      const lookUp = (query: string): Promise<Response> =>
        fetch(`${url}/registry/v1/image/info?count=true&${query}`);
      const image = (await (await lookUp('tag=golem/alpine:latest')).json()) as Record<string, string>;
      expect(image['sha3']).toMatch(/^[0-9a-f]{56}$/);
      expect(await (await lookUp('tag=golem/alpine:latest')).json()).toEqual(image);
      expect((await fetch(image['http'] ?? '')).status).toBe(200);
      for (const tag of ['golem/alpine', 'golem/node:20-alpine', 'me/renderer:v2', 'me/tool:latest']) {
        expect([tag, (await lookUp(`tag=${tag}`)).status]).toEqual([tag, 200]);
      }
      for (const tag of [
        'golem/alpin:latest',
        'golem/alpine:lates',
        'me/renderer',
        'nobody/nothing:latest',
      ]) {
        const answer = await lookUp(`tag=${tag}`);
        expect([tag, answer.status, await answer.text()]).toEqual([tag, 404, 'Image not found']);
      }
    });
  });
});
