/** More than one VM under one agreement: one after the other, and side by side where the provider has room for that. */
import { providerNodeId } from '../devnet/identity';
import type { ScriptOutcome } from '../client';
import { foreignJobId } from '../model/attach';
import type { ExecuteScript } from '../workflows/protocol';
import { Requestor } from './support/devnet-requestor';
import { Gate } from './support/gate';
import { expectAllPaidOnce, now, since, type Since } from './support/proof';
import { outcomeOf, sendUpdate } from './support/updates';
import { startWebServer, type WebServer } from './support/web-server';
import { startWorld, type World } from './support/world';

let world: World;
let began: number;
let web: WebServer;

beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({
    devnet: {
      paymentCycleSec: 0.1,
      providers: [
        { name: 'roomy', activityLimit: 3, pricing: { start: '0.001' } },
        { name: 'single' },
        { name: 'theirs', subnet: 'theirs', activityLimit: 2 },
      ],
    },
    continueAsNewAfter: 80,
  });
});
afterAll(async () => {
  await world?.close();
  await web.close();
});
beforeEach(async () => {
  began = await now(world);
});

const spec = (provider: string, more: object = {}) => ({
  ...{ image: 'golem/alpine:latest', budget: '1', vmsAtOnce: 3 },
  // So that VMs side by side are soon more than one VM can have been.
  tolerance: { usageSec: 1, usageRatio: 0 },
  demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 },
  providers: { allow: [providerNodeId(provider)] },
  ...more,
});

async function end(jobId: string): Promise<Since> {
  await world.golem.terminate(jobId);
  expect((await world.golem.result(jobId)).state).toBe('done');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  const all = await expectAllPaidOnce(world, began);
  expect(all.count('agreement-created')).toBe(1);
  return all;
}

const printed = ({ results }: ScriptOutcome) => results.map(({ stdout }) => stdout).join('');

test('a script gets a fresh VM under the same agreement, and the old one is ended', async () => {
  const { jobId, rentalId } = await world.golem.rent(spec('single'));
  await world.golem.exec(rentalId, ['echo old > /golem/work/file']);
  const { activityId } = await world.golem.rentalProgress(rentalId);
  const fresh = await world.golem.exec(rentalId, ['ls /golem/work'], { fresh: true });
  expect(fresh).toMatchObject({ state: 'done', results: [{ stdout: null }] });
  expect((await world.golem.rentalProgress(rentalId)).activityId).not.toBe(activityId);
  // There may be so many, and the one that is there stays.
  for (let n = 0; n < 3; n++) await world.golem.exec(rentalId, ['true'], { fresh: true });
  await world.golem.exec(rentalId, ['echo kept > /golem/work/file']);
  expect(await world.golem.exec(rentalId, ['true'], { fresh: true })).toMatchObject({
    ...{ state: 'returned', failure: { type: 'VmNotCreated' } },
    reason: expect.stringMatching(/5 VMs were made under the agreement/) as string,
  });
  expect(printed(await world.golem.exec(rentalId, ['cat /golem/work/file']))).toBe('kept\n');
  const all = await end(jobId);
  expect(all.count('activity-created')).toBe(5);
});

