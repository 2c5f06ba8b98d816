/** The devnet's record of effects and its faults, as a test in the same process uses them. */
import { startDevnet, type Devnet, type Effect, type EffectKind, type FaultInput } from '../devnet';
import { EFFECTS } from '../devnet/effect-kinds';
import { PLATFORM, Requestor, withDevnet } from './support/devnet-requestor';
import { acceptInvoice, adminPost, invoicedRental } from './support/devnet-rental';

const ONE = [{ name: 'one' }];
const [MARKET, PAYMENT, ACTIVITY] = ['/market-api/v1', '/payment-api/v1', '/activity-api/v1/activity'];

/** What an action brought about, as kind and cause; each effect has the fields that its kind has. */
async function brought(devnet: Devnet, action: () => Promise<unknown>): Promise<string[]> {
  const before = devnet.effects.all().length;
  await action();
  return devnet.effects.all(before).map((effect) => {
    const { seq: _seq, at: _at, kind, cause, ...fields } = effect;
    EFFECTS[kind].fields.strict().parse(fields);
    return `${kind} by ${cause}`;
  });
}

function run(...lines: string[]): { text: string } {
  const commands = lines.map((line) => ({ run: { entry_point: '/bin/sh', args: ['-c', line] } }));
  return { text: JSON.stringify([{ deploy: {} }, { start: {} }, ...commands]) };
}

describe('effects', () => {
  it('say what they go back to: a call at a node, a provider, or a timer', async () => {
    await withDevnet({ providers: ONE, nodes: [{ name: 'bob' }] }, async (alice, devnet) => {
      const bob = new Requestor(devnet.node('bob').url, devnet.node('bob').appKey);
      const allocation = await alice.post('/payment-api/v1/allocations', {
        totalAmount: '1',
        timeout: new Date(Date.now() + 2000).toISOString(),
      });
      expect(allocation.status).toBe(201);
      const agreementId = await bob.rent();
      const activityId = await bob.createActivity(agreementId);
      await bob.post(`/activity-api/v1/activity/${activityId}/exec`, { text: '[{"deploy": {}}]' });
      await devnet.effects.next('script-finished', 0);
      await bob.terminate(agreementId);
      await devnet.effects.next('invoice-issued', 0);
      await devnet.effects.next('allocation-released', 0);
      await fetch(`${devnet.adminUrl}/providers/one/freeze`, { method: 'POST' });
      const causes = Object.fromEntries(devnet.effects.all().map(({ kind, cause }) => [kind, cause]));
      expect(causes).toEqual({
        'node-started': 'devnet',
        'wallet-opened': 'createAllocation at node requestor',
        'allocation-created': 'createAllocation at node requestor',
        'allocation-released': 'expiry',
        'demand-created': 'subscribeDemand at node bob',
        'demand-removed': 'unsubscribeDemand at node bob',
        'proposals-collected': 'collectOffers at node bob',
        'proposal-countered': 'counterProposalDemand at node bob',
        'proposal-drafted': 'provider one',
        'agreement-created': 'createAgreement at node bob',
        'agreement-confirmed': 'confirmAgreement at node bob',
        'agreement-approved': 'provider one',
        'activity-created': 'createActivity at node bob',
        'script-received': 'exec at node bob',
        'script-started': 'exec at node bob',
        'command-started': 'provider one',
        'command-finished': 'provider one',
        'script-finished': 'provider one',
        'agreement-terminated': 'terminateAgreement at node bob',
        'activity-destroyed': 'provider one',
        'debit-note-issued': 'provider one',
        'invoice-issued': 'provider one',
        'provider-frozen': 'POST /providers/one/freeze of the admin API',
      });
    });
  });

  it('of what a provider does later by itself go back to the provider', async () => {
    const providers = [{ name: 'one', idleLimitSec: 0.2 }];
    await withDevnet({ providers, paymentCycleSec: 0 }, async (requestor, { effects }) => {
      const allocationId = await requestor.allocate();
      await requestor.rent('s');
      const { invoiceId } = await requestor.firstEvent('invoice', 's');
      await requestor.post(`/payment-api/v1/invoices/${invoiceId}/accept`, {
        totalAmountAccepted: '0',
        allocationId,
      });
      const settled = await effects.next('invoice-settled', 0);
      expect(settled.cause).toBe('acceptInvoice at node requestor');
      const [terminated] = effects.all(0, ['agreement-terminated']);
      expect(terminated).toMatchObject({ terminator: 'Provider', cause: 'provider one' });
      expect(effects.all(settled.seq)).toEqual([]);
    });
  });

  it('are waited for one by one, from now on or after another one', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { effects }) => {
      await requestor.allocate('1');
      const next = effects.next('allocation-created');
      await requestor.allocate('2');
      await requestor.allocate('3');
      const second = await next;
      expect(second).toMatchObject({ amount: '2' });
      expect(await effects.next('allocation-created', second.seq)).toMatchObject({ amount: '3' });
      expect(await effects.next('allocation-created', 0)).toMatchObject({ amount: '1' });
    });
  });

  it('are waited for no longer than their signal or the devnet lasts', async () => {
    const devnet = await startDevnet({ providers: ONE });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(devnet.effects.next('paid', 0, { signal })).rejects.toThrow('enough');
    const told = expect(devnet.effects.next('paid')).rejects.toThrow('the devnet was closed');
    await devnet.close();
    await told;
  });
});

