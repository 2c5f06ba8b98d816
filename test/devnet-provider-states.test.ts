/** The life of an agreement on the provider's side, as ya-provider lives it. */
import { PLATFORM, withDevnet, type Requestor } from './support/devnet-requestor';

const MARKET = '/market-api/v1';
const ACCEPT_TIMEOUT = 'golem.com.payment.debit-notes.accept-timeout?';
const PAYMENT_TIMEOUT = 'golem.com.scheme.payu.payment-timeout-sec?';

const ended = async (requestor: Requestor): Promise<unknown> =>
  (await requestor.effect('agreement-terminated')).reason;

describe('a provider', () => {
  it('that is shut down ends its agreements, bills them, and offers nothing until it is back', async () => {
    await withDevnet({ providers: [{ name: 'one' }] }, async (requestor, devnet) => {
      const agreementId = await requestor.rent('s');
      const activityId = await requestor.createActivity(agreementId);
      await devnet.shutDownProvider('one');
      expect(await ended(requestor)).toEqual({
        message: 'Shutting down Provider',
        'golem.provider.code': 'Shutdown',
      });
      const { status, json } = await requestor.get(`/activity-api/v1/activity/${activityId}/state`);
      expect({ status, state: json.state }).toEqual({ status: 200, state: ['Terminated', null] });
      const { invoiceId } = await requestor.firstEvent('invoice', 's');
      expect((await requestor.get(`/payment-api/v1/invoices/${invoiceId}`)).json).toMatchObject({
        agreementId,
        activityIds: [activityId],
      });

      const demandId = await requestor.subscribe();
      expect(await requestor.events(demandId, 0)).toEqual([]);
      expect((await requestor.get(`${MARKET}/offers`)).json).toEqual([]);
      devnet.reopenProvider('one');
      expect(await requestor.events(demandId)).toHaveLength(1);
      await expect(devnet.shutDownProvider('two')).rejects.toThrow(
        /no provider is named "two"; there are: one/,
      );
    });
  });

  it('can be shut down and opened again over the admin API; what it had offered is answered by nobody', async () => {
    await withDevnet({ providers: [{ name: 'one' }] }, async (requestor) => {
      const post = async (path: string): Promise<{ status: number; json: unknown }> => {
        const response = await fetch(`${requestor.adminUrl}${path}`, { method: 'POST' });
        return { status: response.status, json: await response.json() };
      };
      const demandId = await requestor.subscribe();
      const [offer] = await requestor.events(demandId);
      const draft = await requestor.negotiate(demandId, offer.proposal.proposalId as string);
      const agreementId = await requestor.createAgreement(draft.proposal.proposalId as string);
      expect(await post('/providers/one/shutdown')).toEqual({
        status: 200,
        json: { name: 'one', open: false },
      });
      expect((await requestor.post(`${MARKET}/agreements/${agreementId}/confirm`)).status).toBe(204);
      expect((await requestor.post(`${MARKET}/agreements/${agreementId}/wait?timeout=0.2`)).status).toBe(408);
      expect((await post('/providers/two/shutdown')).status).toBe(404);
      expect(await post('/providers/one/reopen')).toEqual({ status: 200, json: { name: 'one', open: true } });
      expect(await requestor.events(demandId)).toMatchObject([{ eventType: 'ProposalEvent' }]);
    });
  });

  it('that approves an agreement too late ends it at once', async () => {
    const providers = [{ name: 'late', minExpirationSec: 0, approveSec: 2.1 }];
    await withDevnet({ providers }, async (requestor) => {
      const expiration = Date.now() + 2000;
      await requestor.rent('s', { 'golem.srv.comp.expiration': expiration });
      expect(await ended(requestor)).toEqual({
        message: `Failed to initialize. Error: Agreement expired before start. Expiration ${new Date(expiration).toISOString()}`,
        'golem.provider.code': 'InitializationError',
      });
    });
  });

  it('ends the agreement with its first activity when the demand is for one', async () => {
    await withDevnet({ providers: [{ name: 'one' }] }, async (requestor) => {
      const agreementId = await requestor.rent('s', { 'golem.srv.caps.multi-activity': false });
      const activityId = await requestor.createActivity(agreementId);
      await requestor.delete(`/activity-api/v1/activity/${activityId}`);
      expect(await ended(requestor)).toEqual({
        message: 'Finished with success.',
        'golem.provider.code': 'Success',
      });
      await requestor.firstEvent('invoice', 's');
    });
  });

  it('names a limit of less than a second as ya-provider does', async () => {
    await withDevnet({ providers: { timeScale: 360, providers: [{ name: 'one' }] } }, async (requestor) => {
      await requestor.rent('s', {
        'golem.srv.comp.expiration': Date.now() + 10_000,
        'golem.com.payment.debit-notes.accept-timeout?': 0.5,
      });
      expect(await ended(requestor)).toMatchObject({ message: 'No activity created within 250ms' });
    });
  });

  it('runs an engagement of ten hours in small: notes, payable ones, and what it demands for it', async () => {
    const providers = { timeScale: 120, providers: [{ name: 'one' }] };
    await withDevnet({ providers }, async (requestor) => {
      const terms = { 'golem.srv.comp.expiration': Date.now() + 320_000, [ACCEPT_TIMEOUT]: 1.8 };
      const demandId = await requestor.subscribe(requestor.terms(terms));
      const [offer] = await requestor.events(demandId);
      const refused = await requestor.negotiate(demandId, offer.proposal.proposalId as string, terms);
      expect(refused.reason).toMatchObject({
        message: expect.stringMatching(/exceeds the 5m threshold of enforcing mid-agreement payments/),
        'golem.proposal.rejection.is-final': true,
      });

      const agreementId = await requestor.rent('s', { ...terms, [PAYMENT_TIMEOUT]: 1.5 });
      await requestor.createActivity(agreementId);
      expect(await ended(requestor)).toEqual({
        message: "Requestor isn't accepting DebitNotes in time (1s 800ms)",
        'golem.provider.code': 'DebitNotesDeadline',
      });
      const notes = (await requestor.get('/payment-api/v1/debitNotes?maxItems=20')).json as object[];
      // One a second; the second is the first that is payable, and the last one always is.
      expect(notes.map((note) => 'paymentDueDate' in note).slice(0, 2)).toEqual([false, true]);
      expect(notes.at(-1)).toHaveProperty('paymentDueDate');
    });
  });

  it.each([
    ['without an expiration', { 'golem.srv.comp.expiration': undefined }],
    ['with a timeout that is no number', { [ACCEPT_TIMEOUT]: '240' }],
    ['with a negative interval', { 'golem.com.scheme.payu.debit-note.interval-sec?': -1 }],
  ])('does not answer a counter-proposal %s', async (_what, properties) => {
    await withDevnet({ providers: [{ name: 'one' }] }, async (requestor) => {
      const demandId = await requestor.subscribe();
      const [offer] = await requestor.events(demandId);
      const { proposalId } = offer.proposal as { proposalId: string };
      const terms = requestor.terms({ 'golem.com.payment.chosen-platform': PLATFORM, ...properties });
      await requestor.post(`${MARKET}/demands/${demandId}/proposals/${proposalId}`, terms);
      expect(await requestor.events(demandId, 0.2)).toEqual([]);
    });
  });

  it('takes payments on the platforms of its offer only, and says which', async () => {
    const providers = [{ name: 'one', platforms: [PLATFORM] }];
    await withDevnet({ providers }, async (requestor) => {
      for (const chosen of ['erc20-polygon-glm', 'foo-bar']) {
        const demandId = await requestor.subscribe();
        const [offer] = await requestor.events(demandId);
        const { proposalId } = offer.proposal as { proposalId: string };
        const platform = { 'golem.com.payment.chosen-platform': chosen };
        expect((await requestor.negotiate(demandId, proposalId, platform)).reason).toEqual({
          message: `No payments are taken on ${chosen}; choose one of the offer's platforms: ${PLATFORM}`,
          'golem.proposal.rejection.is-final': false,
        });
      }
      expect(await requestor.rent()).toMatch(/^[0-9a-f]{64}$/);
    });
  });

  it('that takes no payments while an agreement lasts offers none, and none of its notes is payable', async () => {
    const providers = [{ name: 'one', payableNotes: false, debitNoteIntervalSec: 1 }];
    await withDevnet({ providers }, async (requestor) => {
      const agreementId = await requestor.rent('s', {
        'golem.srv.comp.expiration': Date.now() + 20 * 3_600_000,
        [PAYMENT_TIMEOUT]: 1,
      });
      const { offer } = (await requestor.get(`${MARKET}/agreements/${agreementId}`)).json;
      expect(offer.properties).not.toHaveProperty([PAYMENT_TIMEOUT]);
      const activityId = await requestor.createActivity(agreementId);
      await requestor.delete(`/activity-api/v1/activity/${activityId}`);
      const { debitNoteId } = await requestor.firstEvent('debitNote', 's');
      expect((await requestor.get(`/payment-api/v1/debitNotes/${debitNoteId}`)).json).not.toHaveProperty(
        'paymentDueDate',
      );
    });
  });

  it('runs as many activities of an agreement at once as it allows', async () => {
    await withDevnet({ providers: [{ name: 'one', activityLimit: 2 }] }, async (requestor) => {
      const agreementId = await requestor.rent();
      await requestor.createActivity(agreementId);
      const second = await requestor.createActivity(agreementId);
      const third = await requestor.post('/activity-api/v1/activity', { agreementId });
      expect(third).toMatchObject({
        status: 500,
        json: { message: expect.stringMatching(/Only single Activity allowed/) },
      });
      await requestor.delete(`/activity-api/v1/activity/${second}`);
      expect(await requestor.createActivity(agreementId)).toMatch(/^[0-9a-f]{32}$/);
    });
  });

  it('that stood still for too long has an Unresponsive activity, until it is heard of again', async () => {
    const providers = [{ name: 'one', unresponsiveSec: 0.5 }];
    await withDevnet({ providers }, async (requestor, { links }) => {
      const activityId = await requestor.createActivity(await requestor.rent());
      const state = `/activity-api/v1/activity/${activityId}/state`;
      links.freeze('one');
      expect((await requestor.get(`${state}?timeout=0`)).status).toBe(408);
      links.thaw('one');
      expect((await requestor.get(state)).json).toEqual({ state: ['Unresponsive', null] });
      let again: unknown;
      do again = (await requestor.get(state)).json.state;
      while (JSON.stringify(again) === '["Unresponsive",null]');
      expect(again).toEqual(['Initialized', null]);
      links.freeze('one');
      links.thaw('one');
      expect((await requestor.get(state)).json).toEqual({ state: ['Initialized', null] });
    });
  });

  it('takes its time, in the profile of the recorded network', async () => {
    const providers = { profile: 'recorded' as const, providers: [{ name: 'one' }] };
    await withDevnet({ providers }, async (requestor) => {
      const agreementId = await requestor.rent('s');
      const before = performance.now();
      await requestor.createActivity(agreementId);
      expect(performance.now() - before).toBeGreaterThan(700);
      const terminated = performance.now();
      await requestor.terminate(agreementId);
      await requestor.firstEvent('invoice', 's');
      expect(performance.now() - terminated).toBeGreaterThan(950);
    });
  });
});
