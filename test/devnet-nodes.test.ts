/** Several requestors' daemons on one network: each can go down, come back and move while the providers go on. */
import { freePort } from '../cli/free-port';
import { startDevnet, type Devnet } from '../devnet';
import { Requestor, withDevnet } from './support/devnet-requestor';

const MARKET = '/market-api/v1';
const ACTIVITY = '/activity-api/v1/activity';
const PAYMENT = '/payment-api/v1';

const of = (devnet: Devnet, name: string): Requestor => {
  const { url, appKey } = devnet.node(name);
  return new Requestor(url, appKey, devnet.adminUrl);
};

describe('two requestors on one network', () => {
  it('compete for its providers, and know nothing of each other', async () => {
    const options = { providers: [{ name: 'only' }], nodes: [{ name: 'bob', appKeys: ['bobs-key'] }] };
    await withDevnet(options, async (alice, devnet) => {
      const bob = of(devnet, 'bob');
      expect(bob.appKey).toBe('bobs-key');
      expect((await new Requestor(bob.url, alice.appKey).get('/me')).status).toBe(401);
      const [hers, his] = await Promise.all(
        [alice, bob].map(async (who) => (await who.get('/me')).json.identity),
      );
      expect(hers).not.toBe(his);

      const agreementId = await alice.rent();
      expect((await bob.get(`${MARKET}/agreements/${agreementId}`)).status).toBe(404);
      const demandId = await bob.subscribe();
      const [offer] = await bob.events(demandId);
      expect(await bob.negotiate(demandId, offer.proposal.proposalId)).toMatchObject({
        reason: { message: 'No capacity available. Reached Agreements limit: 1' },
      });
      await alice.terminate(agreementId);
      expect((await bob.events(demandId))[0]).toMatchObject({ proposal: { state: 'Draft' } });
    });
  });

  it('have names and app keys of their own', async () => {
    await expect(startDevnet({ nodes: [{ name: 'requestor' }] })).rejects.toThrow('named "requestor"');
    await expect(startDevnet({ nodes: [{ name: 'bob', appKeys: ['try_golem'] }] })).rejects.toThrow(
      'same app key',
    );
  });
});

