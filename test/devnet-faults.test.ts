/** Faults of the local network, armed by tests: each does what it says, where and when it says so. */
import type { Devnet } from '../devnet';
import { Requestor, withDevnet, type Answer } from './support/devnet-requestor';

const MARKET = '/market-api/v1';
const PAYMENT = '/payment-api/v1';
const ACTIVITY = '/activity-api/v1/activity';
const ONE = [{ name: 'one' }];

const versionOf = (requestor: Requestor): Promise<Answer> => requestor.get('/version/get');
const lost = (call: Promise<unknown>): Promise<void> => expect(call).rejects.toThrow('fetch failed');
const allocations = async (requestor: Requestor): Promise<unknown[]> =>
  (await requestor.get(`${PAYMENT}/allocations`)).json as unknown[];

/** From nothing to a VM that is ready. */
async function rentVm(
  requestor: Requestor,
  session = 's',
): Promise<{ agreementId: string; activityId: string }> {
  const agreementId = await requestor.rent(session);
  const activityId = await requestor.createActivity(agreementId);
  await run(requestor, activityId, [{ deploy: {} }, { start: {} }]);
  return { agreementId, activityId };
}

async function send(requestor: Requestor, activityId: string, commands: object[]): Promise<string> {
  return (await requestor.post(`${ACTIVITY}/${activityId}/exec`, { text: JSON.stringify(commands) }))
    .json as string;
}

async function run(
  requestor: Requestor,
  activityId: string,
  commands: object[],
  last = commands.length - 1,
): Promise<{ result: string; message: string | null }[]> {
  const batchId = await send(requestor, activityId, commands);
  await requestor.get(`${ACTIVITY}/${activityId}/exec/${batchId}?timeout=10&commandIndex=${last}`);
  return (await requestor.get(`${ACTIVITY}/${activityId}/exec/${batchId}`)).json;
}

const sleepScript = [{ run: { entry_point: '/bin/sleep', args: ['600'] } }];
const shell = (text: string): object => ({ run: { entry_point: '/bin/sh', args: ['-c', text] } });

