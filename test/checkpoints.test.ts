/**
 * Work that outlives its VM: tasks longer than an agreement or cut short with it go on elsewhere from their last checkpoint;
 * transfers that fail are tried again in the same VM.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from './support/temp-dir';
import { startWebServer, type WebServer } from './support/web-server';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const folder = tempDir('checkpoints');
let world: World;
let web: WebServer;
beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({
    workerArgs: ['--files', folder, '--files-listen', '127.0.0.1:0'],
    devnet: {
      providers: [
        { name: 'one', minExpirationSec: 1, agreementLimit: 2 },
        { name: 'two', minExpirationSec: 1, agreementLimit: 2 },
        { name: 'three', minExpirationSec: 1, agreementLimit: 2 },
      ],
      paymentCycleSec: 0.2,
    },
    env: { GOLEM_DURATION_CLASSES: '{"minExpirationSec":1,"reservedSec":2}' },
  });
});
afterAll(async () => {
  await world?.close();
  await web?.close();
});

const SPEC = { image: 'golem/alpine:latest', budget: '1' };
const STEPS = 20;
/**
 * Counts to twenty from where it has been, for ten seconds in all: longer than it takes to the first checkpoint on a busy
 * machine. Says with which step it began.
 */
const COUNT =
  'S=/golem/work/step; N=$(cat $S 2>/dev/null || echo 0); echo "from $N"; ' +
  `while [ $N -lt ${STEPS} ]; do sleep 0.5; N=$((N+1)); echo $N > $S.new; mv $S.new $S; done; echo "to $N"`;

const counting = (name: string, more: object = {}) => ({
  ...{ name, commands: [COUNT], maxAttempts: 5, timeoutSec: 120 },
  checkpoint: { files: ['/golem/work/step', '/golem/work/none'], to: `files:/${name}.tar`, everySec: 5 },
  ...more,
});

async function admin(path: string): Promise<void> {
  const answer = await fetch(`${world.devnet.adminUrl}${path}`, { method: 'POST' });
  expect(answer.ok).toBe(true);
}

/** When a checkpoint of the task was taken out the first time, on the devnet. */
async function checkpointTaken(name: string): Promise<void> {
  let after: number | undefined;
  for (;;) {
    after = (await world.effect('command-finished', after)).seq;
    try {
      if (!web.files.has(name)) readFileSync(join(folder, `${name}.tar`));
      return;
    } catch {
      // Another command's end.
    }
  }
}

