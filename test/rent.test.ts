/** A VM that a program rents and talks to through GolemClient, through outages of workers and Updates that get lost. */
import { join } from 'node:path';
import type { CommandResult } from '../model/result';
import type { RentalResult } from '../workflows/protocol';
import { Gate } from './support/gate';
import { scriptIsKnown } from './support/pending';
import { expectAllPaidOnce, now, since, type Since } from './support/proof';
import { startWorld, type World } from './support/world';

const NAMES = ['one', 'two', 'three', 'four', 'five'];
let world: World;
let gate: Gate;
let began: number;

beforeAll(async () => {
  world = await startWorld({
    devnet: { paymentCycleSec: 0.1, providers: NAMES.map((name) => ({ name })) },
    // The half-minute between two looks at an idle VM is a third of a second.
    env: { NODE_OPTIONS: `--require ${join(__dirname, 'support', 'hurried-worker.js')}` },
  });
});
afterAll(() => world?.close());
beforeEach(async () => {
  gate = await Gate.start();
  began = await now(world);
});
afterEach(async () => {
  await gate.close();
});

const SPEC = { image: 'golem/alpine:latest', budget: '1' };

/** Terminates a job; everything is paid then, and nothing is left. */
async function end(jobId: string): Promise<Since> {
  await world.golem.terminate(jobId);
  expect((await world.golem.result(jobId)).state).toBe('done');
  return await isSettled(jobId);
}

async function isSettled(jobId: string): Promise<Since> {
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  return await expectAllPaidOnce(world, began);
}

test('a rented VM is up, and runs a script after the other for whoever has its id or that of its job', async () => {
  const phases = new Set<string>();
  const { jobId, rentalId } = await world.golem.rent(SPEC, {
    onProgress: ({ phase }) => phases.add(phase),
  });
  expect(rentalId).toBe(`${jobId}/rental/1`);
  expect(phases.size).toBeGreaterThan(0);
  expect(await world.golem.rentalProgress(rentalId)).toMatchObject({ n: 1, state: 'ready' });
  const first = await world.golem.exec(rentalId, ['echo kept > /golem/work/file', 'echo two']);
  expect(first).toMatchObject({ state: 'done', results: [{ index: 0 }, { stdout: 'two\n' }] });
  const told: CommandResult[] = [];
  const second = await world.golem.exec(jobId, ['cat /golem/work/file', 'exit 3', 'echo never'], {
    onResult: (result) => told.push(result),
  });
  expect(second).toMatchObject({ state: 'failed', reason: expect.stringMatching(/code 3/) as string });
  expect(told.map(({ index, result, stdout }) => [index, result, stdout])).toEqual([
    [0, 'Ok', 'kept\n'],
    [1, 'Error', null],
  ]);
  await end(jobId);
});

test("a command's result is told while the next one runs, and once", async () => {
  const { jobId, rentalId } = await world.golem.rent(SPEC);
  const told: string[] = [];
  let executed: Promise<unknown> | undefined;
  const first = new Promise<void>((resolve) => {
    executed = world.golem
      .exec(rentalId, ['echo early', gate.command as { run: string }, 'echo late'], {
        scriptId: 'mine',
        onResult: ({ stdout }) => {
          told.push(stdout ?? '');
          resolve();
        },
      })
      .then(({ state }) => told.push(state));
  });
  await first;
  expect(told).toEqual(['early\n']);
  // What follows a script that was sent by somebody else is told from its beginning.
  const again: string[] = [];
  gate.open();
  const outcome = await world.golem.followScript(rentalId, 'mine', {
    onResult: ({ stdout }) => again.push(stdout ?? ''),
  });
  expect(outcome.state).toBe('done');
  expect(again).toEqual(['early\n', '', 'late\n']);
  await executed;
  expect(told.slice(0, 3)).toEqual(again);
  const all = await end(jobId);
  expect(all.taskScripts()).toHaveLength(1);
});

test('a script that is sent again under its id is not run again, however long ago it was', async () => {
  const { jobId, rentalId } = await world.golem.rent(SPEC);
  const script = { commands: ['echo x >> /golem/work/file'], scriptId: 'once' };
  // An Update of another id is another one to Temporal.
  const send = () =>
    world.client.workflow
      .getHandle(rentalId)
      .executeUpdate<{ scriptId: string }, [object]>('executeScript', { args: [script] });
  const sent = await Promise.all([world.golem.executeScript(rentalId, script), send(), send()]);
  expect(sent).toEqual(Array(3).fill({ scriptId: 'once' }));
  for (let n = 0; n < 21; n++) await world.golem.exec(rentalId, ['true']);
  expect(await send()).toEqual({ scriptId: 'once' });
  await expect(world.golem.scriptResult(rentalId, 'once')).rejects.toMatchObject({
    ...{ name: 'GolemRentalError', type: 'UnknownScript', rentalId },
    reason: expect.stringMatching(/newest 20/) as string,
  });
  expect(await world.golem.exec(rentalId, ['wc -l < /golem/work/file'])).toMatchObject({
    results: [{ stdout: expect.stringMatching(/^\s*1\n$/) as string }],
  });
  await end(jobId);
});

