/** Who reaches whom on the local network: cuts, and providers that freeze, crash or lose their VMs. */
import { join } from 'node:path';
import { withDevnet, type Requestor } from './support/devnet-requestor';
import {
  ACTIVITY,
  agreementState,
  finish,
  MARKET,
  notes,
  PAYMENT,
  rentVm,
  send,
  shell,
  SLEEP,
  stateOf,
} from './support/devnet-vm';
import { tempDir } from './support/temp-dir';

const ONE = [{ name: 'one' }];
const folder = tempDir('links');

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
    await withDevnet({ providers }, async (requestor, { links, effects }) => {
      const agreementId = await requestor.rent('s', {
        'golem.com.payment.debit-notes.accept-timeout?': 1,
        'golem.com.scheme.payu.debit-note.interval-sec?': 1,
      });
      void effects.next('activity-created').then(() => links.cut({ provider: 'one' }));
      await requestor.createActivity(agreementId);
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
      expect(links.state().cuts).toHaveLength(1);
      expect(await requestor.events(await requestor.subscribe())).toHaveLength(1);
      // Not before.
      expect(links.state().cuts).toEqual([]);
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

  it('a crashed provider leaves its VM dead and nobody to ask; back again, it knows nothing of its agreements', async () => {
    const options = {
      providers: [
        { name: 'one', idleLimitSec: 1.5, minDebitNoteIntervalSec: 0.1, debitNoteIntervalSec: 0.1 },
      ],
      dataDir: join(folder, 'crashed'),
    };
    let rented = { agreementId: '', activityId: '' };
    let lastNote = 0;
    const isForgotten = async (requestor: Requestor): Promise<void> => {
      const { agreementId, activityId } = rented;
      const batchId = '0'.repeat(32);
      const path = `${ACTIVITY}/${activityId}`;
      // What its yagna answers by itself, what nobody answers, and what is not there.
      expect(await stateOf(requestor, activityId)).toEqual({ state: ['Unresponsive', null] });
      expect((await requestor.get(`${path}/usage`)).json.currentUsage).toHaveLength(2);
      expect((await requestor.post(`${ACTIVITY}?timeout=0`, { agreementId })).status).toBe(408);
      expect((await requestor.delete(`${path}?timeout=0`)).status).toBe(408);
      for (const gone of [
        await requestor.post(`${path}/exec`, { text: '[]' }),
        await requestor.get(`${path}/exec/${batchId}`),
      ])
        expect(gone.json.message).toMatch(/^GSB error: .*endpoint address not found$/);
      // A whole second of deadlines and intervals later there is neither an end nor a note.
      expect(await agreementState(requestor, agreementId)).toBe('Approved');
      expect(await notes(requestor)).toHaveLength(lastNote);
    };
    await withDevnet(options, async (requestor, { links }) => {
      rented = await rentVm(requestor);
      await send(requestor, rented.activityId, [SLEEP]);
      await requestor.effect('debit-note-issued');
      links.crash('one');
      lastNote = (await notes(requestor)).length;
      expect(await requestor.get(`${ACTIVITY}/${rented.activityId}/state`)).toMatchObject({
        status: 500,
        json: { message: expect.stringMatching(/^GSB error: .*endpoint address not found$/) },
      });
      expect((await requestor.terminate(rented.agreementId)).status).toBe(500);
      expect(await requestor.effect('activity-destroyed')).toMatchObject({ cause: 'crash of provider one' });
      links.revive('one');
      await isForgotten(requestor);
    });
    // Nor does it remember when the whole network has been down.
    await withDevnet(options, async (requestor) => {
      await isForgotten(requestor);
      expect((await requestor.terminate(rented.agreementId)).status).toBe(200);
      await finish(requestor, await rentVm(requestor, 'next'));
      await requestor.firstEvent('invoice', 'next');
      expect((await requestor.get(`${PAYMENT}/invoices`)).json).toMatchObject([
        { agreementId: expect.not.stringContaining(rented.agreementId) },
      ]);
    });
  });

  it('a provider whose VMs were killed goes on with its agreement: it bills them, and waits for the next', async () => {
    await withDevnet({ providers: [{ name: 'one', idleLimitSec: 1.5 }] }, async (requestor, { links }) => {
      const { agreementId, activityId } = await rentVm(requestor);
      links.killVms('one');
      expect(await requestor.firstEvent('debitNote', 's')).toBeDefined();
      expect(await stateOf(requestor, activityId)).toMatchObject({ reason: 'execution aborted' });
      const next = await requestor.createActivity(agreementId);
      await requestor.delete(`${ACTIVITY}/${next}`);
      expect((await requestor.effect('agreement-terminated')).reason).toMatchObject({
        'golem.provider.code': 'NoActivity',
      });
      await requestor.firstEvent('invoice', 's');
    });
  });
});
