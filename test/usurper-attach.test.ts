/**
 * GAP-17, scenario C: a VM that has an owner is taken over by him alone. Whoever else tries is refused by name, disturbs
 * neither the VM nor the settlement that pays for it, and the owner sees it there.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { attach as attachTo, ControlSigner, GolemClient } from '../client';
import { attachId } from '../model/attach';
import type { Refusal } from '../model/control';
import type { GolemEvent } from '../model/events';
import type { SettlementProgress } from '../model/result';
import type { RentalRecord } from '../workflows/state/rental-record';
import { tempDir } from './support/temp-dir';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const connections = join(tempDir('usurper'), 'connections.json');
let world: World;
let owner: ControlSigner;
let stranger: ControlSigner;
let asOwner: GolemClient;
let asStranger: GolemClient;

beforeAll(async () => {
  world = await startWorld({
    devnet: { paymentCycleSec: 0.1, appKeys: ['try_golem', 'try_stranger'] },
    yagnaUrl(url) {
      writeFileSync(connections, JSON.stringify({ stranger: { url, appKey: 'try_stranger' } }));
      return url;
    },
    env: { GOLEM_CONNECTIONS: connections },
  });
  owner = await ControlSigner.generate();
  stranger = await ControlSigner.generate();
  const { client, taskQueue } = world;
  asOwner = new GolemClient({ client, taskQueue, signer: owner });
  asStranger = new GolemClient({ client, taskQueue, signer: stranger });
});
afterAll(() => world?.close());

interface Left {
  jobId: string;
  rentalId: string;
  activityId: string;
}

const SPEC = { image: 'golem/alpine:latest', budget: '1' };

/** Rented for the owner, with a file in its VM. */
async function rented(): Promise<Left> {
  const { jobId, rentalId } = await asOwner.rent({ ...SPEC, control: { owner: owner.key } });
  await asOwner.exec(rentalId, ['echo kept > /golem/work/file']);
  const { activityId = '' } = await asOwner.rentalProgress(rentalId);
  return { jobId, rentalId, activityId };
}

async function detached(): Promise<Left> {
  const left = await rented();
  await asOwner.detach(left.rentalId);
  await world.golem.result(left.jobId);
  // The settlement looks first what the job has left.
  while (!(await settlementOf(left)).detached);
  return left;
}

const eventsOf = async (workflowId: string): Promise<GolemEvent[]> =>
  (await world.client.workflow.getHandle(workflowId).query<GolemEvent[]>('events')).filter(
    ({ name }) => name === 'ControlRefused',
  );

const settlementOf = async ({ jobId }: Left): Promise<SettlementProgress> =>
  await world.client.workflow.getHandle(`${jobId}/settlement`).query<SettlementProgress>('progress');

/** What a workflow or an attempt fails for. */
async function failureOf(doing: Promise<unknown>): Promise<ApplicationFailure> {
  let at: unknown = await doing.then(
    () => new Error('it was not refused'),
    (error: unknown) => error,
  );
  while (at instanceof Error && !(at instanceof ApplicationFailure)) at = at.cause;
  if (!(at instanceof ApplicationFailure)) throw new Error('it was not refused by name', { cause: at });
  return at;
}

/** Starts the workflow by hand, as it is done in any language. */
const start = (activityId: string, input: object, more: { cronSchedule?: string } = {}): Promise<unknown> =>
  world.client.workflow.execute('golemRental', {
    ...{ workflowId: attachId(activityId), taskQueue: world.taskQueue, args: [input], ...more },
  });

/** Is refused by name; the owner sees it; nothing else has changed. */
async function refuses(left: Left, attempt: () => Promise<unknown>, refusal: Refusal): Promise<void> {
  const settlement = `${left.jobId}/settlement`;
  const seen = (await eventsOf(settlement)).length;
  const before = await settlementOf(left);
  const effects = await effectsOf(left);
  const failure = await failureOf(attempt());
  expect(failure.type).toBe('ControlRefused');
  expect(failure.details?.[0]).toBe(refusal);
  const workflowId = attachId(left.activityId);
  const told = expect.objectContaining({ workflowId, operation: 'attach', refusal }) as unknown;
  expect((await eventsOf(settlement)).slice(seen).map(({ details }) => details)).toEqual([told]);
  expect((await eventsOf(workflowId)).map(({ details }) => details)).toEqual([told]);
  const { phase, allocationId, detached } = await settlementOf(left);
  expect({ phase, allocationId, detached }).toEqual({
    ...{ phase: before.phase, allocationId: before.allocationId, detached: before.detached },
  });
  expect(await effectsOf(left)).toEqual(effects);
}

