/**
 * GAP-17: a VM outlives whoever rented it, and is taken over by its Golem activity's id alone: with our own history, with
 * none of it, and where other software had rented it. What runs in it goes on meanwhile, and what is owed is paid.
 */
import { join } from 'node:path';
import { Client, ServiceError, type WorkflowClientInterceptor } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { GolemClient, type AttachedRental } from '../client';
import { attachId } from '../model/attach';
import type { RentalProgress, SettlementProgress, SettlementResult } from '../model/result';
import type { ScriptOutcome } from '../workflows/protocol';
import { startCli } from './support/cli';
import { FaultProxy } from './support/fault-proxy';
import { runGolemJs, stopCommand } from './support/golem-js';
import { activityCompleted } from './support/history';
import { pendingActivity } from './support/pending';
import { tempDir } from './support/temp-dir';
import { openTemporal, type TestTemporal } from './support/temporal';
import { startWebServer, type Door, type WebServer } from './support/web-server';
import { outcomeOf, sendUpdate, type Talker } from './support/updates';
import { terminateAll } from './support/workflow-ends';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const dataDir = join(tempDir('attach'), 'devnet');
const proxy = new FaultProxy();
let world: World;
let web: WebServer;

beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({
    yagnaUrl: (url) => proxy.start(url),
    devnet: { dataDir, paymentCycleSec: 0.1 },
  });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
  await web.close();
});
afterEach(() => proxy.clear());

const BASE = { image: 'golem/alpine:latest', budget: '1' };

async function run(to: Talker, rental: string, ...commands: unknown[]): Promise<ScriptOutcome> {
  const { scriptId } = await sendUpdate<{ scriptId: string }>(to, rental, 'executeScript', { commands });
  return await outcomeOf(to, rental, scriptId);
}

const progressOf = <T>(to: Talker, workflowId: string): Promise<T> =>
  to.client.workflow.getHandle(workflowId).query<T>('progress');

interface Running {
  jobId: string;
  rental: string;
  activityId: string;
  batchId: string;
  agreementId: string;
  door: Door;
}

/** An interactive rental with a file in its VM, and a script under way there that waits at a door. */
async function openRental(): Promise<Running> {
  const after = (await world.effects()).at(-1)?.seq;
  const { jobId } = await world.golem.startJob({ ...BASE, interactive: true });
  const { agreementId = '' } = await world.effect('agreement-created', after);
  const rental = `${jobId}/rental/1`;
  await run(world, rental, 'echo kept > /golem/work/file');
  const door = web.door();
  await sendUpdate(world, rental, 'executeScript', {
    commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }, 'cat /golem/work/x'],
  });
  await door.knocked;
  await pendingActivity(world, rental, ({ activityType }) => activityType?.name === 'golemWatchScript');
  const { activityId = '', currentBatch: batchId = '' } = await progressOf<RentalProgress>(world, rental);
  return { jobId, rental, activityId, batchId, agreementId, door };
}

/** Ends an attached rental, after which everything is settled and nothing is left. */
async function end(
  to: Talker,
  { rentalId }: AttachedRental,
  settlementId: string,
  agreementId: string,
): Promise<void> {
  await sendUpdate(to, rentalId, 'terminate', { reason: 'seen enough' });
  await to.client.workflow.getHandle(rentalId).result();
  const settled = (await to.client.workflow.getHandle(settlementId).result()) as SettlementResult;
  expect(settled).toMatchObject({ state: 'settled' });
  expect(settled.agreements.find((each) => each.agreementId === agreementId)).toMatchObject({
    state: 'settled',
  });
  const ended = (await world.effects('agreement-terminated')).find(
    (each) => each.agreementId === agreementId,
  );
  expect(ended).toMatchObject({ terminator: 'Requestor', reason: { message: 'seen enough' } });
}

/** The failure's name and message. */
async function refusal(doing: Promise<unknown>): Promise<string> {
  const error: unknown = await doing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const cause = error instanceof ApplicationFailure ? error : (error as Error | undefined)?.cause;
  if (!(cause instanceof ApplicationFailure)) throw error ?? new Error('it was not refused');
  return `${cause.type}: ${cause.message}`;
}