describe('effects tell of', () => {
  it('every turn of a negotiation: what was read, drafts, refusals by either side', async () => {
    const providers = [{ name: 'one' }, { name: 'two' }];
    await withDevnet({ providers }, async (requestor, devnet) => {
      const { effects } = devnet;
      // The poll waits before there is anything: what it reads is still its own doing.
      devnet.faults.arm({ on: 'provider.offer', do: 'delay', sec: 0.1, times: 0 });
      const demandId = await requestor.subscribe();
      const offers = await requestor.events(demandId);
      const read = await effects.next('proposals-collected', 0);
      expect(read).toMatchObject({
        demandId,
        drafts: [],
        refusals: [],
        cause: 'collectOffers at node requestor',
      });
      if (offers.length === 1) offers.push(...(await requestor.events(demandId)));
      const [first, second] = offers.map(({ proposal }) => proposal.proposalId as string);
      expect(read.offers[0]).toEqual({ proposalId: first, providerId: offers[0].proposal.issuerId });

      const soon = { 'golem.srv.comp.expiration': Date.now() + 1000 };
      const refused = await requestor.negotiate(demandId, first ?? '', soon);
      const refusal = await effects.next('proposal-refused', read.seq);
      expect(refusal).toMatchObject({
        ...{ proposalId: refused.proposalId, message: refused.reason.message, isFinal: true },
        providerId: read.offers[0]?.providerId,
        cause: expect.stringMatching(/^provider (one|two)$/),
      });
      const draft = (await requestor.negotiate(demandId, second ?? '')).proposal;
      const countered = await effects.next('proposal-countered', refusal.seq);
      expect(countered).toMatchObject({ prevProposalId: second });
      expect(await effects.next('proposal-drafted', countered.seq)).toMatchObject({
        ...{ demandId, proposalId: draft.proposalId, prevProposalId: countered.proposalId },
      });
      const collected = effects.all(refusal.seq, ['proposals-collected']);
      expect(
        collected.map(({ drafts, refusals }) => [...refusals, ...drafts].map((one) => one.proposalId)),
      ).toEqual([[refused.proposalId], [draft.proposalId]]);
      await requestor.post(`${MARKET}/demands/${demandId}/proposals/${draft.proposalId}/reject`, {
        message: 'no',
      });
      expect(effects.all(0, ['proposal-rejected'])).toMatchObject([
        { demandId, proposalId: draft.proposalId, cause: 'rejectProposalOffer at node requestor' },
      ]);
    });
  });

  it('scans and what they found', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      const told = await brought(devnet, async () => {
        const { json: id } = await requestor.post(`${MARKET}/scan`, { type: 'offer' });
        expect((await requestor.get(`${MARKET}/scan/${id}/events?timeout=0`)).json).toHaveLength(1);
        await requestor.delete(`${MARKET}/scan/${id}`);
      });
      expect(told).toEqual([
        'scan-begun by beginScan at node requestor',
        'offers-scanned by collectScan at node requestor',
        'scan-ended by endScan at node requestor',
      ]);
    });
  });

  it('what a node forgets when it goes down', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      const gone = await requestor.subscribe();
      await requestor.delete(`${MARKET}/demands/${gone}`);
      const demandId = await requestor.subscribe();
      await requestor.post(`${MARKET}/scan`, { type: 'offer' });
      await requestor.post('/net-api/v1/net', { ip: '192.168.0.0/24' });
      const told = await brought(devnet, () => adminPost(devnet, '/nodes/requestor/restart', {}));
      const cause = 'POST /nodes/requestor/restart of the admin API';
      expect(told.sort()).toEqual(
        ['demand-forgotten', 'network-forgotten', 'node-started', 'node-stopped', 'scan-forgotten'].map(
          (kind) => `${kind} by ${cause}`,
        ),
      );
      expect(devnet.effects.all(0, ['demand-forgotten'])).toMatchObject([{ demandId }]);
    });
  });

  it('agreements that nobody signs in time', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { effects, faults }) => {
      faults.arm({ on: 'provider.approve', do: 'withhold', times: 0 });
      const draft = async (): Promise<string> => {
        const demandId = await requestor.subscribe();
        const [offer] = await requestor.events(demandId);
        return (await requestor.negotiate(demandId, offer.proposal.proposalId as string)).proposal.proposalId;
      };
      const proposed = await requestor.createAgreement(await draft(), 0.3);
      const pending = await requestor.createAgreement(await draft(), 0.5);
      await requestor.post(`${MARKET}/agreements/${pending}/confirm`);
      const first = await effects.next('agreement-expired', 0);
      expect(first).toMatchObject({ agreementId: proposed, cause: 'expiry' });
      expect(await effects.next('agreement-expired', first.seq)).toMatchObject({ agreementId: pending });
      expect((await requestor.get(`${MARKET}/agreements/${pending}`)).json.state).toBe('Expired');
    });
  });

  it('every command of a script, and of what was cut short', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { effects, faults }) => {
      const agreementId = await requestor.rent();
      const activityId = await requestor.createActivity(agreementId);
      // Nothing is over before all has come.
      faults.arm({ on: 'provider.deploy', do: 'delay', sec: 1 });
      faults.arm({ on: 'provider.run', do: 'die', nth: 2 });
      const ran = await requestor.post(`${ACTIVITY}/${activityId}/exec`, run('exit 3', 'never'));
      const died = await requestor.post(`${ACTIVITY}/${activityId}/exec`, {
        text: JSON.stringify([JSON.parse(run('x').text)[2]]),
      });
      const queued = await requestor.post(`${ACTIVITY}/${activityId}/exec`, { text: '[{"start": {}}]' });
      expect(await effects.next('activity-destroyed', 0)).toMatchObject({
        reason: 'died',
        cause: 'provider one',
      });
      const of = ({ json }: { json: unknown }): unknown[] =>
        effects
          .all()
          .filter((effect) => 'batchId' in effect && effect.batchId === json)
          .map((effect) => [effect.kind, ...outcome(effect)]);
      expect(of(ran)).toEqual([
        ['script-received'],
        ['script-started'],
        ['command-started', 0, 'deploy'],
        ['command-finished', 0, 'deploy', 'Ok', 0],
        ['command-started', 1, 'start'],
        ['command-finished', 1, 'start', 'Ok', 0],
        ['command-started', 2, 'run'],
        ['command-finished', 2, 'run', 'Error', 3],
        ['script-finished', 'Error'],
      ]);
      expect(of(died)).toEqual([
        ['script-received'],
        ['script-started'],
        ['command-started', 0, 'run'],
        ['script-finished', 'Interrupted'],
      ]);
      expect(of(queued)).toEqual([['script-received'], ['script-finished', 'Interrupted']]);
    });
  });

  it('why a VM is gone', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { effects, links }) => {
      const rented = async (): Promise<[string, string]> => {
        const agreementId = await requestor.rent();
        return [agreementId, await requestor.createActivity(agreementId)];
      };
      const [first, destroyed] = await rented();
      await requestor.delete(`${ACTIVITY}/${destroyed}`);
      const ended = await requestor.createActivity(first);
      await requestor.terminate(first);
      await effects.next('invoice-issued', 0);
      const [, crashed] = await rented();
      const { seq } = effects.all().at(-1)!; // there are some
      links.crash('one');
      await effects.next('activity-destroyed', seq);
      expect(effects.all(0, ['activity-destroyed'])).toMatchObject([
        { activityId: destroyed, reason: 'destroyed' },
        { activityId: ended, reason: 'agreement-ended' },
        { activityId: crashed, reason: 'provider-crashed' },
      ]);
    });
  });

  it('money: the first of a wallet, transfers, what an amended allocation holds, settled notes', async () => {
    await withDevnet({ providers: ONE, paymentCycleSec: 0, funds: '7' }, async (requestor, devnet) => {
      const { effects } = devnet;
      const requestorId = (await requestor.get('/me')).json.identity as string;
      const allocationId = await requestor.allocate('1');
      expect(effects.all(0, ['wallet-opened', 'allocation-created'])).toMatchObject([
        { kind: 'wallet-opened', requestorId, platform: PLATFORM, amount: '7' },
        { kind: 'allocation-created', requestorId, platform: PLATFORM, amount: '1' },
      ]);
      const { json } = await requestor.call('PUT', `${PAYMENT}/allocations/${allocationId}`, {
        totalAmount: '2',
      });
      expect(effects.all(0, ['allocation-amended'])).toMatchObject([
        { allocationId, amount: '2', timeout: json.timeout },
      ]);
      const transfer = { to: `0x${'a'.repeat(40)}`, amount: '3' };
      await adminPost(devnet, '/transfers', transfer);
      devnet.wallets.move({
        kind: 'transfer',
        platform: PLATFORM,
        from: 'treasury',
        ...transfer,
        amount: '4',
      });
      expect(effects.all(0, ['money-transferred'])).toMatchObject([
        { from: 'treasury', ...transfer, cause: 'POST /transfers of the admin API' },
        { from: 'treasury', ...transfer, amount: '4', cause: 'devnet' },
      ]);
      const invoice = await invoicedRental(requestor, 's');
      const { debitNoteId } = await requestor.firstEvent('debitNote', 's');
      const { json: note } = await requestor.get(`${PAYMENT}/debitNotes/${debitNoteId}`);
      await requestor.post(`${PAYMENT}/debitNotes/${debitNoteId}/accept`, {
        ...{ totalAmountAccepted: note.totalAmountDue, allocationId },
      });
      expect(await effects.next('debit-note-settled', 0)).toMatchObject({
        ...{
          debitNoteId,
          agreementId: invoice.agreementId,
          amount: note.totalAmountDue,
          cause: 'payment cycle',
        },
      });
      await acceptInvoice(requestor, invoice, allocationId);
      expect(await effects.next('invoice-settled', 0)).toMatchObject({ amount: invoice.amount });
    });
  });

  it('virtual networks, providers that shut down and reopen, faults, cuts and nodes that move', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      const net = '/net-api/v1/net';
      const told = await brought(devnet, async () => {
        const { id } = (await requestor.post(net, { ip: '192.168.0.0/24' })).json;
        await requestor.post(`${net}/${id}/addresses`, { ip: '192.168.0.2' });
        await requestor.post(`${net}/${id}/nodes`, { id: '0x1', ip: '192.168.0.3' });
        await requestor.post(`${net}/${id}/nodes`, { id: '0x2', ip: '192.168.0.3' });
        await requestor.delete(`${net}/${id}/nodes/0x1`);
        await requestor.delete(`${net}/${id}`);
        for (const action of [
          'shutdown',
          'shutdown',
          'reopen',
          'reopen',
          'crash',
          'revive',
          'freeze',
          'thaw',
        ])
          await adminPost(devnet, `/providers/one/${action}`, {});
        await adminPost(devnet, '/links/cut', { provider: 'one' });
        await adminPost(devnet, '/links/restore', {});
        const [, { id: fault }] = await adminPost(devnet, '/faults', { on: 'getVersion', do: 'delay' });
        await fetch(`${devnet.adminUrl}/faults/${fault}`, { method: 'DELETE' });
        await adminPost(devnet, '/nodes/requestor/restart', { port: 0 });
      });
      expect(told.map((one) => one.split(' ')[0])).toEqual([
        ...['network-created', 'network-address-added', 'network-node-added', 'network-node-removed'],
        ...[
          'network-removed',
          'provider-shut-down',
          'provider-reopened',
          'provider-crashed',
          'provider-revived',
        ],
        ...[
          'provider-frozen',
          'provider-thawed',
          'link-cut',
          'link-restored',
          'fault-armed',
          'fault-cleared',
        ],
        ...['node-stopped', 'node-started'],
      ]);
      const [before, after] = devnet.effects.all(0, ['node-started']);
      expect(after?.port).not.toBe(before?.port);
    });
  });
});