test('scripts of different VMs run side by side, each in files of its own, through runs of the rental', async () => {
  const gates = [await Gate.start(), await Gate.start()];
  const { jobId, rentalId } = await world.golem.rent(spec('roomy'));
  const wait = (n: number) => gates[n]!.command as { run: string };
  const run = (vm: string | undefined, ...commands: ExecuteScript['commands']) =>
    world.golem.exec(rentalId, commands, { vm });
  await run(undefined, 'echo first > /golem/work/name');
  // A transfer that fails is tried again where it failed.
  const fetched = { transfer: { from: web.failsAtFirst(1), to: '/golem/work/fetched' } };
  const a = run('a', 'echo a >> /golem/work/name', fetched, wait(0), 'cat /golem/work/name');
  const b = run('b', 'echo b > /golem/work/name', wait(1), 'cat /golem/work/name');
  await Promise.all(gates.map((gate) => gate.visitor()));
  // All three are up, and one more is one too many, which concerns nobody else.
  const { vms } = await world.golem.rentalProgress(rentalId);
  expect(vms?.map(({ name }) => name).sort()).toEqual(['a', 'b']);
  expect(await run('c', 'true')).toMatchObject({
    ...{ state: 'returned', failure: { type: 'VmNotCreated' } },
    reason: expect.stringMatching(/vmsAtOnce/) as string,
  });
  const { runId } = await world.client.workflow.getHandle(rentalId).describe();
  const isSameRun = async () => (await world.client.workflow.getHandle(rentalId).describe()).runId === runId;
  while (await isSameRun()) expect((await run(undefined, 'cat /golem/work/name')).state).toBe('done');
  for (const gate of gates) gate.open();
  expect(printed(await a)).toBe('a\n');
  expect(printed(await b)).toBe('b\n');
  expect(printed(await run('a', 'cat /golem/work/name'))).toBe('a\n');
  expect(printed(await run('a', 'ls /golem/work')).includes('name')).toBe(true);
  await world.golem.exec(rentalId, ['true'], { vm: 'a', fresh: true });
  expect(printed(await run('a', 'ls /golem/work')).includes('name')).toBe(false);
  expect(printed(await run(undefined, 'cat /golem/work/name'))).toBe('first\n');
  // Their notes add up to more seconds than have passed, and are right all the same.
  const billed = new Set<unknown>();
  for (let after = began; billed.size < 2;) {
    const { seq, activityId } = await world.effect('debit-note-accepted', after);
    billed.add(activityId);
    after = seq;
  }
  for (const gate of gates) await gate.close();
  const all = await end(jobId);
  expect(all.count('activity-created')).toBe(4);
  const starts = all.taskScripts().map(({ batchId }) => batchId);
  expect(new Set(starts).size).toBe(starts.length);
});

test('two that are asked for in one moment are no more than may live at a time', async () => {
  const { jobId, rentalId } = await world.golem.rent(spec('roomy', { vmsAtOnce: 2 }));
  const both = await Promise.all(['a', 'b'].map((vm) => world.golem.exec(rentalId, ['true'], { vm })));
  expect(both.map(({ state }) => state).sort()).toEqual(['done', 'returned']);
  expect((await end(jobId)).count('activity-created')).toBe(2);
});

test('a VM of a name that is lost is missed by its own scripts alone, until one asks for a fresh one', async () => {
  const { jobId, rentalId } = await world.golem.rent(spec('roomy'));
  await world.golem.exec(rentalId, ['echo kept > /golem/work/file']);
  const gate = await Gate.start();
  const commands = [gate.command as { run: string }];
  expect((await world.golem.exec(rentalId, commands, { vm: 'a', timeoutSec: 1 })).state).toBe('timedOut');
  await gate.close();
  expect(await world.golem.exec(rentalId, ['true'], { vm: 'a' })).toMatchObject({
    ...{ state: 'returned', failure: { type: 'VmLost' } },
    reason: expect.stringMatching(/VM "a" is gone: .*longer than its time; ask for a fresh one/) as string,
  });
  expect((await world.golem.exec(rentalId, ['true'], { vm: 'a', fresh: true })).state).toBe('done');
  expect(printed(await world.golem.exec(rentalId, ['cat /golem/work/file']))).toBe('kept\n');
  expect((await end(jobId)).count('activity-created')).toBe(3);
});