test('a worker that dies under a script costs whoever waits for it nothing', async () => {
  const { jobId, rentalId } = await world.golem.rent(SPEC);
  const told: string[] = [];
  const running = world.golem.exec(rentalId, ['echo a', gate.command as { run: string }, 'echo b'], {
    onResult: ({ stdout }) => told.push(stdout ?? ''),
  });
  await gate.visitor();
  await scriptIsKnown(world, rentalId);
  await world.worker.kill();
  gate.open();
  await world.startWorker();
  expect(await running).toMatchObject({ state: 'done' });
  expect(told).toEqual(['a\n', '', 'b\n']);
  expect((await end(jobId)).taskScripts()).toHaveLength(1);
});

test('a script of which nobody knows whether it was started leaves the VM to its user', async () => {
  const { jobId, rentalId } = await world.golem.rent(SPEC);
  await world.golem.exec(rentalId, ['echo kept > /golem/work/file']);
  world.devnet.faults.arm({ on: 'exec', do: 'dropAfter' });
  expect(await world.golem.exec(rentalId, ['echo more >> /golem/work/file'])).toMatchObject({
    state: 'uncertain',
  });
  // It was.
  expect(await world.golem.exec(rentalId, ['cat /golem/work/file'])).toMatchObject({
    ...{ state: 'done', results: [{ stdout: 'kept\nmore\n' }] },
  });
  world.devnet.faults.arm({ on: 'exec', do: 'dropAfter' });
  expect(await world.golem.exec(rentalId, ['true'], { onUncertain: 'freshVm' })).toMatchObject({
    state: 'uncertain',
  });
  expect((await world.golem.exec(rentalId, ['cat /golem/work/file'])).state).toBe('failed');
  expect((await end(jobId)).count('activity-created')).toBe(2);
});

test('who stops waiting stops nothing else', async () => {
  const { jobId, rentalId } = await world.golem.rent(SPEC);
  const stop = new AbortController();
  const waiting = world.golem.exec(rentalId, [gate.command as { run: string }, 'echo done'], {
    ...{ scriptId: 'long', signal: stop.signal },
  });
  await gate.visitor();
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  gate.open();
  expect(await world.golem.followScript(rentalId, 'long')).toMatchObject({
    ...{ state: 'done', results: [{}, { stdout: 'done\n' }] },
  });
  await end(jobId);
});

test('a VM that cannot come up is a failure by name, and so is what no rental takes', async () => {
  await expect(world.golem.rent({ ...SPEC, imagee: 'x' })).rejects.toMatchObject({ type: 'InvalidJobSpec' });
  let failed = '';
  const onStarted = (id: string): void => void (failed = id);
  await expect(world.golem.rent({ ...SPEC, setup: ['exit 9'] }, { onStarted })).rejects.toMatchObject({
    ...{ name: 'GolemJobError', type: 'VmNotCreated' },
    reason: expect.stringMatching(/setup\[0\].*code 9/) as string,
  });
  const unknown = { rentalId: 'nobody/rental/1' };
  await expect(world.golem.exec('nobody/rental/1', ['true'])).rejects.toMatchObject(unknown);
  await expect(world.golem.rentalProgress('nobody/rental/1')).rejects.toMatchObject(unknown);
  await expect(world.golem.terminate('nobody/rental/1')).rejects.toMatchObject(unknown);
  const { jobId, rentalId } = await world.golem.rent(SPEC);
  await expect(world.golem.exec(rentalId, [''])).rejects.toMatchObject({ type: 'InvalidJobSpec' });
  await expect(
    world.golem.executeScript(rentalId, { commands: ['true'], scriptId: 'no/path' }),
  ).rejects.toMatchObject({ type: 'InvalidJobSpec', reason: expect.stringMatching(/^scriptId: /) as string });
  expect(await world.golem.terminate(rentalId, 'seen enough')).toBe(true);
  await world.golem.result(jobId);
  await world.client.workflow.getHandle(rentalId).result();
  await expect(world.golem.exec(rentalId, ['true'])).rejects.toMatchObject({ type: 'AgreementEnded' });
  expect(await world.golem.terminate(rentalId)).toBe(false);
  await world.golem.settled(failed);
  await isSettled(jobId);
  const ends = (await since(world, began)).of('agreement-terminated');
  expect(ends.at(-1)).toMatchObject({ reason: { message: 'seen enough' } });
});

describe('with no script sent', () => {
  test('an agreement that its provider ends ends the rental, and the job says why', async () => {
    const { jobId, rentalId } = await world.golem.rent(SPEC);
    const { provider } = await world.golem.rentalProgress(rentalId);
    await world.devnet.shutDownProvider(provider.name);
    const ended = (await world.client.workflow.getHandle(rentalId).result()) as RentalResult;
    expect(ended.reason).toMatch(/Shutdown/);
    expect((await world.golem.result(jobId)).state).toBe('done');
    expect(await world.golem.rentalProgress(rentalId)).toMatchObject({ state: 'failed' });
    world.devnet.reopenProvider(provider.name);
    await isSettled(jobId);
  });

  test('a VM that dies ends the rental by the next look', async () => {
    const { jobId, rentalId } = await world.golem.rent(SPEC);
    const { provider } = await world.golem.rentalProgress(rentalId);
    world.devnet.links.killVms(provider.name);
    const ended = (await world.client.workflow.getHandle(rentalId).result()) as RentalResult;
    expect(ended.reason).toMatch(/^the VM is Terminated/);
    expect((await world.golem.result(jobId)).state).toBe('done');
    await isSettled(jobId);
  });
});
