/**
 * Tasks that take a moment come several at a time to a rental, and their outcomes back: whatever breaks meanwhile, each is run to its
 * end, none waits behind a long one, and nothing is paid twice.
 */
import type { JobResult } from '../model/result';
import { rentalId } from '../model/ids';
import { Gate } from './support/gate';
import { expectAllPaidOnce, expectScriptsRunOnce, now, since } from './support/proof';
import { runsOf } from './support/runs';
import { startWorld, type World } from './support/world';

let world: World;
let gate: Gate;
let began: number;
const DEVNET = { paymentCycleSec: 0.1, providers: [{ name: 'one' }, { name: 'two' }] };
beforeAll(async () => {
  world = await startWorld({ devnet: DEVNET });
});
afterAll(() => world?.close());
beforeEach(async () => {
  began = await now(world);
  gate = await Gate.start();
});
afterEach(() => gate.close());

const quick = (...names: number[]): object[] =>
  names.map((n) => ({ name: `quick-${n}`, commands: [`echo ${n}`] }));
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);
const long = (): object => ({ name: 'long', commands: [gate.command] });

async function start(tasks: object[], providers: number, here = world): Promise<string> {
  const job = { image: 'golem/alpine:latest', budget: '1', tasks, providers: { max: providers } };
  return (await here.golem.startJob(job)).jobId;
}

/** So many scripts of tasks have begun. */
async function scripts(count: number, here = world, from = began): Promise<void> {
  for (;;) {
    const all = await since(here, from);
    if (all.taskScripts().length >= count) return;
    await here.effect('script-started', all.all().at(-1)?.seq ?? from);
  }
}

async function endsWell(jobId: string, here = world, from = began): Promise<JobResult> {
  const result = await here.golem.result(jobId);
  expect(result.tasks.map(({ state }) => state)).toEqual(result.tasks.map(() => 'done'));
  for (const { name, results } of result.tasks)
    if (name !== 'long') expect(results[0]?.stdout).toBe(`${name.replace('quick-', '')}\n`);
  expect((await here.golem.settled(jobId)).state).toBe('settled');
  expectScriptsRunOnce(await expectAllPaidOnce(here, from), result);
  return result;
}

const attempts = ({ tasks }: JobResult): string[][] =>
  tasks.map((task) => task.attempts.map(({ state }) => state));

/** Each kills the worker of a world of its own; most of their time they wait. */
test.concurrent.each(numbers(2, 5))(
  'are all done though the worker is killed at script %i',
  async (script) => {
    const own = await startWorld({ devnet: DEVNET });
    try {
      const from = await now(own);
      const jobId = await start(quick(...numbers(1, 12)), 1, own);
      await scripts(script, own, from);
      await own.worker.kill();
      await own.startWorker();
      await endsWell(jobId, own, from);
    } finally {
      await own.close();
    }
  },
);

test('are given several at a time, and told of several at a time', async () => {
  const jobId = await start(quick(...numbers(1, 21)), 1);
  const result = await endsWell(jobId);
  expect(attempts(result)).toEqual(result.tasks.map(() => ['done']));
  const signals = async (workflowId: string, name: string): Promise<number> => {
    const events = (await runsOf(world, workflowId)).flatMap((run) => run.events);
    return events.filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === name)
      .length;
  };
  // One by one there would be twenty, and one more.
  expect(await signals(rentalId(jobId, 1), 'golemAssignment')).toBeLessThanOrEqual(12);
  expect(await signals(jobId, 'golemAssignmentOutcome')).toBeLessThanOrEqual(14);
});

test('that come behind a long one are done by somebody else meanwhile', async () => {
  const jobId = await start([...quick(1, 2), long(), ...quick(...numbers(4, 10))], 2);
  await gate.visitor();
  await scripts(10);
  gate.open();
  const result = await endsWell(jobId);
  expect(attempts(result)).toEqual(result.tasks.map(() => ['done']));
  // All that it still had in hand.
  const [slow] = result.tasks.filter(({ name }) => name === 'long');
  const after = result.tasks.filter(({ startedAt = '' }) => startedAt > (slow?.startedAt ?? ''));
  expect(after.length).toBeGreaterThan(0);
  for (const { provider } of after) expect(provider?.name).not.toBe(slow?.provider?.name);
});

test('that come behind a long one wait for it where there is nobody else, and progress says so', async () => {
  const jobId = await start([...quick(1), long(), ...quick(3, 4, 5)], 1);
  await gate.visitor();
  const progress = await world.golem.progress(jobId);
  expect(progress.tasks).toEqual({ total: 5, waiting: 3, running: 1, done: 1, failed: 0 });
  gate.open();
  const result = await endsWell(jobId);
  expect(attempts(result)).toEqual(result.tasks.map(() => ['done']));
});

test('are all done though the answer to one of their scripts is lost', async () => {
  const lost = world.devnet.faults.arm({ on: 'exec', do: 'dropAfter', nth: 4 });
  const jobId = await start(quick(...numbers(1, 9)), 1);
  const result = await endsWell(jobId);
  await lost.hit(1);
  const again = result.tasks.filter(({ attempts: all }) => all.length > 1);
  expect(attempts({ ...result, tasks: again })).toEqual([['uncertain', 'done']]);
});

test('are all done though the VM dies under one of them', async () => {
  const jobId = await start([...quick(1), long(), ...quick(3, 4, 5)], 1);
  await gate.visitor();
  for (const name of ['one', 'two']) world.devnet.links.killVms(name);
  gate.open();
  const result = await endsWell(jobId);
  expect(attempts(result)).toEqual([['done'], ['lost', 'done'], ['done'], ['done'], ['done']]);
});

test.each<[string, (rental: string) => Promise<unknown>]>([
  ['ended by its user', (rental) => world.golem.terminate(rental)],
  ['gone without a word', (rental) => world.client.workflow.getHandle(rental).terminate('by a user')],
])('are all done though their rental is %s', async (_, end) => {
  const jobId = await start([...quick(1), long(), ...quick(3, 4, 5)], 1);
  await gate.visitor();
  await end(rentalId(jobId, 1));
  gate.open();
  const result = await endsWell(jobId);
  expect(attempts(result)).toEqual([['done'], ['lost', 'done'], ['done'], ['done'], ['done']]);
});
