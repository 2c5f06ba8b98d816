/**
 * Fire and forget (GAP-17, scenario B; its tests 2.1 and 2.2): the requestor's worker and its yagna are gone while a
 * computation goes on, in each of the ways in which it can be paid meanwhile; later they come back for its results.
 */
import { Decimal } from 'decimal.js';
import { WorkflowFailedError } from '@temporalio/client';
import { providerNodeId } from '../devnet/identity';
import type { ProviderConfig } from '../devnet/provider/config';
import type { SettlementResult } from '../model/result';
import type { ScriptOutcome } from '../workflows/protocol';
import { startBrokerProcess, type BrokerProcess } from './support/devnet-broker';
import { adminPost } from './support/devnet-rental';
import { PLATFORM } from './support/devnet-requestor';
import { activityCompleted } from './support/history';
import { scriptIsKnown } from './support/pending';
import { now, since } from './support/proof';
import { sendUpdate } from './support/updates';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

/** 0.01 GLM for a second of a VM. */
const pricing = { start: '0', cpuPerHour: '0', envPerHour: '36' };
const provider = (name: string, more: Partial<ProviderConfig> = {}): ProviderConfig => ({
  name,
  pricing,
  ...more,
});

let world: World;
let broker: BrokerProcess;
let began: number;

beforeAll(async () => {
  world = await startWorld({
    env: { GOLEM_DURATION_CLASSES: '{"minAcceptanceTimeoutSec":5}' },
    devnet: {
      paymentCycleSec: 0.1,
      providers: [
        provider('usual'),
        provider('brokered', { paidBy: 'broker' }),
        provider('in-advance', { upfrontSec: 3600 }),
        provider('patient', { acceptTimeoutSec: 7200 }),
      ],
    },
  });
  broker = await startBrokerProcess(world.devnet);
});
afterAll(async () => {
  await broker?.stop();
  await world?.close();
});
beforeEach(async () => {
  began = await now(world);
});

const update = <T>(workflowId: string, name: string, input: unknown = {}): Promise<T> =>
  sendUpdate(world, workflowId, name, input);

interface Away {
  jobId: string;
  /** Of the script that computes while nobody is there. */
  scriptId: string;
  agreementId: string;
}

type Happened = Record<string, unknown> & { seq: number };

/** The first effect of a kind about an agreement; of a script, not that of the one that brings the VM up. */
async function effectOf(agreementId: string, kind: string): Promise<Happened> {
  for (let after = began; ;) {
    const effect = await world.effect(kind, after);
    const isOurs = effect.agreementId === agreementId && effect.commands?.[0] !== 'deploy';
    if (isOurs) return effect as unknown as Happened;
    after = effect.seq;
  }
}

/** Rents a VM, begins a computation in it, and is gone: worker and yagna. */
async function fireAndForget(spec: object, seconds: number): Promise<Away> {
  const before = await now(world);
  const { jobId } = await world.golem.startJob({ image: 'golem/alpine:latest', interactive: true, ...spec });
  const { agreementId = '' } = await world.effect('agreement-approved', before);
  const rental = `${jobId}/rental/1`;
  const line = `i=0; while [ $i -lt ${seconds * 10} ]; do i=$((i+1)); echo $i >>/golem/work/log; sleep 0.1; done; wc -l </golem/work/log`;
  const { scriptId } = await update<{ scriptId: string }>(rental, 'executeScript', { commands: [line] });
  await effectOf(agreementId, 'script-started');
  return { jobId, scriptId, agreementId };
}

async function leave(...jobs: Pick<Away, 'jobId'>[]): Promise<void> {
  await Promise.all(jobs.map(({ jobId }) => scriptIsKnown(world, `${jobId}/rental/1`)));
  await world.worker.kill();
  await world.devnet.node('requestor').stop();
}

async function comeBack(): Promise<void> {
  await world.devnet.node('requestor').start();
  await world.startWorker();
}

const outcome = ({ jobId, scriptId }: Away): Promise<ScriptOutcome> =>
  update(`${jobId}/rental/1`, 'scriptResult', { scriptId, waitSec: 30 });

/** Ends the jobs; nothing is left open then. @returns what the first came to */
async function settled(...jobs: [Away, ...Away[]]): Promise<SettlementResult> {
  const [result] = await Promise.all(
    jobs.map(async ({ jobId }) => {
      await update(jobId, 'terminate').catch(() => undefined);
      await world.golem.result(jobId).catch(() => undefined);
      return await world.golem.settled(jobId);
    }),
  );
  expect(await world.open()).toEqual(NOTHING_OPEN);
  return result as SettlementResult;
}

