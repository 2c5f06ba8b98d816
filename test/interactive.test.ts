/** A rental that is steered from outside: scripts by Update, their outcomes, and the end by Update `terminate`. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ExecuteScript, ScriptOutcome } from '../workflows/protocol';
import { FaultProxy } from './support/fault-proxy';
import { startWebServer, type WebServer } from './support/web-server';
import { sendUpdate } from './support/updates';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const proxy = new FaultProxy();
let world: World;
let web: WebServer;

beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({ yagnaUrl: (url) => proxy.start(url), devnet: { paymentCycleSec: 0.1 } });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
  await web.close();
});
afterEach(() => proxy.clear());

const BASE = { image: 'golem/alpine:latest', budget: '1' };

const update = <T>(workflowId: string, name: string, input: unknown = {}): Promise<T> =>
  sendUpdate(world, workflowId, name, input);

/** A rental whose workflow runs; scripts wait until its VM is ready. */
class Rental {
  private constructor(
    readonly jobId: string,
    readonly workflowId: string,
  ) {}

  static async open(spec: object = {}): Promise<Rental> {
    const after = (await world.effects()).at(-1)?.seq;
    const { jobId } = await world.golem.startJob({ ...BASE, interactive: true, ...spec });
    await world.effect('agreement-created', after);
    return new Rental(jobId, `${jobId}/rental/1`);
  }

  async execute(...commands: ExecuteScript['commands']): Promise<string> {
    return (await this.send({ commands })).scriptId;
  }

  send(script: unknown): Promise<{ scriptId: string }> {
    return update(this.workflowId, 'executeScript', script);
  }

  result(scriptId: string, waitSec?: number): Promise<ScriptOutcome> {
    return update(this.workflowId, 'scriptResult', { scriptId, waitSec });
  }

  async run(...commands: ExecuteScript['commands']): Promise<ScriptOutcome> {
    return await this.result(await this.execute(...commands));
  }

  /** Ends the job; everything is settled then, and nothing is left. */
  async end(): Promise<void> {
    await update(this.jobId, 'terminate');
    expect((await world.golem.result(this.jobId)).state).toBe('done');
    expect((await world.golem.settled(this.jobId)).state).toBe('settled');
    expect(await world.open()).toEqual(NOTHING_OPEN);
  }
}

/** The failure that an Update was refused with. */
async function refusal(updating: Promise<unknown>): Promise<ApplicationFailure> {
  const error: unknown = await updating.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowUpdateFailedError)) throw error ?? new Error('it was not refused');
  if (!(error.cause instanceof ApplicationFailure)) throw error;
  return error.cause;
}

test('scripts run one after the other in the same VM, and tell what they came to', async () => {
  const rental = await Rental.open();
  const first = await rental.execute('echo kept > /golem/work/file', { run: '/bin/echo', args: ['a  b'] });
  const second = await rental.execute('cat /golem/work/file; echo oops >&2');
  expect(second).not.toBe(first);
  expect(await rental.result(first)).toMatchObject({
    ...{ scriptId: first, state: 'done' },
    results: [
      { index: 0, result: 'Ok' },
      { index: 1, result: 'Ok', stdout: 'a  b\n' },
    ],
  });
  expect(await rental.result(second)).toMatchObject({
    ...{ scriptId: second, state: 'done' },
    results: [{ index: 0, result: 'Ok', stdout: 'kept\n', stderr: 'oops\n' }],
  });
  // An outcome can be asked for again.
  expect((await rental.result(first)).state).toBe('done');
  await rental.end();
});

test('each command is told of once, in order, though a transfer among them is tried again', async () => {
  const rental = await Rental.open();
  const flaky = { transfer: { from: web.failsAtFirst(1), to: '/golem/work/x' } };
  const told: unknown[] = [];
  await world.golem.exec(rental.jobId, ['echo a', flaky, 'echo b', 'echo c', 'sleep 6'], {
    onResult: ({ index, result, stdout }) => void told.push([index, result, stdout]),
  });
  expect(told).toEqual([
    [0, 'Ok', 'a\n'],
    [1, 'Ok', null],
    [2, 'Ok', 'b\n'],
    [3, 'Ok', 'c\n'],
    [4, 'Ok', null],
  ]);
  await rental.end();
});

test('a script that fails tells where and why, and the VM takes the next', async () => {
  const rental = await Rental.open();
  const failed = await rental.run('echo before', 'exit 4', 'echo never');
  expect(failed).toMatchObject({
    ...{ state: 'failed', reason: expect.stringMatching(/exited with code 4/) as string },
    results: [
      { index: 0, result: 'Ok', stdout: 'before\n' },
      { index: 1, result: 'Error' },
    ],
  });
  expect(await rental.run('echo after')).toMatchObject({ state: 'done', results: [{ stdout: 'after\n' }] });
  await rental.end();
});

test('a script that still runs says so when the wait is over', async () => {
  const rental = await Rental.open();
  const door = web.door();
  const script = await rental.execute(
    { transfer: { from: door.url, to: '/golem/work/x' } },
    'cat /golem/work/x',
  );
  await door.knocked;
  expect(await rental.result(script, 0)).toEqual({ scriptId: script, state: 'running', results: [] });
  const waiting = rental.result(script);
  door.open();
  expect(await waiting).toMatchObject({ state: 'done', results: [{}, { stdout: 'open\n' }] });
  await rental.end();
});

test('setup runs before the first script', async () => {
  const rental = await Rental.open({ setup: ['echo ready > /golem/work/setup'] });
  expect((await rental.run('cat /golem/work/setup')).results).toMatchObject([{ stdout: 'ready\n' }]);
  await rental.end();
});