test('a task whose agreement ends early goes on elsewhere from its last checkpoint, though that is not to be had at once', async () => {
  const { jobId } = await world.golem.startJob({
    ...SPEC,
    tasks: [
      counting('lost', {
        commands: [COUNT, { transfer: { from: '/golem/work/step', to: 'files:/lost.out' } }],
        checkpoint: { files: ['/golem/work/step'], to: web.fileUrl('lost'), everySec: 5 },
      }),
    ],
  });
  await checkpointTaken('lost');
  const [rental] = (await world.golem.progress(jobId)).rentals;
  const provider = rental?.provider.name ?? '';
  web.refuseGets = 3;
  await admin(`/providers/${provider}/shutdown`);
  const { state, tasks } = await world.golem.result(jobId);
  expect([state, web.refuseGets]).toEqual(['done', 0]);
  const [task] = tasks;
  expect(task?.attempts.map(({ state: how }) => how)).toEqual(['lost', 'done']);
  expect(task?.results.map(({ index, result }) => [index, result])).toEqual([
    [0, 'Ok'],
    [1, 'Ok'],
  ]);
  const printed = task?.results[0]?.stdout ?? '';
  const from = Number(/from (\d+)/.exec(printed)?.[1]);
  expect(from).toBeGreaterThan(0);
  expect(printed).toContain(`to ${STEPS}`);
  expect(readFileSync(join(folder, 'lost.out'), 'utf8').trim()).toBe(String(STEPS));
  await admin(`/providers/${provider}/reopen`);
  await world.golem.settled(jobId);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('a task longer than an agreement lasts goes on in the next without a failure, and fails where it gets nowhere', async () => {
  web.putStatus = 403;
  const inVain = await world.golem.startJob({
    ...{ ...SPEC, demand: { expirationSec: 8 } },
    tasks: [
      counting('in-vain', {
        ...{ commands: ['sleep 300'], maxAttempts: 2, timeoutSec: 300 },
        checkpoint: { files: ['/golem/work'], to: web.fileUrl('in-vain'), everySec: 5 },
      }),
    ],
  });
  const { jobId } = await world.golem.startJob({
    ...{ ...SPEC, demand: { expirationSec: 14 } },
    tasks: [counting('long', { commands: [COUNT.replace('0.5', '1')], maxAttempts: 1, timeoutSec: 300 })],
  });
  const { state, tasks } = await world.golem.result(jobId);
  expect(state).toBe('done');
  expect(tasks[0]?.attempts.map((attempt) => attempt.state)).toEqual(['done']);
  const printed = tasks[0]?.results[0]?.stdout ?? '';
  expect(Number(/from (\d+)/.exec(printed)?.[1])).toBeGreaterThan(0);
  const { rentals } = await world.golem.progress(jobId);
  expect(rentals.length).toBeGreaterThan(1);
  const failed = await world.golem.result(inVain.jobId);
  expect(failed.tasks[0]).toMatchObject({
    state: 'failed',
    attempts: [{ state: 'lost' }, { state: 'lost' }],
  });
  expect(failed.tasks[0]?.failure?.message).toMatch(/Expired.*: no checkpoint was stored/);
  await Promise.all([world.golem.settled(jobId), world.golem.settled(inVain.jobId)]);
});

test('a program that fails fails its task, with what it printed', async () => {
  const failing = { ...counting('fails'), commands: ['echo why; echo because >&2; exit 3'], maxAttempts: 1 };
  const { jobId } = await world.golem.startJob({ ...SPEC, tasks: [failing] });
  const { tasks } = await world.golem.result(jobId);
  expect(tasks[0]).toMatchObject({
    state: 'failed',
    results: [{ index: 0, result: 'Error', stdout: 'why\n', stderr: 'because\n' }],
  });
  await world.golem.settled(jobId);
});

test('a transfer that fails is tried again where it failed, in a setup too, and nothing before it runs twice', async () => {
  const { jobId } = await world.golem.startJob({
    ...SPEC,
    setup: [
      'echo setup >> /golem/work/runs',
      { transfer: { from: web.failsAtFirst(1), to: '/golem/input/setup' } },
      'echo again >> /golem/work/runs',
    ],
    tasks: [
      {
        commands: [
          'echo once >> /golem/work/runs',
          { transfer: { from: web.failsAtFirst(1), to: '/golem/input/x' } },
          'cat /golem/work/runs',
        ],
        maxAttempts: 1,
      },
    ],
  });
  const { state, tasks } = await world.golem.result(jobId);
  expect([state, tasks[0]?.attempts.length]).toEqual(['done', 1]);
  expect(tasks[0]?.results.map(({ index, result, stdout }) => [index, result, stdout])).toEqual([
    [0, 'Ok', null],
    [1, 'Ok', null],
    [2, 'Ok', 'setup\nagain\nonce\n'],
  ]);
  // Nor was another provider needed.
  expect((await world.golem.progress(jobId)).rentals).toHaveLength(1);
  await world.golem.settled(jobId);
});

test('a worker that dies between two checkpoints loses none of it', async () => {
  const { jobId } = await world.golem.startJob({ ...SPEC, tasks: [counting('killed')] });
  await checkpointTaken('killed');
  await world.worker.kill();
  await world.startWorker();
  const { tasks } = await world.golem.result(jobId);
  expect(tasks[0]?.attempts.map(({ state }) => state)).toEqual(['done']);
  expect(tasks[0]?.results[0]?.stdout).toBe(`from 0\nto ${STEPS}\n`);
  await world.golem.settled(jobId);
});
