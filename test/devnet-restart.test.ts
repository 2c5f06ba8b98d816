import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDevnet, type Devnet } from '../devnet';
import { Requestor } from './support/devnet-requestor';

const MARKET = '/market-api/v1';
const PAYMENT = '/payment-api/v1';

let dataDir: string;
let devnet: Devnet;
let requestor: Requestor;

async function start(paymentCycleSec = 1000): Promise<void> {
  devnet = await startDevnet({ dataDir, paymentCycleSec, providers: [{ name: 'one' }] });
  requestor = new Requestor(devnet.url, devnet.appKey, devnet.adminUrl);
}

async function restart(paymentCycleSec?: number): Promise<void> {
  await devnet.close();
  await start(paymentCycleSec);
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'devnet-restart-'));
  await start();
});

afterEach(async () => {
  await devnet.close();
  await rm(dataDir, { recursive: true, force: true });
});

describe('after a restart of the daemon', () => {
  it('a provider that was shut down stays so until it is opened again', async () => {
    await devnet.shutDownProvider('one');
    await restart();
    expect((await requestor.admin('/state')).providers).toMatchObject([
      { name: 'one', trouble: 'shut down' },
    ]);
    const demandId = await requestor.subscribe();
    expect(await requestor.events(demandId, 0)).toEqual([]);
    devnet.reopenProvider('one');
    expect(await requestor.events(demandId)).toHaveLength(1);
    await restart();
    expect(await requestor.events(await requestor.subscribe())).toHaveLength(1);
    const changes = devnet.effects.all(0, ['provider-shut-down', 'provider-reopened']);
    expect(changes.map(({ kind, provider }) => [kind, provider])).toEqual([
      ['provider-shut-down', 'one'],
      ['provider-reopened', 'one'],
    ]);
  });

  it('a provider that was shut down while cut off ends its agreements', async () => {
    const agreementId = await requestor.rent('s');
    devnet.links.cut({ provider: 'one' });
    await devnet.shutDownProvider('one');
    expect((await requestor.get(`${MARKET}/agreements/${agreementId}`)).json.state).toBe('Approved');
    await restart();
    expect(await requestor.effect('agreement-terminated')).toMatchObject({
      ...{ agreementId, terminator: 'Provider', reason: { 'golem.provider.code': 'Shutdown' } },
    });
    await requestor.firstEvent('invoice', 's');
  });

  it('identity, allocations, agreements and their events are as they were; demands are gone', async () => {
    const allocationId = await requestor.allocate();
    const demandId = await requestor.subscribe();
    const agreementId = await requestor.rent('s');
    const paths = [
      '/me',
      `${PAYMENT}/allocations/${allocationId}`,
      `${PAYMENT}/requestorAccounts`,
      `${MARKET}/agreements/${agreementId}`,
      `${MARKET}/agreements?state=Approved`,
      `${MARKET}/agreementEvents?timeout=0&appSessionId=s`,
    ];
    const read = (): Promise<unknown[]> =>
      Promise.all(paths.map(async (path) => (await requestor.get(path)).json));
    const before = await read();
    await restart();
    expect(await read()).toEqual(before);
    expect((await requestor.get(`${MARKET}/demands`)).json).toEqual([]);
    const poll = await requestor.get(`${MARKET}/demands/${demandId}/events?timeout=0`);
    expect(poll).toMatchObject({
      status: 404,
      json: { message: expect.stringContaining('Could be unsubscribed') },
    });
    expect((await requestor.delete(`${MARKET}/demands/${demandId}`)).status).toBe(404);
  });

  it('an agreement goes on: its provider is still taken, and it can be used, ended and invoiced', async () => {
    const agreementId = await requestor.rent('s');
    await restart();
    const demandId = await requestor.subscribe();
    const [offer] = await requestor.events(demandId);
    expect((await requestor.negotiate(demandId, offer.proposal.proposalId)).eventType).toBe(
      'ProposalRejectedEvent',
    );
    const activityId = await requestor.createActivity(agreementId);
    expect((await requestor.terminate(agreementId)).status).toBe(200);
    const { invoiceId } = await requestor.firstEvent('invoice', 's');
    expect((await requestor.get(`${PAYMENT}/invoices/${invoiceId}`)).json).toMatchObject({
      activityIds: [activityId],
    });
  });

  it('an agreement that was only made can be confirmed', async () => {
    const demandId = await requestor.subscribe();
    const [offer] = await requestor.events(demandId);
    const draft = await requestor.negotiate(demandId, offer.proposal.proposalId);
    const agreementId = await requestor.createAgreement(draft.proposal.proposalId);
    await restart();
    await requestor.post(`${MARKET}/agreements/${agreementId}/confirm?appSessionId=s`);
    expect((await requestor.post(`${MARKET}/agreements/${agreementId}/wait?timeout=10`)).status).toBe(204);
  });

  it('an agreement that nobody has signed in time meanwhile has expired', async () => {
    const demandId = await requestor.subscribe();
    const [offer] = await requestor.events(demandId);
    const draft = await requestor.negotiate(demandId, offer.proposal.proposalId);
    const agreementId = await requestor.createAgreement(draft.proposal.proposalId, 0.5);
    await restart();
    expect(await requestor.effect('agreement-expired')).toMatchObject({ agreementId, cause: 'expiry' });
    expect((await requestor.get(`${MARKET}/agreements/${agreementId}`)).json.state).toBe('Expired');
  });

  it('notes and invoices are there with their events, and what was accepted is paid', async () => {
    const allocationId = await requestor.allocate();
    const agreementId = await requestor.rent('s');
    await requestor.createActivity(agreementId);
    await requestor.terminate(agreementId);
    const { invoiceId } = await requestor.firstEvent('invoice', 's');
    const path = `${PAYMENT}/invoices/${invoiceId}`;
    const { json: invoice } = await requestor.get(path);
    await requestor.post(`${path}/accept`, { totalAmountAccepted: invoice.amount, allocationId });
    const { json: notes } = await requestor.get(`${PAYMENT}/debitNotes`);
    expect(notes).toHaveLength(1);
    await restart(0);
    await requestor.firstEvent('invoice', 's', 'SETTLED');
    expect((await requestor.get(path)).json.status).toBe('SETTLED');
    expect((await requestor.get(`${PAYMENT}/debitNotes`)).json).toMatchObject([
      { debitNoteId: notes[0].debitNoteId },
    ]);
    expect((await requestor.get(`${PAYMENT}/payments?timeout=10`)).json).toMatchObject([
      { amount: invoice.amount },
    ]);
  });

  it('an allocation whose time passed meanwhile is released', async () => {
    const allocationId = await requestor.allocateFor(1000);
    await restart();
    expect(await requestor.effect('allocation-released')).toMatchObject({ allocationId });
    expect((await requestor.get(`${PAYMENT}/allocations/${allocationId}`)).status).toBe(404);
  });
});
