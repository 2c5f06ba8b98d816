/** Every call to yagna once against a running one: a rental from the allocation to the payment. */
import { Connections, isYagnaError, type EventStreams, type Yagna } from '../activities/yagna';
import { startDevnet, type Devnet } from '../devnet';
import { paymentPlatform } from '../model/job';
import { PROP } from '../model/properties';
import { nextEvent } from './support/next-event';

let devnet: Devnet;
let yagna: Yagna;
let streams: EventStreams;

/** A network of one provider. */
async function start(provider: object = {}): Promise<void> {
  devnet = await startDevnet({ providers: [{ name: 'one', ...provider }], paymentCycleSec: 0 });
  const connections = new Connections({ YAGNA_APPKEY: devnet.appKey, YAGNA_API_URL: devnet.url });
  yagna = connections.get();
  streams = connections.streams();
}
afterEach(() => devnet.close());

const platform = paymentPlatform({ driver: 'erc20', network: 'holesky', token: 'tglm' });
const future = (sec: number) => new Date(Date.now() + sec * 1000).toISOString();

/** An allocation, and a draft proposal that can become an agreement paid from it. */
async function negotiate(mark: string): Promise<{ allocationId: string; demandId: string; draft: string }> {
  const { identity } = await yagna.me();
  const allocation = await yagna.createAllocation({
    totalAmount: '5',
    paymentPlatform: platform,
    address: identity,
    timeout: future(3600),
  });
  const { allocationId } = allocation;
  expect(await yagna.allocation(allocationId)).toEqual(allocation);
  expect(await yagna.allocations()).toContainEqual(allocation);
  const decorations = await yagna.demandDecorations(allocationId);
  const demand = {
    properties: {
      ...Object.fromEntries(decorations.properties.map(({ key, value }) => [key, value])),
      [PROP.expiration]: Date.now() + 1_000_000,
      [PROP.multiActivity]: true,
      [PROP.taskPackage]: 'hash:sha3:00:http://127.0.0.1/image',
      [PROP.subnet]: 'public',
      [PROP.mark]: mark,
    },
    constraints: `(&(golem.runtime.name=vm)${decorations.constraints.join('')})`,
  };
  const demandId = await yagna.subscribeDemand(demand);
  const mine = (await yagna.demands()).find((one) => one.demandId === demandId);
  expect(mine?.properties[PROP.mark]).toBe(mark);

  const offer = await proposalOf(demandId, 'Initial');
  const counter = { ...demand, properties: { ...demand.properties, [PROP.chosenPlatform]: platform } };
  await yagna.counterProposal(demandId, offer, counter);
  const draft = await proposalOf(demandId, 'Draft');
  return { allocationId, demandId, draft };
}

/** An agreement that its provider has approved, and the allocation to pay it from. */
async function rent(appSessionId: string): Promise<{ agreementId: string; allocationId: string }> {
  const { allocationId, demandId, draft } = await negotiate(appSessionId);
  const agreementId = await yagna.createAgreement(draft, future(900));
  const twice = await yagna.createAgreement(draft, future(900)).catch((error: unknown) => error);
  expect(isYagnaError(twice, 'conflict')).toBe(true);
  await yagna.confirmAgreement(agreementId, appSessionId);
  expect(await yagna.waitForApproval(agreementId, 15)).toBe('Approved');
  expect(await yagna.agreement(agreementId)).toMatchObject({ state: 'Approved', appSessionId });
  expect(await yagna.agreements({ appSessionId, state: 'Approved' })).toMatchObject([{ id: agreementId }]);
  await yagna.unsubscribeDemand(demandId);
  await yagna.unsubscribeDemand(demandId);
  const gone = await yagna.demandEvents(demandId, { timeoutSec: 1 }).catch((error: unknown) => error);
  expect(isYagnaError(gone, 'notFound')).toBe(true);
  return { agreementId, allocationId };
}

async function proposalOf(demandId: string, state: string): Promise<string> {
  const events = await yagna.demandEvents(demandId, { timeoutSec: 15 });
  const found = events.find((event) => event.eventType === 'ProposalEvent' && event.proposal.state === state);
  if (found?.eventType !== 'ProposalEvent') throw new Error(`no ${state} among ${JSON.stringify(events)}`);
  return found.proposal.proposalId;
}