/** What was paid for an agreement since the test began, by whom: from the public ledger. */
function paidFor(agreementId: string): { from: string[]; amount: string } {
  const entries = world.devnet.ledger
    .after()
    .filter(
      ({ kind, for: parts = [] }) =>
        kind === 'payment' && parts.some((part) => part.agreementId === agreementId),
    );
  const amount = entries.reduce((all, entry) => all.plus(entry.amount), new Decimal(0));
  return { from: [...new Set(entries.map(({ from }) => from))], amount: amount.toFixed() };
}

const fixed = (amount: string): string => new Decimal(amount).toFixed();
const me = (): string => world.devnet.node('requestor').requestorIds[0] ?? '';

describe('2.2: a payer that needs nobody of the requestor', () => {
  const NOTES = { demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 } };

  test('pays by its rules while worker and yagna are gone; back, the results are there and all is settled', async () => {
    const deposit = await broker.deposit('3', { perHour: '2', total: '2.5' });
    const payer = { broker: broker.url, deposit: deposit.id };
    const mine = world.devnet.wallets.balance(me(), PLATFORM);
    const away = await fireAndForget({ budget: { amount: '2', payer }, ...NOTES }, 5);
    await leave(away);
    const left = await now(world);
    await effectOf(away.agreementId, 'script-finished');
    // Notes are decided without them, and none of them has come to the requestor's node.
    const { seq: decided } = await world.effect('broker-decided', left);
    await world.effect('broker-decided', decided);
    const meanwhile = await since(world, left);
    expect(meanwhile.count('debit-note-accepted') + meanwhile.count('node-started')).toBe(0);
    await comeBack();

    expect(await outcome(away)).toMatchObject({ state: 'done', results: [{ stdout: '50\n' }] });
    const { state, money, agreements } = await settled(away);
    expect([state, agreements.map((agreement) => agreement.state)]).toEqual(['settled', ['settled']]);
    const paid = paidFor(away.agreementId);
    expect(paid).toEqual({ from: [broker.address], amount: fixed(money.paid) });
    const invoice = await effectOf(away.agreementId, 'invoice-issued');
    expect(paid.amount).toBe(fixed(String(invoice.amount)));
    expect(await broker.get(deposit.id)).toMatchObject({ spent: paid.amount });
    expect(agreements[0]?.debitNotes).toBeGreaterThanOrEqual(3);
    // Nothing of the requestor's own went out, and nothing was accepted by its yagna.
    expect(world.devnet.wallets.balance(me(), PLATFORM).toFixed()).toBe(mine.toFixed());
    expect((await since(world, began)).count('invoice-accepted')).toBe(0);
    expect((await broker.call<{ closed: boolean }>(`/deposits/${deposit.id}/close`, {}))[0]).toBe(200);
  });

  test('pays a provider no more than its usage, whatever that asks for, and the job shows what was refused', async () => {
    const deposit = await broker.deposit('2');
    world.devnet.faults.arm({ on: 'provider.invoice', do: 'tooMuch', provider: 'brokered' });
    const payer = { broker: broker.url, deposit: deposit.id };
    const away = await fireAndForget({ budget: { amount: '2', payer }, ...NOTES }, 1);
    await effectOf(away.agreementId, 'script-finished');
    const { state, money, agreements } = await settled(away);
    expect([state, agreements.map((agreement) => agreement.state)]).toEqual(['unpaid', ['rejected']]);
    // The notes before it stay paid, its last one for all that was used.
    expect(paidFor(away.agreementId)).toEqual({ from: [broker.address], amount: fixed(money.paid) });
    expect(await broker.get(deposit.id)).toMatchObject({ spent: fixed(money.paid) });
  });

  test.each([
    ['unknown', '2', /there is no deposit unknown/],
    [undefined, '99', /GLM are left of deposit .*, and the budget is 99/],
  ])('is not relied on where it was not prepaid (deposit %s, budget %s)', async (id, amount, reason) => {
    const deposit = id ?? (await broker.deposit('1')).id;
    const { jobId } = await world.golem.startJob({
      ...{ image: 'golem/alpine:latest', tasks: ['true'] },
      budget: { amount, payer: { broker: broker.url, deposit } },
    });
    const error = (await world.golem.result(jobId).catch((thrown: unknown) => thrown)) as Error;
    expect(causes(error)).toMatch(reason);
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });
});