/** Another client, to which the first answer to an Update gets lost, though what it asked for is done. */
function losingOneAnswer(to: string): GolemClient {
  let isLost = false;
  const lossy: WorkflowClientInterceptor = {
    async startUpdate(input, next) {
      const answer = await next(input);
      if (input.updateName !== to || isLost) return answer;
      isLost = true;
      const lost = Object.assign(new Error('lost'), { code: 14, details: 'lost', metadata: {} });
      throw new ServiceError('lost', { cause: lost });
    },
  };
  const { connection, options } = world.client;
  const client = new Client({
    connection,
    namespace: options.namespace,
    interceptors: { workflow: [lossy] },
  });
  return new GolemClient({ client, taskQueue: world.taskQueue });
}

test('detached, a VM is paid for, and found again with its files and its running script', async () => {
  const { jobId, rental, activityId, batchId, agreementId, door } = await openRental();
  const waiting = refusal(sendUpdate(world, rental, 'executeScript', { commands: ['echo never'] }));
  const asking = refusal(sendUpdate(world, rental, 'scriptResult', { scriptId: 'script-2' }));
  const detached = await world.golem.detach(rental);
  const settlementId = `${jobId}/settlement`;
  expect(detached).toMatchObject({ agreementId, activityId, batchId, settlementId });
  expect(detached.says.join('\n')).toContain(detached.validTo);
  expect(detached.says.join('\n')).toMatch(/1 GLM are reserved/);
  expect(await waiting).toMatch(/^RentalDetached: .*attach/);
  expect(await asking).toMatch(/^RentalDetached: /);
  expect(await world.golem.result(jobId)).toMatchObject({ state: 'done' });
  expect(await progressOf(world, rental)).toMatchObject({ state: 'detached', currentBatch: batchId });
  expect(await world.open()).toMatchObject({ agreements: 1, activities: 1, demands: 0 });

  const settlement = () => progressOf<SettlementProgress>(world, settlementId);
  const before = (await settlement()).money;
  const tooMuch = world.golem.attach({ activityId, budget: '1000000000' });
  expect(await refusal(tooMuch)).toMatch(/^BudgetNotReserved: /);
  expect((await settlement()).money).toMatchObject({ budget: before.budget, reserved: before.reserved });
  const attached = await world.golem.attach({ activityId, budget: '1.5' });
  expect(attached.rentalId).toBe(attachId(activityId));
  expect(attached.progress).toMatchObject({ agreementId, activityId, endsAt: detached.validTo });
  expect((await settlement()).money).toMatchObject({ budget: '1.5', reserved: '1.5' });
  expect(attached.progress.note).toBeUndefined();
  const asked = outcomeOf(world, attached.rentalId, batchId);
  door.open();
  expect(await asked).toMatchObject({
    scriptId: batchId,
    state: 'done',
    results: [{}, { stdout: 'open\n' }],
  });
  expect(await run(world, attached.rentalId, 'cat /golem/work/file')).toMatchObject({
    results: [{ stdout: 'kept\n' }],
  });
  const sent = (await world.effects('script-received')).filter((each) => each.activityId === activityId);
  expect(sent).toHaveLength(4);

  // And once more.
  expect((await world.golem.detach(attached.rentalId)).batchId).toBeUndefined();
  await world.client.workflow.getHandle(attached.rentalId).result();
  const again = await world.golem.attach({ activityId, budget: '0.5' });
  expect((await settlement()).money.budget).toBe('1.5');
  expect(await run(world, again.rentalId, 'cat /golem/work/x')).toMatchObject({
    results: [{ stdout: 'open\n' }],
  });
  await end(world, again, settlementId, agreementId);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('a task of a job that is detached is cancelled, and all the rest of the job ends in good order', async () => {
  const door = web.door();
  const { jobId } = await world.golem.startJob({
    ...{ ...BASE, providers: { max: 1 } },
    tasks: [
      { name: 'first', commands: ['echo done'] },
      {
        name: 'long',
        commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }, 'cat /golem/work/x'],
      },
      'echo never',
    ],
  });
  await door.knocked;
  // The first answer is lost on its way.
  const { activityId, batchId = '', agreementId } = await losingOneAnswer('detach').detach(jobId);
  const result = await world.golem.result(jobId);
  expect(result.tasks.map(({ state }) => state)).toEqual(['done', 'cancelled', 'cancelled']);
  expect(result.tasks[1]?.attempts).toMatchObject([{ activityId, reason: 'detached' }]);
  const attached = await world.golem.attach({ activityId });
  door.open();
  expect(await outcomeOf(world, attached.rentalId, batchId)).toMatchObject({
    results: [{}, { stdout: 'open\n' }],
  });
  await end(world, attached, `${jobId}/settlement`, agreementId);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('what nobody holds any more, since job and rental were terminated, is joined to its settlement', async () => {
  const { jobId, rental, activityId, batchId, agreementId, door } = await openRental();
  await world.worker.kill();
  await terminateAll(world.client, [jobId, rental]);
  // Its settlement notices only when the watch of the dead worker has been missed for long.
  const attaching = world.golem.attach({ activityId });
  await world.startWorker();
  const attached = await attaching;
  door.open();
  expect(await outcomeOf(world, attached.rentalId, batchId)).toMatchObject({ state: 'done' });
  await end(world, attached, `${jobId}/settlement`, agreementId);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('where the settlement is gone as well, another one takes over the books', async () => {
  const { jobId, rental, activityId, batchId, agreementId, door } = await openRental();
  await terminateAll(world.client, [jobId, `${jobId}/settlement`, rental]);
  const attached = await world.golem.attach({ activityId });
  const settlement = await progressOf<SettlementProgress>(world, `${jobId}/settlement`);
  expect(settlement.money.budget).toBe('1');
  door.open();
  expect(await outcomeOf(world, attached.rentalId, batchId)).toMatchObject({ state: 'done' });
  await end(world, attached, `${jobId}/settlement`, agreementId);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('what cannot be attached to is refused by name, and nothing has changed', async () => {
  const { jobId, rental, activityId, agreementId, door } = await openRental();
  const attach = (id: string, more = {}) => refusal(world.golem.attach({ activityId: id, ...more }));
  expect(await attach(activityId)).toBe(`ActivityInUse: rental ${rental} holds agreement ${agreementId}`);
  expect(await attach('f'.repeat(32))).toMatch(/^UnknownActivity: /);
  expect(await attach('')).toMatch(/^InvalidJobSpec: attach\.activityId: /);
  expect(await attach('a/../../b')).toMatch(/^InvalidJobSpec: attach\.activityId: /);
  expect(await attach('a'.repeat(10_000))).toMatch(/^InvalidJobSpec: attach\.activityId: /);
  expect(await attach(activityId, { batchIds: ['x/y'], budget: '-1', connection: '' })).toMatch(
    /^InvalidJobSpec: attach\.batchIds\[0\]: .*\nattach\.budget: .*\nconnection: /,
  );
  expect(await attach(activityId, { connection: 'nowhere' })).toMatch(/^UnknownConnection: /);
  const foreign = proxy.answer(/GET .*\/agreement$/, 403, {
    message: 'Forbidden: caller: 0x1 is not authorized: 0x2',
  });
  expect(await attach(activityId)).toMatch(/^ActivityForeign: .*not authorized/);
  foreign.stop();
  // Started by hand, in whatever language.
  const start = (input: unknown, workflowId = `by-hand-${Math.random()}`) =>
    refusal(
      world.client.workflow
        .execute('golemRental', { workflowId, taskQueue: world.taskQueue, args: [input] })
        .catch((error: unknown) => {
          let at = error;
          while (at instanceof Error && !(at instanceof ApplicationFailure)) at = at.cause;
          throw at;
        }),
    );
  expect(await start({ attach: { activityId } })).toMatch(
    /^InvalidJobSpec: the workflow id must be golem-attach-/,
  );
  expect(await start({ attach: 'x' })).toMatch(/^InvalidJobSpec: attach: /);
  expect(await start(null)).toMatch(/^InvalidJobSpec: /);
  expect(await start({})).toMatch(/^InvalidJobSpec: attach: /);
  // None of it touched the rental.
  expect(await progressOf(world, rental)).toMatchObject({ state: 'busy', activityId });
  door.open();
  expect(await run(world, rental, 'cat /golem/work/x')).toMatchObject({ results: [{ stdout: 'open\n' }] });
  await world.golem.detach(rental);
  await world.golem.result(jobId);
  expect(await attach(activityId, { batchIds: ['e'.repeat(32)] })).toMatch(/^InvalidJobSpec: .*is no batch/);
  const attached = await world.golem.attach({ activityId });
  expect(await attach(activityId)).toMatch(/^ActivityInUse: /);
  await end(world, attached, `${jobId}/settlement`, agreementId);
  expect(await attach(activityId)).toMatch(/^ActivityEnded: /);
  await expect(world.golem.detach(rental)).rejects.toMatchObject({ type: 'RentalDetached' });
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('of two that attach at the same moment one gets it, though the worker is killed on the way', async () => {
  const { jobId, rental, activityId, batchId, agreementId, door } = await openRental();
  await world.golem.detach(rental);
  await world.golem.result(jobId);
  const looked = proxy.watch(/GET .*\/agreement$/);
  const both = Promise.allSettled([world.golem.attach({ activityId }), world.golem.attach({ activityId })]);
  await looked.hit();
  await activityCompleted(world, attachId(activityId), 'golemResolveAttach');
  await world.worker.kill();
  await world.startWorker();
  const [one, another] = await both;
  const refused = one?.status === 'rejected' ? one : another;
  const taken = one?.status === 'fulfilled' ? one : another;
  expect(refused).toMatchObject({ status: 'rejected', reason: { type: 'ActivityInUse' } });
  if (taken?.status !== 'fulfilled') throw new Error('nobody got it');
  door.open();
  expect(await outcomeOf(world, taken.value.rentalId, batchId)).toMatchObject({ state: 'done' });
  await end(world, taken.value, `${jobId}/settlement`, agreementId);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

describe('from another Temporal, which knows nothing', () => {
  let other: TestTemporal;
  let elsewhere: GolemClient;
  let worker: Awaited<ReturnType<typeof startCli>>;

  beforeAll(async () => {
    other = await openTemporal();
    elsewhere = new GolemClient({ client: other.client });
    worker = await startCli(['worker'], {
      ...other.env,
      ...{ YAGNA_API_URL: world.devnet.url, YAGNA_APPKEY: world.devnet.appKey },
      ...{ GOLEM_REGISTRY_URL: `${world.devnet.url}/registry`, GOLEM_REQUEST_TIMEOUT_SEC: '3' },
    });
    await worker.line(/^worker ready/);
  });
  afterAll(async () => {
    await worker?.stop();
    await other?.close();
  });

  test('the id is enough; the results of a running script take its batch id', async () => {
    const { jobId, rental, activityId, batchId, agreementId, door } = await openRental();
    await terminateAll(world.client, [jobId, `${jobId}/settlement`, rental]);
    const first = await elsewhere.attach({ activityId });
    expect(first.progress.note).toMatch(/yagna lists no batches/);
    expect(
      await refusal(sendUpdate(elsewhere, first.rentalId, 'scriptResult', { scriptId: batchId })),
    ).toMatch(/^UnknownScript/);
    await elsewhere.detach(first.rentalId);
    await elsewhere.client.workflow.getHandle(first.rentalId).result();
    const second = await elsewhere.attach({ activityId, batchIds: [batchId] });
    expect(await progressOf(elsewhere, second.rentalId)).toMatchObject({ currentBatch: batchId });
    door.open();
    expect(await outcomeOf(elsewhere, second.rentalId, batchId)).toMatchObject({
      ...{ state: 'done', results: [{ index: 0 }, { index: 1, stdout: 'open\n' }] },
    });
    expect(await run(elsewhere, second.rentalId, 'cat /golem/work/file')).toMatchObject({
      results: [{ stdout: 'kept\n' }],
    });
    await end(elsewhere, second, `golem-agreement-${agreementId}/settlement`, agreementId);
  });

  test('what golem-js has rented, and left when it was killed, is taken over with the script in it', async () => {
    const killed = new Error('killed');
    let activityId = '';
    let batchId = '';
    let agreementId = '';
    const program = runGolemJs(world.devnet, 'oneOf', async ({ line }) => {
      activityId = String((await line(({ streaming }) => streaming !== undefined))?.streaming);
      const last = (await world.effects('script-started'))
        .filter((each) => each.activityId === activityId)
        .at(-1);
      batchId = last?.batchId ?? '';
      agreementId = last?.agreementId ?? '';
      throw killed;
    });
    await expect(program).rejects.toBe(killed);
    const attached = await elsewhere.attach({ activityId, batchIds: [batchId], budget: '0.5' });
    const settlementId = `golem-agreement-${agreementId}/settlement`;
    expect((await progressOf<SettlementProgress>(elsewhere, settlementId)).money.budget).toBe('0.5');
    stopCommand(dataDir, activityId);
    expect(await outcomeOf(elsewhere, attached.rentalId, batchId)).toMatchObject({
      ...{ state: 'done', results: [{ result: 'Ok' }] },
    });
    expect(await run(elsewhere, attached.rentalId, 'cat /golem/work/file')).toMatchObject({
      results: [{ stdout: 'one\n' }],
    });
    await end(elsewhere, attached, settlementId, agreementId);
  });
});