/** Ends the rental and pays what it cost. */
async function settle(agreementId: string, allocationId: string): Promise<void> {
  const received = nextEvent(streams, 'invoice', (event) => event.eventType === 'InvoiceReceivedEvent');
  const ended = nextEvent(streams, 'agreement', (event) => event.eventType === 'AgreementTerminatedEvent');
  expect(await yagna.terminationReason(agreementId)).toBeUndefined();
  expect(await yagna.terminateAgreement(agreementId, { message: 'Finished', code: 'x' })).toBe('terminated');
  expect(await yagna.terminateAgreement(agreementId, { message: 'Finished' })).toBe('alreadyEnded');
  expect(await yagna.terminationReason(agreementId)).toMatchObject({
    terminator: 'Requestor',
    reason: { message: 'Finished', code: 'x' },
  });
  expect((await ended).agreementId).toBe(agreementId);

  const { invoiceId } = await received;
  const invoice = await yagna.invoice(invoiceId);
  expect(invoice).toMatchObject({ agreementId, status: 'RECEIVED' });
  expect(await yagna.invoices()).toContainEqual(invoice);
  const paid = nextEvent(
    streams,
    'invoice',
    (event) => event.invoiceId === invoiceId && event.eventType === 'InvoiceSettledEvent',
  );
  await yagna.acceptInvoice(invoiceId, invoice?.amount ?? '', allocationId);
  await yagna.acceptInvoice(invoiceId, invoice?.amount ?? '', allocationId);
  await paid;
  expect(await yagna.invoice(invoiceId)).toMatchObject({ status: 'SETTLED' });
  for (const note of await yagna.debitNotes()) expect(await yagna.debitNote(note.debitNoteId)).toEqual(note);
  await yagna.releaseAllocation(allocationId);
  await yagna.releaseAllocation(allocationId);
  expect(await yagna.allocation(allocationId)).toBeUndefined();
}

test('a rental that runs a script and is paid', async () => {
  await start();
  expect(await yagna.version()).toMatch(/^\d+\.\d+\.\d+/);
  const { agreementId, allocationId } = await rent('owner/first');
  expect(await yagna.golemActivities(agreementId)).toEqual([]);
  const activityId = await yagna.createGolemActivity(agreementId, 30);
  expect(await yagna.golemActivities(agreementId)).toEqual([activityId]);
  expect(await yagna.activityAgreement(activityId)).toBe(agreementId);
  expect((await yagna.golemActivityState(activityId))?.state).toEqual(['Initialized', null]);

  const capture = { stdout: { atEnd: { format: 'string' as const } } };
  const batchId = await yagna.exec(activityId, [
    { deploy: {} },
    { start: {} },
    { run: { entry_point: '/bin/sh', args: ['-c', 'echo hello'], capture } },
    { run: { entry_point: '/bin/sh', args: ['-c', 'exit 3'], capture } },
  ]);
  const hello = await yagna.batchResults(activityId, batchId, { timeoutSec: 30, commandIndex: 2 });
  expect(hello).toMatchObject([{ result: 'Ok' }, { result: 'Ok' }, { result: 'Ok', stdout: 'hello\n' }]);
  await yagna.batchResults(activityId, batchId, { timeoutSec: 30, commandIndex: 3 });
  expect(await yagna.batchResults(activityId, batchId)).toMatchObject([
    { index: 0 },
    { index: 1 },
    { index: 2, stdout: 'hello\n' },
    { index: 3, result: 'Error', message: 'ExeScript command exited with code 3', isBatchFinished: true },
  ]);
  expect((await yagna.golemActivityUsage(activityId))?.currentUsage).toHaveLength(2);

  await yagna.destroyGolemActivity(activityId);
  await yagna.destroyGolemActivity(activityId);
  await yagna.destroyGolemActivity('f'.repeat(32));
  expect((await yagna.golemActivityState(activityId))?.state[0]).toBe('Terminated');
  expect(await yagna.golemActivityState('f'.repeat(32))).toBeUndefined();
  const late = await yagna.exec(activityId, [{ deploy: {} }]).catch((error: unknown) => error);
  expect(isYagnaError(late, 'gone')).toBe(true);
  await settle(agreementId, allocationId);
});

test('a rental that never ran anything is paid nothing', async () => {
  await start();
  const { agreementId, allocationId } = await rent('owner/second');
  await settle(agreementId, allocationId);
});

test('an agreement that its provider does not answer is cancelled', async () => {
  await start({ approveSec: 3600 });
  const { draft } = await negotiate('owner/third');
  const agreementId = await yagna.createAgreement(draft, future(900));
  await yagna.confirmAgreement(agreementId, 'owner/third');
  expect(await yagna.waitForApproval(agreementId, 0)).toBe('timeout');
  const tooEarly = await yagna
    .terminateAgreement(agreementId, { message: 'x' })
    .catch((error: unknown) => error);
  expect(isYagnaError(tooEarly, 'gone')).toBe(true);
  await yagna.cancelAgreement(agreementId, { message: 'too slow' });
  expect(await yagna.waitForApproval(agreementId, 5)).toEqual({ ended: 'Cancelled' });
  expect(await yagna.agreement(agreementId)).toMatchObject({ state: 'Cancelled' });
});

test('an allocation is amended', async () => {
  await start();
  const { allocationId } = await negotiate('owner/fourth');
  expect((await yagna.amendAllocation(allocationId, { totalAmount: '6' })).totalAmount).toMatch(/^6(\.0+)?$/);
});

test('what yagna does not know is undefined, empty or ended', async () => {
  await start();
  const unknown = 'd'.repeat(64);
  expect(await yagna.agreement(unknown)).toBeUndefined();
  expect(await yagna.golemActivities(unknown)).toEqual([]);
  expect(await yagna.invoice('00000000-0000-0000-0000-000000000000')).toBeUndefined();
  expect(await yagna.terminateAgreement(unknown, { message: 'x' })).toBe('alreadyEnded');
});
