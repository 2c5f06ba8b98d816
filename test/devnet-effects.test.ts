/** The devnet's record of effects and its faults, as a test in the same process uses them. */
import { startDevnet, type FaultInput } from '../devnet';
import { Requestor, withDevnet } from './support/devnet-requestor';

const ONE = [{ name: 'one' }];

describe('effects', () => {
  it('say what they go back to: a call at a node, a provider, or a timer', async () => {
    await withDevnet({ providers: ONE, nodes: [{ name: 'bob' }] }, async (alice, devnet) => {
      const bob = new Requestor(devnet.node('bob').url, devnet.node('bob').appKey);
      await alice.post('/payment-api/v1/allocations', {
        totalAmount: '1',
        timeout: new Date(Date.now() + 200).toISOString(),
      });
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
        'allocation-created': 'createAllocation at node requestor',
        'allocation-released': 'expiry',
        'demand-created': 'subscribeDemand at node bob',
        'demand-removed': 'unsubscribeDemand at node bob',
        'proposal-countered': 'counterProposalDemand at node bob',
        'agreement-created': 'createAgreement at node bob',
        'agreement-confirmed': 'confirmAgreement at node bob',
        'agreement-approved': 'provider one',
        'activity-created': 'createActivity at node bob',
        'script-started': 'exec at node bob',
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
    const waiting = devnet.effects.next('paid');
    await devnet.close();
    await expect(waiting).rejects.toThrow('the devnet was closed');
  });
});

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