describe('2.1: time that is paid in advance', () => {
  test('goes on with worker and yagna gone, and is ended by the provider when it is over', async () => {
    const away = await fireAndForget({ budget: '1', demand: { upfrontSec: 8 } }, 3);
    await scriptIsKnown(world, `${away.jobId}/rental/1`);
    await effectOf(away.agreementId, 'debit-note-settled');
    await leave();
    const finished = await effectOf(away.agreementId, 'script-finished');
    const destroyed = await effectOf(away.agreementId, 'activity-destroyed');
    expect(destroyed.seq).toBeGreaterThan(finished.seq);
    const created = await effectOf(away.agreementId, 'activity-created');
    expect(Date.parse(String(destroyed.at)) - Date.parse(String(created.at))).toBeGreaterThanOrEqual(8000);
    await comeBack();

    expect(await effectOf(away.agreementId, 'agreement-terminated')).toMatchObject({
      terminator: 'Provider',
      reason: { 'golem.provider.code': 'PaidTimeOver' },
    });
    const { state, money } = await settled(away);
    expect(state).toBe('settled');
    // One note, for all of the time; the invoice adds nothing.
    expect((await since(world, began)).count('debit-note-issued')).toBe(1);
    expect(paidFor(away.agreementId)).toEqual({ from: [me()], amount: '0.08' });
    expect(fixed(money.paid)).toBe('0.08');
  });

  test('is not had from providers that sell none, and the failure says so', async () => {
    const why = await whyNobody({ upfrontSec: 7200 });
    expect(why).toMatch(/sells no time in advance/);
    expect(why).toMatch(/sells 3600 s in advance at most, and the spec asks for 7200/);
  });
});

describe('long intervals', () => {
  const pace = (debitNotesAcceptanceTimeoutSec: number): object => ({
    demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec },
  });

  test('let worker and yagna be away for as long as a note may wait, where a usual agreement is ended', async () => {
    const usual = { ...pace(6), providers: { allow: [providerNodeId('usual')] } };
    const impatient = await fireAndForget({ budget: '1', ...usual }, 60);
    const away = await fireAndForget({ budget: '1', ...pace(3600) }, 9);
    await leave(impatient, away);
    const left = await now(world);
    await effectOf(impatient.agreementId, 'activity-destroyed');
    await effectOf(away.agreementId, 'script-finished');
    expect((await since(world, left)).count('debit-note-accepted')).toBe(0);
    await comeBack();

    expect(await effectOf(impatient.agreementId, 'agreement-terminated')).toMatchObject({
      terminator: 'Provider',
      reason: {
        'golem.provider.code': expect.stringMatching(/^(DebitNotesDeadline|RequestorUnreachable)$/) as string,
      },
    });
    expect(await outcome(away)).toMatchObject({ state: 'done', results: [{ stdout: '90\n' }] });
    const { state, money, agreements } = await settled(away, impatient);
    expect(state).toBe('settled');
    expect(agreements[0]?.provider.name).toBe('patient');
    expect(paidFor(away.agreementId)).toEqual({ from: [me()], amount: fixed(money.paid) });
    expect(await effectOf(away.agreementId, 'agreement-terminated')).toMatchObject({
      terminator: 'Requestor',
    });
  });

  test('are not had from providers that offer less, and the failure says so', async () => {
    const why = await whyNobody({ expirationSec: 7200, debitNotesAcceptanceTimeoutSec: 7201 });
    expect(why).toMatch(/lets a debit note wait 240 s at most, and the spec asks for 7201/);
  });
});

describe('on a yagna of today, with neither', () => {
  test('the settlement is the payer that stays: job and rental are gone, and a worker that was away is in time', async () => {
    const demand = { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 };
    const { jobId, agreementId } = await fireAndForget({ budget: '1', demand }, 5);
    const { activityId, batchId = '' } = await world.golem.detach(jobId);
    await world.golem.result(jobId);
    await world.worker.kill();
    const left = await now(world);
    await effectOf(agreementId, 'script-finished');
    const { seq: issued } = await world.effect('debit-note-issued', left);
    await world.effect('debit-note-issued', issued);
    expect((await since(world, left)).count('debit-note-accepted')).toBe(0);
    await world.startWorker();
    const accepted = await world.effect('debit-note-accepted', left);
    expect(accepted.agreementId).toBe(agreementId);
    expect((await since(world, began)).count('agreement-terminated')).toBe(0);

    // Back, its results are collected; it is settled when it is terminated, and nothing is left.
    const { rentalId } = await world.golem.attach({ activityId });
    expect(await update(rentalId, 'scriptResult', { scriptId: batchId })).toMatchObject({
      ...{ state: 'done', results: [{ stdout: '50\n' }] },
    });
    await update(rentalId, 'terminate');
    const { state, money } = await world.golem.settled(jobId);
    expect(state).toBe('settled');
    expect(paidFor(agreementId)).toEqual({ from: [me()], amount: fixed(money.paid) });
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });
});

