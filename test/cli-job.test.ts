/** Jobs as users of the command run them: everything through `golem-temporal`, a worker process and a devnet behind it. */
import type { Child } from '../cli/child-process';
import { startDevnet, type Devnet } from '../devnet';
import type { GolemEvent } from '../model/events';
import type { JobResult, SettlementResult } from '../model/result';
import { requireBuild, runCli, startCli, type CliRun } from './support/cli';
import { openTemporal, type TestTemporal } from './support/temporal';

let devnet: Devnet;
let temporal: TestTemporal;
let worker: Child;
const logged: string[] = [];
beforeAll(async () => {
  requireBuild();
  devnet = await startDevnet();
  temporal = await openTemporal();
  worker = await startCli(
    ['worker'],
    {
      ...temporal.env,
      YAGNA_API_URL: devnet.url,
      YAGNA_APPKEY: devnet.appKey,
      GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
    },
    (line) => void logged.push(line),
  );
  await worker.line(/^worker ready/);
});
afterAll(async () => {
  await worker?.stop();
  await temporal?.close();
  await devnet?.close();
});

function golem(args: string[], spec?: object): Promise<CliRun> {
  return runCli(args, { env: temporal.env, input: spec && JSON.stringify(spec) });
}

const SPEC = { image: 'golem/alpine:latest', budget: '1' };

test('start --watch shows a job to its end, and its results, events and costs can be had', async () => {
  const started = await golem(['start', '-', '--watch', '--id', 'cli-job'], {
    ...SPEC,
    tasks: ['echo one', 'echo two'],
  });
  expect(started).toMatchObject({ code: 0, stderr: '' });
  const lines = started.stdout.trim().split('\n');
  expect(lines[0]).toBe('cli-job');
  expect(lines).toContain('2 of 2 tasks done');
  expect(lines).toContain('phase: done');
  expect(lines.slice(-5)).toEqual([
    expect.stringMatching(/^task-1: done on [\w-]+$/),
    '  one',
    expect.stringMatching(/^task-2: done on [\w-]+$/),
    '  two',
    'all of it: golem-temporal result cli-job',
  ]);

  const result = JSON.parse((await golem(['result', 'cli-job'])).stdout) as JobResult;
  expect(result.tasks.map((task) => task.results[0]?.stdout)).toEqual(['one\n', 'two\n']);

  const settled = await golem(['result', 'cli-job', '--settled']);
  expect(settled.code).toBe(0);
  const { state, money } = JSON.parse(settled.stdout) as SettlementResult;
  expect(state).toBe('settled');
  expect(money.paid).toBe(money.accepted);

  const followed = await golem(['events', 'cli-job', '--follow', '--json']);
  const events = followed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as GolemEvent);
  expect(events.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['AllocationCreated', 'AllocationReleased']),
  );
  const plain = (await golem(['events', 'cli-job'])).stdout.trim().split('\n');
  expect(plain).toHaveLength(events.length);
  expect(plain[0]).toContain(` ${events[0]?.name} `);
});

test('a job whose task fails ends with code 1 and the reason', async () => {
  const tasks = [{ commands: ['echo why >&2; exit 3'], maxAttempts: 1 }];
  const run = await golem(['start', '-', '--watch', '--id', 'failing'], { ...SPEC, tasks });
  expect(run.code).toBe(1);
  expect(run.stdout).toMatch(/^task-1: failed .*\n {2}why\n/m);
  expect(run.stderr).toMatch(/^golem-temporal: job failing failed, 1 of 1 tasks: CommandFailed: .*code 3/);
  expect(await golem(['result', 'failing'])).toMatchObject({ code: 1, stderr: run.stderr });
});