test('a provider that refuses a second VM fails that script alone, by name', async () => {
  const { jobId, rentalId } = await world.golem.rent(spec('single'));
  await world.golem.exec(rentalId, ['echo kept > /golem/work/file']);
  expect(await world.golem.exec(rentalId, ['true'], { vm: 'second' })).toMatchObject({
    ...{ state: 'returned', failure: { type: 'VmNotCreated' } },
  });
  expect(printed(await world.golem.exec(rentalId, ['cat /golem/work/file']))).toBe('kept\n');
  const all = await end(jobId);
  expect(all.count('activity-created')).toBe(1);
});

test('where a job has not asked for it, there is no second VM', async () => {
  const { jobId, rentalId } = await world.golem.rent(spec('roomy', { vmsAtOnce: undefined }));
  await expect(world.golem.exec(rentalId, ['true'], { vm: 'second' })).rejects.toMatchObject({
    ...{ type: 'InvalidJobSpec', reason: expect.stringContaining('rent it with vmsAtOnce 2') as string },
  });
  await end(jobId);
});

test('detached, each VM goes on with its script, and is found by its own id; the others end with it', async () => {
  const gates = [await Gate.start(), await Gate.start()];
  const { jobId, rentalId } = await world.golem.rent(spec('roomy'));
  for (const [n, vm] of [undefined, 'a'].entries()) {
    const commands = [gates[n]!.command, `echo ${vm}`];
    await sendUpdate(world, rentalId, 'executeScript', { commands, vm });
  }
  await Promise.all(gates.map((gate) => gate.visitor()));
  const { activityId: first, agreementId, vms: [a] = [], says } = await world.golem.detach(rentalId);
  const { activityId = '', batchId = '' } = a ?? {};
  expect(a).toEqual({ name: 'a', activityId, batchId: expect.stringMatching(/./) as string });
  expect(says.join('\n')).toMatch(new RegExp(`VM "a" .*${activityId}.*batch ${batchId}`));
  await world.golem.result(jobId);

  const attached = await world.golem.attach({ activityId });
  expect(attached.progress).toMatchObject({ agreementId, siblings: [first] });
  expect(attached.progress.note).toMatch(new RegExp(`live other Golem activities.*${first}`));
  for (const gate of gates) gate.open();
  expect(printed(await outcomeOf(world, attached.rentalId, batchId))).toContain('a\n');
  // A fresh VM is a new one, and none of those beside.
  await world.golem.exec(attached.rentalId, ['true'], { fresh: true });
  expect([first, activityId]).not.toContain((await world.golem.rentalProgress(attached.rentalId)).activityId);
  const destroyed = (await since(world, began)).of('activity-destroyed');
  expect(destroyed.map((each) => each.activityId)).toEqual([activityId]);
  await world.golem.terminate(attached.rentalId);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  for (const gate of gates) await gate.close();
  expect((await expectAllPaidOnce(world, began)).count('activity-created')).toBe(3);
});

test('of an agreement of other software, as many VMs are paid for as there are', async () => {
  const theirs = new Requestor(world.devnet.url, world.devnet.appKey);
  const agreementId = await theirs.rent('theirs', { 'golem.node.debug.subnet': 'theirs' });
  const activityId = await theirs.createActivity(agreementId);
  const sibling = await theirs.createActivity(agreementId);
  const { rentalId, progress } = await world.golem.attach({ activityId });
  expect(progress.siblings).toEqual([sibling]);
  const settlement = world.client.workflow.getHandle(`${foreignJobId(agreementId)}/settlement`);
  const [begun] = (await settlement.fetchHistory()).events ?? [];
  const [payload] = begun?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  expect(JSON.parse(Buffer.from(payload?.data ?? []).toString())).toMatchObject({ vmsAtOnce: 2 });
  await world.golem.terminate(rentalId);
  expect(await settlement.result()).toMatchObject({ state: 'settled', agreements: [{ agreementId }] });
  const all = await since(world, began);
  expect(all.count('activity-destroyed')).toBe(2);
  expect(all.of('agreement-terminated')).toMatchObject([{ agreementId, terminator: 'Requestor' }]);
});