describe('a deposit in a contract', () => {
  const contract = `0x${'c0'.repeat(20)}`;
  const funder = `0x${'f0'.repeat(20)}`;
  const NOTES = { demand: { midAgreementDebitNoteIntervalSec: 1 } };

  async function makeDeposit(id: string, fields: object = {}): Promise<void> {
    await adminPost(world.devnet, '/transfers', { to: funder, amount: '2' });
    expect(
      (await adminPost(world.devnet, '/deposits', { id, contract, funder, amount: '2', ...fields }))[0],
    ).toBe(200);
  }

  test('pays what is accepted, though it is held for less time than is usually reserved; the rest goes back', async () => {
    // For a day; a budget is reserved for 30 days where nothing stands against it.
    const validTo = new Date(Date.now() + 86_400_000).toISOString();
    await makeDeposit('0x2a', { validTo });
    const away = await fireAndForget(
      { budget: { amount: '1', deposit: { id: '0x2a', contract } }, ...NOTES },
      1,
    );
    await effectOf(away.agreementId, 'script-finished');
    // Within what is deposited, the budget can be raised; beyond it, not.
    expect(await update(away.jobId, 'topUp', { amount: '0.5' })).toMatchObject({ reserved: '1.5' });
    await expect(update(away.jobId, 'topUp', { amount: '5' })).rejects.toMatchObject({
      cause: {
        type: 'BudgetNotReserved',
        message: expect.stringMatching(/Insufficient funds on the deposit/),
      },
    });
    const { state, money } = await settled(away);
    expect(state).toBe('settled');
    const paid = paidFor(away.agreementId);
    expect(paid).toEqual({ from: [contract], amount: fixed(money.paid) });
    await world.effect('deposit-closed', began);
    expect(world.devnet.ledger.after().at(-1)).toMatchObject({
      ...{ kind: 'deposit-closed', from: contract, to: funder, depositId: '0x2a' },
      amount: new Decimal(2).minus(paid.amount).toFixed(),
    });
  });

  test.each([
    ['unknown', '0xbad', '1', /Deposit doesn't exist under the given id 0xbad/],
    ['used before', '0x2a', '1', /already has a corresponding allocation|doesn't exist/],
    ['too small', '0x1', '3', /Insufficient funds on the deposit/],
    ['for another spender', '0x2', '1', /doesn't match allocation address/],
    ['not valid any more', '0x3', '1', /exceeds deposit timeout/],
  ])("that is %s reserves nothing, and yagna's words say why", async (_what, id, amount, reason) => {
    if (id === '0x1') await makeDeposit(id);
    if (id === '0x2') await makeDeposit(id, { spender: funder });
    if (id === '0x3') await makeDeposit(id, { validTo: '2026-01-01T00:00:00Z' });
    const { jobId } = await world.golem.startJob({
      ...{ image: 'golem/alpine:latest', tasks: ['true'] },
      budget: { amount, deposit: { id, contract } },
    });
    const error = await world.golem.result(jobId).catch((thrown: unknown) => thrown);
    expect(causes(error)).toMatch(reason);
    expect(causes(error)).toMatch(/BudgetNotReserved/);
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });
});

/** Why nobody is found; the job is ended then. */
async function whyNobody(demand: object): Promise<string> {
  const quick = { offerFetchingIntervalSec: 1, proposalTimeoutSec: 1 };
  const { jobId } = await world.golem.startJob({
    ...{ image: 'golem/alpine:latest', budget: '1', tasks: ['true'], demand: { ...demand, ...quick } },
  });
  await activityCompleted(world, jobId, 'golemNegotiate');
  const { lastFailure } = await world.golem.progress(jobId);
  await update(jobId, 'terminate');
  await world.golem.settled(jobId);
  return lastFailure?.message ?? '';
}

/** All that a failure and its causes say. */
function causes(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { type = '' } = error as { type?: string };
  const cause = error instanceof WorkflowFailedError ? error.cause : (error as { cause?: unknown }).cause;
  return `${type} ${error.message}\n${cause === undefined ? '' : causes(cause)}`;
}