test('a bad spec ends with code 2 and a line for each mistake', async () => {
  const run = await golem(['start', '-', '--watch'], { ...SPEC, tasks: [{ comands: ['echo'] }], budget: 1 });
  expect(run.code).toBe(2);
  expect(run.stderr).toContain('InvalidJobSpec');
  expect(run.stderr).toMatch(/tasks\[0\]\.comands: .*commands/);
  expect(run.stderr).toMatch(/budget: is a JSON number/);
  // Nothing was started.
  expect(run.stdout).toBe('');
});

test('an id that is in use ends with code 2; cancel ends the job, and it is paid all the same', async () => {
  const spec = { ...SPEC, tasks: ['sleep 1000'] };
  expect(await golem(['start', '-', '--id', 'long'], spec)).toMatchObject({ code: 0, stdout: 'long\n' });
  expect(await golem(['start', '-', '--id', 'long'], spec)).toMatchObject({ code: 2, stdout: '' });

  const following = await startCli(['events', 'long', '--follow'], temporal.env);
  await following.line(/ ScriptSent /);
  expect(await golem(['cancel', 'long'])).toMatchObject({ code: 0, stdout: 'cancelling long\n' });
  expect(await following.exited).toEqual({ code: 0, signal: null });
  expect(await golem(['watch', 'long'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Cancelled'),
  });
  expect(await golem(['result', 'long', '--settled'])).toMatchObject({ code: 0 });
  expect(await golem(['cancel', 'long'])).toMatchObject({
    code: 0,
    stdout: 'long is over already: there is nothing to cancel\n',
  });
});

test('topup raises the budget of a job, by what is an amount', async () => {
  await golem(['start', '-', '--id', 'topped'], { ...SPEC, tasks: ['sleep 1000'] });
  expect(await golem(['topup', 'topped', '0.5'])).toMatchObject({
    ...{ code: 0, stdout: 'topped: 1.5 GLM are reserved, of a budget of 1.5\n', stderr: '' },
  });
  expect(await golem(['topup', 'topped', 'much'])).toMatchObject({
    ...{ code: 2, stdout: '', stderr: expect.stringContaining('an amount of GLM above 0') as string },
  });
  await golem(['cancel', 'topped']);
});

test('somebody else’s workflow is no job: it is neither shown nor cancelled', async () => {
  const payroll = await temporal.client.workflow.start('payroll', {
    workflowId: 'payroll-1',
    taskQueue: 'theirs',
  });
  for (const command of ['cancel', 'watch', 'result', 'events', 'topup']) {
    const more = command === 'topup' ? ['1'] : [];
    expect(await golem([command, 'payroll-1', ...more])).toMatchObject({
      ...{ code: 2, stdout: '' },
      stderr: `golem-temporal: there is no job payroll-1 in the namespace ${temporal.client.options.namespace}: the workflow of that id is a payroll; golem-temporal list shows all jobs\n`,
    });
  }
  const { events } = await payroll.fetchHistory();
  expect(events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes)).toBe(false);
  await payroll.terminate();
});

test('start on a task queue without a worker starts the job, and says which worker is missing', async () => {
  const spec = { ...SPEC, tasks: ['echo'] };
  const run = await golem(['start', '-', '--id', 'elsewhere', '--task-queue', 'other'], spec);
  expect(run).toMatchObject({ code: 0, stdout: 'elsewhere\n' });
  expect(run.stderr).toContain('`golem-temporal worker --task-queue other`');
  expect((await temporal.client.workflow.getHandle('elsewhere').describe()).taskQueue).toBe('other');
  await temporal.client.workflow.getHandle('elsewhere').terminate();
});

test('why a job has failed stands in the log of its worker, in one line', async () => {
  // Only a worker knows its strategies.
  const bad = { ...SPEC, tasks: ['true'], providers: { select: 'mine' } };
  expect(await golem(['start', '-', '--watch', '--id', 'bad'], bad)).toMatchObject({ code: 2 });
  await worker.stop();
  const told = logged.filter((line) => line.includes('bad'));
  expect(told).toEqual([
    expect.stringMatching(/golemPrepareJob of bad: InvalidJobSpec: providers\.select: /),
  ]);
});