describe('a kind of effect that there is none of', () => {
  it('is refused, and what was meant is named', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { effects }) => {
      // @ts-expect-error what the compiler says
      const typo: EffectKind = 'alocation-created';
      expect(() => effects.next(typo)).toThrow('did you mean "allocation-created"?');
      expect(() => effects.all(0, ['paid', typo])).toThrow('no effect is of the kind "alocation-created"');
      const { status, json } = await new Requestor(requestor.adminUrl, '').get(`/effects?kind=paid,${typo}`);
      expect([status, json]).toEqual([
        400,
        { message: 'no effect is of the kind "alocation-created"; did you mean "allocation-created"?' },
      ]);
      expect((await requestor.admin('/effects?kind=nothing')).message).toContain(
        'there are: wallet-opened, ',
      );
    });
  });
});

/** Which command of a script, and what came of it. */
function outcome(effect: Effect): unknown[] {
  if (effect.kind === 'command-started') return [effect.index, effect.command];
  if (effect.kind === 'command-finished')
    return [effect.index, effect.command, effect.result, effect.exitCode];
  return effect.kind === 'script-finished' ? [effect.result] : [];
}

describe('an armed fault', () => {
  it('tells when it has acted, so often', async () => {
    await withDevnet({ providers: ONE }, async (requestor, { faults }) => {
      const fault: FaultInput = { on: 'getVersion', do: 'answer', times: 0 };
      const armed = faults.arm(fault);
      const [once, twice] = [armed.hit(), armed.hit(2)];
      await requestor.get('/version/get');
      await once;
      expect(armed.hits).toBe(1);
      await requestor.get('/version/get');
      await twice;
      const never = armed.hit(3);
      faults.disarm(armed.id);
      await expect(never).rejects.toThrow('answer on getVersion was disarmed after it had acted 2 times');
    });
  });

  it('lets a test act at the very moment: what is open is known there and then', async () => {
    await withDevnet({ providers: ONE }, async (requestor, devnet) => {
      const held = devnet.faults.arm({ on: 'createAgreement', do: 'delayAfter', sec: 600 });
      requestor.rent().catch(() => undefined);
      const { agreementId } = await devnet.effects.next('agreement-created');
      await held.hit();
      expect(devnet.open()).toMatchObject({
        counts: { agreements: 1, activities: 0 },
        agreements: [{ id: agreementId, state: 'Proposal' }],
      });
    });
  });
});