/** What was done in the VM, and to the money. */
const effectsOf = async ({ activityId }: Left): Promise<number> =>
  (await world.effects()).filter((each) => each.activityId === activityId || /allocation/.test(each.kind))
    .length;

async function end({ jobId }: Left, rentalId: string): Promise<void> {
  await asOwner.terminate(rentalId);
  await world.golem.result(jobId);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
}

test('left alone, it is not taken over without its owner: by nobody, for nobody, nor with his name alone', async () => {
  const left = await detached();
  const { activityId } = left;
  const attach = { activityId };
  const control = { owner: owner.key };
  await refuses(left, () => world.golem.attach(attach), 'OwnerIgnored');
  await refuses(left, () => asStranger.attach(attach), 'OwnerIgnored');
  await refuses(left, () => world.golem.attach({ ...attach, control }), 'NoSignature');
  await refuses(left, () => asStranger.attach({ ...attach, control }), 'WrongKey');
  await refuses(
    left,
    () => start(activityId, { attach, control, authorization: 'let me in' }),
    'BadSignature',
  );
  // Signed by the owner, but not for this.
  const id = attachId(activityId);
  const elsewhere = await owner.authorize({ workflowId: attachId('f'.repeat(32)) }, 'attach', {
    attach,
    control,
  });
  await refuses(left, () => start(activityId, elsewhere), 'OtherRental');
  const another = await owner.authorize({ workflowId: id }, 'terminate', { attach, control });
  await refuses(left, () => start(activityId, another), 'OtherRental');
  const signed = await owner.authorize({ workflowId: id }, 'attach', { attach, control });
  const dearer = { ...signed, attach: { ...attach, budget: '100' } };
  await refuses(left, () => start(activityId, dearer), 'OtherArguments');
  const past = { nowMs: Date.now() - 120_000, lifeSec: 60 };
  const old = await owner.authorize({ workflowId: id }, 'attach', { attach, control }, past);
  await refuses(left, () => start(activityId, old), 'Expired');
  const everlasting = await owner.authorize(
    { workflowId: id },
    'attach',
    { attach, control },
    { lifeSec: 86_400 },
  );
  await refuses(left, () => start(activityId, everlasting), 'TooLong');

  // None of them keeps the owner out, and his signature is good for once.
  await world.client.workflow.start('golemRental', {
    ...{ workflowId: id, taskQueue: world.taskQueue, args: [signed] },
  });
  while ((await asOwner.rentalProgress(id)).state !== 'ready');
  expect(await asOwner.exec(id, ['cat /golem/work/file'])).toMatchObject({ results: [{ stdout: 'kept\n' }] });
  expect((await failureOf(asOwner.attach(attach))).type).toBe('ActivityInUse');
  await asOwner.detach(id);
  await world.client.workflow.getHandle(id).result();
  while (!(await settlementOf(left)).detached);
  await refuses(left, () => start(activityId, signed), 'Replayed');
  const { rentalId } = await asOwner.attach(attach);
  await end(left, rentalId);
});

test('while its owner works with it, who wants to take it over is refused, and the owner goes on', async () => {
  const left = await rented();
  await refuses(left, () => world.golem.attach({ activityId: left.activityId }), 'OwnerIgnored');
  const { client, taskQueue } = world;
  const mine = attachTo({ client, taskQueue, signer: owner }, { activityId: left.activityId });
  expect((await failureOf(mine)).type).toBe('ActivityInUse');
  expect(await asOwner.exec(left.rentalId, ['cat /golem/work/file'])).toMatchObject({ state: 'done' });
  await end(left, left.rentalId);
});