describe('a node that goes down and comes back', () => {
  it('has forgotten demands and scans only; the VM has gone on', async () => {
    await withDevnet({ providers: [{ name: 'only' }] }, async (requestor, devnet) => {
      const node = devnet.node('requestor');
      const allocationId = await requestor.allocate();
      const agreementId = await requestor.rent('s');
      const activityId = await requestor.createActivity(agreementId);
      const demandId = await requestor.subscribe();
      await requestor.events(demandId, 0);
      const scanId = (await requestor.post(`${MARKET}/scan`, { type: 'offer' })).json as string;
      const script = [{ deploy: {} }, { start: {} }, { run: { entry_point: '/bin/sleep', args: ['0.3'] } }];
      const batch = (await requestor.post(`${ACTIVITY}/${activityId}/exec`, { text: JSON.stringify(script) }))
        .json;
      const poll = expect(requestor.get(`${MARKET}/demands/${demandId}/events?timeout=60`)).rejects.toThrow();
      const batchPath = `${ACTIVITY}/${activityId}/exec/${batch}?timeout=60&commandIndex=9`;
      const wait = expect(requestor.get(batchPath)).rejects.toThrow();
      await requestor.effect('script-started');

      await node.stop();
      await Promise.all([poll, wait]);
      expect(node.running).toBe(false);
      await expect(requestor.get('/me')).rejects.toThrow();
      await requestor.effect('script-finished');

      await node.start();
      expect(node.url).toBe(requestor.url);
      expect((await requestor.get(`${MARKET}/demands`)).json).toEqual([]);
      expect((await requestor.get(`${MARKET}/demands/${demandId}/events?timeout=0`)).status).toBe(404);
      expect((await requestor.get(`${MARKET}/scan/${scanId}/events?timeout=0`)).status).toBe(404);
      expect((await requestor.get(`${PAYMENT}/allocations/${allocationId}`)).status).toBe(200);
      expect((await requestor.get(`${MARKET}/agreements/${agreementId}`)).json.state).toBe('Approved');
      const results = (await requestor.get(`${ACTIVITY}/${activityId}/exec/${batch}`)).json;
      expect(results.map((result: { result: string }) => result.result)).toEqual(['Ok', 'Ok', 'Ok']);
    });
  });

  it('can come back on another port, by the admin API, while others go on', async () => {
    await withDevnet({ providers: [{ name: 'only' }], nodes: [{ name: 'bob' }] }, async (alice, devnet) => {
      const bob = of(devnet, 'bob');
      const agreementId = await bob.rent();
      const free = await freePort();
      const post = (path: string, body?: unknown): Promise<Response> =>
        fetch(`${devnet.adminUrl}${path}`, {
          method: 'POST',
          ...(body === undefined
            ? {}
            : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
        });
      const poll = alice.get(`${PAYMENT}/invoiceEvents?timeout=2`);
      expect(await (await post('/nodes/bob/restart', { port: free })).json()).toMatchObject({
        name: 'bob',
        url: `http://127.0.0.1:${free}`,
        running: true,
      });
      const moved = of(devnet, 'bob');
      expect((await moved.get(`${MARKET}/agreements/${agreementId}`)).json.state).toBe('Approved');
      expect((await poll).status).toBe(200);
      expect(await (await post('/nodes/bob/stop')).json()).toMatchObject({ running: false });
      expect(await (await fetch(`${devnet.adminUrl}/nodes`)).json()).toMatchObject([
        { name: 'requestor', running: true },
        { name: 'bob', running: false },
      ]);

      const unknown = await post('/nodes/carol/stop');
      expect([unknown.status, await unknown.json()]).toEqual([
        404,
        { message: 'no node is named "carol"; there are: requestor, bob' },
      ]);
      const wrong = await post('/nodes/bob/start', { port: 'x' });
      expect([wrong.status, ((await wrong.json()) as { message: string }).message]).toEqual([
        400,
        expect.stringMatching(/^port: /),
      ]);
    });
  });

  it('goes on where it is, with all that it knows, when another port cannot be had', async () => {
    await withDevnet({ providers: [{ name: 'only' }], nodes: [{ name: 'bob' }] }, async (alice, devnet) => {
      const bob = of(devnet, 'bob');
      const demandId = await bob.subscribe();
      const taken = devnet.node('requestor').port;
      const move = async (action: string): Promise<[number, unknown]> => {
        const answer = await fetch(`${devnet.adminUrl}/nodes/bob/${action}`, {
          ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
          body: JSON.stringify({ port: taken }),
        });
        return [answer.status, await answer.json()];
      };
      const { port } = devnet.node('bob');
      expect(await move('restart')).toEqual([
        409,
        { message: `port ${taken} is in use; node bob goes on at port ${port}` },
      ]);
      expect((await bob.get(`${MARKET}/demands`)).json).toMatchObject([{ demandId }]);
      await expect(devnet.node('bob').restart({ port: taken })).rejects.toThrow('EADDRINUSE');
      expect(devnet.node('bob')).toMatchObject({ running: true, port });

      await devnet.node('bob').stop();
      expect(await move('start')).toEqual([409, { message: `port ${taken} is in use; node bob stays down` }]);
      await devnet.node('bob').start();
      expect(devnet.node('bob')).toMatchObject({ running: true, port });
      expect((await alice.get('/me')).status).toBe(200);
    });
  });

  it('pays only while it is up', async () => {
    await withDevnet({ providers: [{ name: 'only' }], paymentCycleSec: 0.2 }, async (requestor, devnet) => {
      const allocationId = await requestor.allocate();
      const agreementId = await requestor.rent('s');
      await requestor.createActivity(agreementId);
      await requestor.terminate(agreementId);
      const { invoiceId } = await requestor.firstEvent('invoice', 's');
      const { amount } = (await requestor.get(`${PAYMENT}/invoices/${invoiceId}`)).json;
      const accept = { totalAmountAccepted: amount, allocationId };
      // Down from the moment of the acceptance, and for longer than a payment cycle.
      devnet.faults.arm({ on: 'acceptInvoice', do: 'restartNodeAfter', sec: 0.6 });
      const [started, paid] = [devnet.effects.next('node-started'), devnet.effects.next('paid')];
      await expect(requestor.post(`${PAYMENT}/invoices/${invoiceId}/accept`, accept)).rejects.toThrow();
      expect(await paid).toMatchObject({ amount, cause: 'payment cycle' });
      expect((await paid).seq).toBeGreaterThan((await started).seq);
    });
  });
});

it('the admin API lets in only what comes from this machine', async () => {
  await withDevnet({ providers: [{ name: 'only' }] }, async (_requestor, { adminUrl }) => {
    expect(
      (await fetch(`${adminUrl}/open`, { headers: { origin: 'https://elsewhere.example' } })).status,
    ).toBe(403);
    const nothing = await fetch(`${adminUrl}/nope`);
    expect([nothing.status, await nothing.json()]).toEqual([
      404,
      { message: 'no GET /nope here; see docs/devnet.md' },
    ]);
  });
});