test('a script of any number of commands and any output comes back, cut to what travels', async () => {
  const rental = await Rental.open();
  const line = 'head -c 100000 /dev/zero | tr "\\0" "\\1"';
  const { state, results } = await rental.run(...Array<string>(40).fill(line));
  expect(state).toBe('done');
  expect(results).toHaveLength(40);
  for (const { stdout } of results) expect(stdout).toMatch(/bytes cut\]$/);
  await rental.end();
});

test('a bad script is refused with every mistake and its path, and leaves no trace', async () => {
  const rental = await Rental.open();
  const bad: [unknown, RegExp[]][] = [
    [{}, [/^commands: /]],
    [{ commands: [] }, [/^commands: /]],
    [{ commands: ['true', '', { run: 3 }] }, [/^commands\[1\]: /, /^commands\[2\]: /]],
    [
      { commands: [{ run: 'x', args: 'y' }, { transfer: { from: '/a' } }] },
      [/^commands\[0\]: /, /^commands\[1\]: /],
    ],
    [{ commands: [{ run: 'x', transfer: { from: '/a', to: '/b' } }] }, [/^commands\[0\]: /]],
    [
      { commands: ['true'], timeoutSec: 0, onUncertain: 'maybe', timeout: 5 },
      [/^timeoutSec: /, /^onUncertain: .*freshVm, rerun, fail/, /^timeout: /],
    ],
    [{ commands: Array(1501).fill('true') }, [/^commands: .*1500/]],
  ];
  for (const [script, problems] of bad) {
    const { type, message } = await refusal(rental.send(script));
    expect(type).toBe('InvalidJobSpec');
    expect(message.split('\n')).toEqual(problems.map((line) => expect.stringMatching(line) as string));
  }
  const { events } = await world.client.workflow.getHandle(rental.workflowId).fetchHistory();
  expect(events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toEqual([]);
  expect(await refusal(rental.result('script-99'))).toMatchObject({ type: 'UnknownScript' });
  await rental.end();
});

test('terminate ends an interactive job in good order: what runs is stopped, what is owed is paid', async () => {
  const rental = await Rental.open();
  const door = web.door();
  const script = await rental.execute({ transfer: { from: door.url, to: '/golem/work/x' } });
  await door.knocked;
  const destroy = proxy.hold(/^DELETE .*\/activity\//);
  await update(rental.jobId, 'terminate', { reason: 'seen enough' });
  await destroy.reached;
  expect(await refusal(rental.execute('echo late'))).toMatchObject({ type: 'AgreementEnded' });
  expect(await refusal(rental.result(script))).toMatchObject({
    ...{ type: 'AgreementEnded', message: expect.stringMatching(/seen enough/) as string },
  });
  destroy.release();
  expect(await world.golem.result(rental.jobId)).toMatchObject({ state: 'done', tasks: [] });
  const settlement = await world.golem.settled(rental.jobId);
  expect(settlement).toMatchObject({ state: 'settled', agreements: [{ state: 'settled' }] });
  expect(settlement.money.paid).toBe(settlement.money.accepted);
  expect(await world.open()).toEqual(NOTHING_OPEN);
  const agreementId = settlement.agreements[0]?.agreementId;
  const ended = (await world.effects('agreement-terminated')).find(
    (each) => each.agreementId === agreementId,
  );
  expect(ended).toMatchObject({ terminator: 'Requestor', reason: { message: 'seen enough' } });
});

test('a rental can be terminated by itself, which ends an interactive job', async () => {
  const rental = await Rental.open();
  await rental.run('true');
  await update(rental.workflowId, 'terminate', { reason: 'done with it' });
  expect(await world.golem.result(rental.jobId)).toMatchObject({ state: 'done', tasks: [] });
  expect((await world.golem.settled(rental.jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('a rental that is cancelled in Temporal ends in good order, and its job with it', async () => {
  const rental = await Rental.open();
  expect(await rental.run('echo hello')).toMatchObject({ state: 'done' });
  await world.client.workflow.getHandle(rental.workflowId).cancel();
  await world.golem.result(rental.jobId);
  expect((await world.golem.settled(rental.jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('a rental that is terminated before its VM is up ends an interactive job, and no other is rented', async () => {
  const create = proxy.hold(/^POST .*\/activity$/);
  const { jobId } = await world.golem.startJob({ ...BASE, interactive: true });
  await create.reached;
  const after = (await world.effects()).at(-1)?.seq;
  await update(`${jobId}/rental/1`, 'terminate', { reason: 'not wanted any more' });
  create.release();
  expect(await world.golem.result(jobId)).toMatchObject({ state: 'done', tasks: [] });
  const { rentals } = await world.golem.progress(jobId);
  expect(rentals).toMatchObject([{ n: 1, state: 'closed', reason: 'not wanted any more' }]);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  const created = (await world.effects('agreement-created')).filter(({ seq }) => seq > (after ?? 0));
  expect(created).toEqual([]);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('terminate ends a job with tasks: what is done is kept, what is open is cancelled', async () => {
  const door = web.door();
  const { jobId } = await world.golem.startJob({
    ...BASE,
    providers: { max: 1 },
    tasks: [
      { name: 'done', commands: ['echo done'] },
      { name: 'open', commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }] },
      'echo never',
    ],
  });
  await door.knocked;
  await update(jobId, 'terminate');
  const result = await world.golem.result(jobId);
  expect(result.state).toBe('failed');
  expect(result.tasks.map(({ state }) => state)).toEqual(['done', 'cancelled', 'cancelled']);
  expect(result.tasks[0]?.results).toMatchObject([{ stdout: 'done\n' }]);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
});