test('what an earlier run is said to have known is believed of no first run, nor of one that repeats it', async () => {
  const left = await rented();
  const { activityId, jobId } = left;
  const { agreementId = '', provider } = await asOwner.rentalProgress(left.rentalId);
  const validToMs = Date.now() + 600_000;
  const carried: RentalRecord = {
    terms: {
      ...{ job: { connection: 'default', owner: 'x', jobId, jobUuid: 'x' }, n: 0, provider, setup: [] },
      ...{ outputLimitBytes: 1000, interactive: true, isAttached: true },
    },
    signed: { agreementId, approvedAt: '', validToMs, terms: {}, retried: false },
    ...{
      vm: activityId,
      ended: [],
      others: [],
      deaths: 0,
      queue: [],
      named: [],
      known: [],
      inherited: [],
      taken: 0,
    },
    ...{
      outside: [],
      forgotten: [],
      seq: 0,
      everReady: true,
      told: false,
      setupFailed: false,
      retried: false,
    },
    progress: { n: 0, workflowId: 'x', provider, state: 'ready', agreementId, activityId, tasksDone: 0 },
    log: { next: 1, kept: [] },
  };
  const input = { attach: { activityId }, carried };
  const forged = await failureOf(start(activityId, input));
  expect(`${forged.type}: ${forged.details?.[0]}`).toBe('ControlRefused: Forged');
  expect((await eventsOf(attachId(activityId))).map(({ details }) => details.refusal)).toEqual(['Forged']);
  // Temporal runs it again and again, and says of each but the first that it continues another one.
  const workflowId = `${attachId(activityId)}-again`;
  const handle = await world.client.workflow.start('golemRental', {
    ...{ workflowId, taskQueue: world.taskQueue, args: [input], cronSchedule: '@every 1s' },
  });
  const second = await secondRun(workflowId, handle.firstExecutionRunId);
  await run(workflowId, second)
    .result()
    .catch(() => undefined);
  const told = await run(workflowId, second).query<GolemEvent[]>('events');
  expect(told.map(({ details }) => details.refusal)).toEqual(['Forged']);
  await world.client.workflow.getHandle(workflowId).terminate();
  expect(await asOwner.exec(left.rentalId, ['cat /golem/work/file'])).toMatchObject({ state: 'done' });
  await end(left, left.rentalId);
});

/** Of that run alone, whatever Temporal runs after it. */
const run = (workflowId: string, runId: string) =>
  world.client.workflow.getHandle(workflowId, runId, { followRuns: false });

/** Id of the run that follows the first one. */
async function secondRun(workflowId: string, firstRunId: string): Promise<string> {
  const first = run(workflowId, firstRunId);
  await first.result().catch(() => undefined);
  const last = (await first.fetchHistory()).events?.at(-1);
  const { workflowExecutionFailedEventAttributes: failed } = last ?? {};
  const next = failed ?? last?.workflowExecutionContinuedAsNewEventAttributes;
  return next?.newExecutionRunId ?? '';
}

test('an app key of another identity has nothing of it, whoever signs', async () => {
  const left = await detached();
  const { activityId } = left;
  const workflowId = attachId(activityId);
  const before = await effectsOf(left);
  const refused = expect.objectContaining({ workflowId, refusal: 'OtherIdentity' }) as unknown;
  for (const [index, who] of [world.golem, asOwner].entries()) {
    const { type } = await failureOf(who.attach({ activityId, connection: 'stranger' }));
    expect(type).toBe('ActivityForeign');
    expect((await eventsOf(workflowId)).map(({ details }) => details)).toEqual([refused]);
    const told = (await eventsOf(`${left.jobId}/settlement`)).map(({ details }) => details);
    expect(told).toEqual(Array.from({ length: index + 1 }, () => refused));
  }
  expect(await effectsOf(left)).toBe(before);
  const { rentalId } = await asOwner.attach({ activityId });
  await end(left, rentalId);
});

test('the settlement hears of no refusal that is none', async () => {
  const left = await detached();
  const settlement = world.client.workflow.getHandle(`${left.jobId}/settlement`);
  const good = { workflowId: 'x', operation: 'attach', refusal: 'NoSignature' };
  const bad = [
    ...[null, 'x', {}, { ...good, refusal: 'toString' }, { ...good, operation: 'sing' }],
    ...[
      { ...good, workflowId: 'x'.repeat(2000) },
      { ...good, key: 'x'.repeat(100_000) },
    ],
  ];
  for (const each of bad) await settlement.signal('golemControlRefused', each);
  await settlement.signal('golemControlRefused', { ...good, reason: 'x'.repeat(1000) });
  expect((await eventsOf(settlement.workflowId)).map(({ details }) => details)).toEqual([
    { ...good, reason: 'attach: it is signed by nobody' },
  ]);
  const { rentalId } = await asOwner.attach({ activityId: left.activityId });
  await end(left, rentalId);
});