describe('a fault on a call', () => {
  it('drops the connection before the effect, or after it', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      faults.arm({ on: 'createAllocation', do: 'dropBefore' });
      await lost(requestor.allocate());
      expect(await allocations(requestor)).toHaveLength(0);
      faults.arm({ on: 'createAllocation', do: 'dropAfter' });
      await lost(requestor.allocate());
      expect(await allocations(requestor)).toHaveLength(1);
      await requestor.allocate();
      expect(await allocations(requestor)).toHaveLength(2);
    });
  });

  it('answers what it is told to, without the effect or with it', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      faults.arm({ on: 'createAllocation', do: 'answer', status: 504, body: { message: 'too late' } });
      const refused = await requestor.post(`${PAYMENT}/allocations`, { totalAmount: '1' });
      expect(refused).toMatchObject({
        status: 504,
        contentType: 'application/json',
        json: { message: 'too late' },
      });
      faults.arm({ on: 'createAllocation', do: 'answerAfter', status: 500, body: 'boom' });
      const lied = await requestor.post(`${PAYMENT}/allocations`, { totalAmount: '1' });
      expect(lied).toMatchObject({ status: 500, contentType: 'text/plain; charset=utf-8', text: 'boom' });
      expect(await allocations(requestor)).toHaveLength(1);
      faults.arm({ on: 'getVersion', do: 'answer', body: '{"version": "0.1"' });
      expect(await versionOf(requestor)).toMatchObject({ status: 503, text: '{"version": "0.1"' });
    });
  });

  it('delays a request beyond the patience of its client, and lets it take effect then', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      faults.arm({ on: 'createAllocation', do: 'delay', sec: 0.3 });
      const impatient = fetch(`${requestor.url}${PAYMENT}/allocations`, {
        method: 'POST',
        headers: { authorization: `Bearer ${requestor.appKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ totalAmount: '1' }),
        signal: AbortSignal.timeout(100),
      });
      await expect(impatient).rejects.toThrow('aborted due to timeout');
      expect(await allocations(requestor)).toHaveLength(0);
      await requestor.effect('allocation-created');
      expect(await allocations(requestor)).toHaveLength(1);
    });
  });

  it('delays an answer whose effect has happened', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      faults.arm({ on: 'createAllocation', do: 'delayAfter', sec: 0.2 });
      const created = requestor.allocate();
      await requestor.effect('allocation-created');
      expect(await allocations(requestor)).toHaveLength(1);
      expect(await created).toMatch(/^[0-9a-f-]{36}$/);
    });
  });

  it('acts at the node and on the provider that it names, from the n-th time on, so often', async () => {
    const providers = [{ name: 'one' }, { name: 'two' }];
    await withDevnet({ providers, nodes: [{ name: 'bob' }] }, async (alice, devnet) => {
      const bob = new Requestor(devnet.node('bob').url, devnet.node('bob').appKey);
      devnet.faults.arm({ on: 'getVersion', do: 'answer', node: 'bob', nth: 2, times: 2 });
      const statuses = async (who: Requestor): Promise<number[]> => {
        const seen: number[] = [];
        for (let n = 0; n < 4; n++) seen.push((await versionOf(who)).status);
        return seen;
      };
      expect(await statuses(alice)).toEqual([200, 200, 200, 200]);
      expect(await statuses(bob)).toEqual([200, 503, 503, 200]);

      devnet.faults.arm({
        on: 'counterProposalDemand',
        do: 'answer',
        status: 500,
        provider: 'two',
        times: 0,
      });
      const demandId = await alice.subscribe();
      const offers = await alice.events(demandId, 0);
      for (const { proposal } of offers) {
        const answer = await alice.post(
          `${MARKET}/demands/${demandId}/proposals/${proposal.proposalId}`,
          alice.terms({ 'golem.com.payment.chosen-platform': 'erc20-holesky-tglm' }),
        );
        expect(answer.status).toBe(proposal.properties['golem.node.id.name'] === 'two' ? 500 : 200);
      }
    });
  });

  it('acts by chance, and the same chances for the same seed', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      const draw = async (seed: number): Promise<string> => {
        const { id } = faults.arm({ on: 'getVersion', do: 'answer', probability: 0.5, seed, times: 0 });
        let drawn = '';
        for (let n = 0; n < 24; n++) drawn += (await versionOf(requestor)).status === 200 ? '.' : 'x';
        faults.disarm(id);
        return drawn;
      };
      const first = await draw(1);
      expect(first).toMatch(/x/);
      expect(first).toMatch(/\./);
      expect(await draw(1)).toBe(first);
      expect(await draw(2)).not.toBe(first);
    });
  });

  it('takes the node down and up again, with the effect or without', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      devnet.faults.arm({ on: 'createAllocation', do: 'restartNode' });
      await lost(requestor.allocate());
      await devnet.node('requestor').start();
      expect(await allocations(requestor)).toHaveLength(0);
      devnet.faults.arm({ on: 'createAllocation', do: 'restartNodeAfter' });
      await lost(requestor.allocate());
      await devnet.node('requestor').start();
      expect(await allocations(requestor)).toHaveLength(1);
      devnet.faults.arm({ on: 'getVersion', do: 'stopNode' });
      await lost(versionOf(requestor));
      await lost(versionOf(requestor));
      await devnet.node('requestor').start();
      expect((await versionOf(requestor)).status).toBe(200);
    });
  });

  it('that still waits when its node goes down never takes effect', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      devnet.faults.arm({ on: 'createAllocation', do: 'delay', sec: 30 });
      const waiting = lost(requestor.allocate());
      await requestor.effect('fault');
      await devnet.node('requestor').restart();
      await waiting;
      expect(await allocations(requestor)).toHaveLength(0);
    });
  });

  it('tells when it acts, by the effects', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      const { id } = faults.arm({ on: 'getVersion', do: 'answer' });
      await versionOf(requestor);
      expect(await requestor.effect('fault')).toMatchObject({
        ...{ faultId: id, on: 'getVersion', do: 'answer', node: 'requestor' },
      });
    });
  });
});

describe('the network between node and provider', () => {
  it('cut: calls to the provider time out, an agreement can be neither confirmed nor ended; restored, all goes on', async () => {
    await withDevnet({ providers: [{ name: 'one', agreementLimit: 2 }] }, async (requestor, { links }) => {
      const { agreementId, activityId } = await rentVm(requestor);
      const demandId = await requestor.subscribe();
      const [offer] = await requestor.events(demandId);
      const draft = await requestor.negotiate(demandId, offer.proposal.proposalId);
      const second = await requestor.createAgreement(draft.proposal.proposalId);
      links.cut({ node: 'requestor', provider: 'one' });
      const silent = await Promise.all([
        requestor.get(`${ACTIVITY}/${activityId}/state?timeout=0.1`),
        requestor.get(`${ACTIVITY}/${activityId}/usage?timeout=0.1`),
        requestor.post(`${ACTIVITY}/${activityId}/exec?timeout=0.1`, { text: '[]' }),
        requestor.delete(`${ACTIVITY}/${activityId}?timeout=0.1`),
        requestor.post(`${ACTIVITY}?timeout=0.1`, { agreementId }),
      ]);
      for (const answer of silent)
        expect(answer).toMatchObject({ status: 408, json: { message: 'Timeout' } });
      const ended = await requestor.terminate(agreementId);
      expect(ended.status).toBe(500);
      expect(ended.json.message).toMatch(
        /^Protocol error while terminating: Terminate Agreement \[R-[0-9a-f]+\] GSB error: Remote service at `\/net\/0x[0-9a-f]+\/market\/protocol\/mk1\/negotiation\/provider\/agreement\/AgreementTerminated` error: Bad request: endpoint address not found\.\.$/,
      );
      expect((await requestor.post(`${MARKET}/agreements/${second}/confirm`)).status).toBe(500);
      expect((await requestor.get(`${MARKET}/agreements/${second}`)).json.state).toBe('Proposal');
      expect((await requestor.get(`${MARKET}/agreements/${agreementId}`)).json.state).toBe('Approved');
      const unheard = await requestor.subscribe();
      expect(await requestor.events(unheard, 0)).toEqual([]);

      links.restore();
      expect(await requestor.events(unheard)).toHaveLength(1);
      expect((await requestor.get(`${ACTIVITY}/${activityId}/state`)).json.state).toEqual(['Ready', null]);
      expect((await requestor.post(`${MARKET}/agreements/${second}/confirm`)).status).toBe(204);
      expect((await requestor.post(`${MARKET}/agreements/${second}/wait?timeout=10`)).status).toBe(204);
      expect((await requestor.terminate(agreementId)).status).toBe(200);
    });
  });

  it('cut for so long as notes may wait: the provider ends its VM, and says so once it can', async () => {
    const providers = [
      { name: 'one', acceptTimeoutSec: 1, minAcceptTimeoutSec: 0.5, debitNoteIntervalSec: 1 },
    ];
    await withDevnet({ providers }, async (requestor, { links }) => {
      const agreementId = await requestor.rent('s', {
        'golem.com.payment.debit-notes.accept-timeout?': 1,
        'golem.com.scheme.payu.debit-note.interval-sec?': 1,
      });
      await requestor.createActivity(agreementId);
      links.cut({ provider: 'one' });
      await requestor.effect('activity-destroyed');
      expect((await requestor.get(`${MARKET}/agreements/${agreementId}`)).json.state).toBe('Approved');
      links.restore();
      expect(await requestor.effect('agreement-terminated')).toMatchObject({
        terminator: 'Provider',
        reason: {
          'golem.provider.code': 'RequestorUnreachable',
          message: 'Requestor is unreachable more than 1s',
        },
      });
      await requestor.firstEvent('invoice', 's');
    });
  });

  it('cut for some seconds heals by itself', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { links }) => {
      links.cut({}, 0.2);
      const demandId = await requestor.subscribe();
      expect(await requestor.events(demandId, 0)).toEqual([]);
      expect(await requestor.events(demandId)).toHaveLength(1);
    });
  });

  it('a frozen provider stands still, its commands too, and goes on where it was', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { links }) => {
      const { activityId } = await rentVm(requestor);
      const batchId = await send(requestor, activityId, [shell('sleep 0.2; echo done > /golem/output/x')]);
      await requestor.effect('script-started', (await requestor.effect('script-started')).seq);
      links.freeze('one');
      const path = `${ACTIVITY}/${activityId}/exec/${batchId}`;
      expect((await requestor.get(`${path}?timeout=0.5`)).status).toBe(408);
      links.thaw('one');
      expect((await requestor.get(`${path}?timeout=10`)).json).toMatchObject([{ result: 'Ok' }]);
    });
  });

  it('a crashed provider leaves its VM dead and nobody to ask; back again, it bills what there was', async () => {
    await withDevnet({ providers: [{ name: 'one', idleLimitSec: 0.3 }] }, async (requestor, { links }) => {
      const { agreementId, activityId } = await rentVm(requestor);
      await send(requestor, activityId, sleepScript);
      links.crash('one');
      const gone = await requestor.get(`${ACTIVITY}/${activityId}/state`);
      expect(gone).toMatchObject({
        status: 500,
        json: { message: expect.stringMatching(/^GSB error: .*endpoint address not found$/) },
      });
      expect((await requestor.terminate(agreementId)).status).toBe(500);
      links.revive('one');
      expect((await requestor.get(`${ACTIVITY}/${activityId}/state`)).json).toMatchObject({
        ...{ state: ['Terminated', null], reason: 'execution aborted' },
      });
      expect(await requestor.effect('agreement-terminated')).toMatchObject({
        reason: { 'golem.provider.code': 'NoActivity' },
      });
      expect(Number((await requestor.effect('invoice-issued')).amount)).toBeGreaterThan(0);
    });
  });

  it('can fail in the middle of a call', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults, links }) => {
      const { activityId } = await rentVm(requestor);
      faults.arm({ on: 'getActivityState', do: 'cut' });
      expect((await requestor.get(`${ACTIVITY}/${activityId}/state?timeout=0.1`)).status).toBe(408);
      links.restore();
      faults.arm({ on: 'exec', do: 'crash' });
      expect((await requestor.post(`${ACTIVITY}/${activityId}/exec`, { text: '[]' })).status).toBe(500);
    });
  });
});

describe('a fault on a provider’s step', () => {
  const arming = async (
    fault: Parameters<Devnet['faults']['arm']>[0],
    test: (requestor: Requestor, devnet: Devnet) => Promise<void>,
  ): Promise<void> =>
    withDevnet({ providers: ONE, paymentCycleSec: 0.1 }, async (requestor, devnet) => {
      devnet.faults.arm(fault);
      await test(requestor, devnet);
    });

  it('keeps its offer back', async () => {
    await arming({ on: 'provider.offer', do: 'withhold' }, async (requestor) => {
      expect(await requestor.events(await requestor.subscribe(), 0)).toEqual([]);
      expect(await requestor.events(await requestor.subscribe(), 0)).toHaveLength(1);
    });
  });

  it('refuses a counter-proposal', async () => {
    const fault = { on: 'provider.negotiate', do: 'refuse', message: 'not you', isFinal: true };
    await arming(fault, async (requestor) => {
      const demandId = await requestor.subscribe();
      const [offer] = await requestor.events(demandId);
      expect(await requestor.negotiate(demandId, offer.proposal.proposalId)).toMatchObject({
        eventType: 'ProposalRejectedEvent',
        reason: { message: 'not you', 'golem.proposal.rejection.is-final': true },
      });
    });
  });

  it.each([
    ['refuse', 410],
    ['withhold', 408],
  ])('does not approve an agreement (%s)', async (action, status) => {
    await arming({ on: 'provider.approve', do: action }, async (requestor) => {
      const demandId = await requestor.subscribe();
      const [offer] = await requestor.events(demandId);
      const draft = await requestor.negotiate(demandId, offer.proposal.proposalId);
      const agreementId = await requestor.createAgreement(draft.proposal.proposalId);
      await requestor.post(`${MARKET}/agreements/${agreementId}/confirm`);
      expect((await requestor.post(`${MARKET}/agreements/${agreementId}/wait?timeout=0.3`)).status).toBe(
        status,
      );
    });
  });

  it('creates an activity that its requestor never hears of, and refuses the next', async () => {
    await arming({ on: 'provider.createActivity', do: 'loseAnswer' }, async (requestor) => {
      const agreementId = await requestor.rent();
      expect((await requestor.post(`${ACTIVITY}?timeout=0.1`, { agreementId })).status).toBe(408);
      expect((await requestor.get(`${ACTIVITY}?agreementId=${agreementId}`)).json).toEqual([]);
      expect(await requestor.post(ACTIVITY, { agreementId })).toMatchObject({
        status: 500,
        json: { message: expect.stringContaining('Only single Activity allowed') },
      });
    });
  });

  it('refuses an activity', async () => {
    await arming({ on: 'provider.createActivity', do: 'refuse', message: 'no disk' }, async (requestor) => {
      const agreementId = await requestor.rent();
      expect(await requestor.post(ACTIVITY, { agreementId })).toMatchObject({
        status: 500,
        json: { message: 'Service error: no disk' },
      });
    });
  });

  it.each([
    ['deploy', 0],
    ['start', 1],
    ['run', 2],
  ])('fails at %s', async (step, index) => {
    await arming({ on: `provider.${step}`, do: 'fail', message: 'broken' }, async (requestor) => {
      const activityId = await requestor.createActivity(await requestor.rent());
      const results = await run(requestor, activityId, [{ deploy: {} }, { start: {} }, shell('true')], index);
      expect(results[index]).toMatchObject({ result: 'Error', message: 'broken' });
      expect(results).toHaveLength(index + 1);
    });
  });

  it('hangs in the middle of a script until it is destroyed', async () => {
    await arming({ on: 'provider.start', do: 'hang' }, async (requestor) => {
      const activityId = await requestor.createActivity(await requestor.rent());
      const batchId = await send(requestor, activityId, [{ deploy: {} }, { start: {} }]);
      const path = `${ACTIVITY}/${activityId}/exec/${batchId}`;
      expect((await requestor.get(`${path}?timeout=0.3&commandIndex=1`)).status).toBe(408);
      expect((await requestor.delete(`${ACTIVITY}/${activityId}`)).status).toBe(200);
    });
  });

  it('dies in the middle of a command', async () => {
    await arming({ on: 'provider.run', do: 'die' }, async (requestor) => {
      const { activityId } = await rentVm(requestor);
      await send(requestor, activityId, sleepScript);
      await requestor.effect('activity-destroyed');
      expect((await requestor.get(`${ACTIVITY}/${activityId}/state`)).json.reason).toBe('execution aborted');
    });
  });

  const notes = async (requestor: Requestor): Promise<Answer['json'][]> =>
    (await requestor.get(`${PAYMENT}/debitNotes`)).json;
  const invoices = async (requestor: Requestor): Promise<Answer['json'][]> =>
    (await requestor.get(`${PAYMENT}/invoices`)).json;
  const finish = async (requestor: Requestor): Promise<string> => {
    const { agreementId, activityId } = await rentVm(requestor);
    await requestor.delete(`${ACTIVITY}/${activityId}`);
    await requestor.terminate(agreementId);
    return agreementId;
  };

  it.each([
    ['tooMuch', (note: Answer['json'], honest: number) => Number(note.totalAmountDue) > 5 * honest],
    ['impossibleUsage', (note: Answer['json'], honest: number) => Number(note.totalAmountDue) > 5 * honest],
    ['payable', (note: Answer['json']) => note.paymentDueDate !== undefined],
  ])('bills a note dishonestly (%s)', async (action, isSo) => {
    const factor = action === 'payable' ? undefined : 1000;
    await arming({ on: 'provider.debitNote', do: action, factor }, async (requestor) => {
      await finish(requestor);
      const [note] = await notes(requestor);
      const [cpu, duration] = note.usageCounterVector as [number, number];
      const scale = action === 'impossibleUsage' ? 1000 : 1;
      expect(isSo(note, (cpu * 0.1 + duration * 0.05) / 3600 / scale)).toBe(true);
    });
  });

  it('sends a note twice, or not at all', async () => {
    await arming({ on: 'provider.debitNote', do: 'twice' }, async (requestor, { faults }) => {
      await finish(requestor);
      const twice = await notes(requestor);
      expect(twice.map((note) => note.totalAmountDue)).toEqual([
        twice[0].totalAmountDue,
        twice[0].totalAmountDue,
      ]);
      faults.arm({ on: 'provider.debitNote', do: 'withhold' });
      await finish(requestor);
      expect(await notes(requestor)).toHaveLength(2);
    });
  });

  it('sends a note for another agreement', async () => {
    const providers = [{ name: 'one', agreementLimit: 2 }];
    await withDevnet({ providers }, async (requestor, { faults }) => {
      const other = await requestor.rent();
      faults.arm({ on: 'provider.debitNote', do: 'otherAgreement' });
      const { activityId } = await rentVm(requestor);
      await requestor.delete(`${ACTIVITY}/${activityId}`);
      expect(await notes(requestor)).toMatchObject([{ agreementId: other, activityId }]);
    });
  });

  it('sends a second, different invoice; a note after it; one of zero; one too large; one late; or none', async () => {
    await arming({ on: 'provider.invoice', do: 'twice' }, async (requestor, { faults }) => {
      const billed = async (action: string | undefined, of: string): Promise<Answer['json'][]> => {
        const settings = { tooMuch: { factor: 3 }, delay: { sec: 0.2 } }[action ?? ''];
        if (action) faults.arm({ on: 'provider.invoice', do: action, ...settings });
        const agreementId = await finish(requestor);
        if (of === 'invoice') await requestor.effect('invoice-issued', before);
        before = (await requestor.admin('/effects')).at(-1).seq;
        return (await invoices(requestor)).filter((invoice) => invoice.agreementId === agreementId);
      };
      let before = 0;
      const [first, second] = await billed(undefined, 'invoice');
      expect(Number(second.amount)).toBeLessThan(Number(first.amount));
      const seen = (await notes(requestor)).length;
      await billed('noteAfter', 'invoice');
      expect(await notes(requestor)).toHaveLength(seen + 2);
      expect((await billed('zero', 'invoice'))[0].amount).toBe('0');
      const [large] = await billed('tooMuch', 'invoice');
      const last = (await notes(requestor)).at(-1);
      expect(Number(large.amount)).toBeCloseTo(3 * Number(last.totalAmountDue), 12);
      expect(await billed('delay', 'invoice')).toHaveLength(1);
      expect(await billed('withhold', 'none')).toEqual([]);
    });
  });
});

describe('arming a fault by the admin API', () => {
  it('lists what is armed, how often it matched and acted, and takes it back', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { adminUrl }) => {
      const call = async (
        method: string,
        path: string,
        body?: unknown,
      ): Promise<[number, Answer['json']]> => {
        const response = await fetch(`${adminUrl}${path}`, {
          method,
          ...(body === undefined
            ? {}
            : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        });
        return [response.status, await response.json()];
      };
      const [status, armed] = await call('POST', '/faults', { on: 'getVersion', do: 'answer', nth: 2 });
      expect([status, armed]).toEqual([
        200,
        expect.objectContaining({ on: 'getVersion', matches: 0, hits: 0 }),
      ]);
      await versionOf(requestor);
      await versionOf(requestor);
      expect(await call('GET', '/faults')).toEqual([
        200,
        [expect.objectContaining({ id: armed.id, matches: 2, hits: 1 })],
      ]);
      expect(await call('DELETE', `/faults/${armed.id}`)).toEqual([200, []]);
      expect(await call('DELETE', `/faults/${armed.id}`)).toEqual([
        404,
        { message: `no fault ${armed.id} is armed` },
      ]);
      expect(await call('POST', '/faults', { on: 'createAgrement', do: 'delay' })).toEqual([
        400,
        { message: 'on: there is no "createAgrement"; did you mean "createAgreement"?' },
      ]);
      expect(await call('POST', '/faults', { on: 'provider.run', do: 'zero' })).toEqual([
        400,
        { message: `do: "zero" can't happen on provider.run; what can: fail, hang, delay, die` },
      ]);
      expect(await call('POST', '/faults', { on: '*', do: 'delay', provider: 'nobody' })).toEqual([
        404,
        { message: 'no provider is named "nobody"; there are: one' },
      ]);
      expect(await call('POST', '/providers/one/freeze', { sec: 0.1 })).toEqual([
        200,
        { cuts: [], frozen: ['one'], crashed: [] },
      ]);
      expect(await call('POST', '/links/cut', { provider: 'one' })).toMatchObject([
        200,
        { cuts: [{ provider: 'one' }] },
      ]);
      expect(await call('POST', '/links/restore')).toEqual([200, { cuts: [], frozen: [], crashed: [] }]);
    });
  });
});
