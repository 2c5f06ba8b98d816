/** Jobs as users of the command run them: everything through `golem-temporal`, a worker process and a devnet behind it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Child } from '../cli/child-process';
import { isWorkerThere } from '../cli/worker-there';
import { startDevnet, type Devnet } from '../devnet';
import type { Costs, YagnaReport } from '../client';
import type { GolemEvent } from '../model/events';
import type { JobResult, SettlementResult } from '../model/result';
import { requireBuild, runCli, startCli, type CliRun } from './support/cli';
import { tempDir } from './support/temp-dir';
import { openTemporal, type TestTemporal } from './support/temporal';

const folder = tempDir('job');
let devnet: Devnet;
let temporal: TestTemporal;
let worker: Child;
const workers: Child[] = [];
const logged: string[] = [];
beforeAll(async () => {
  requireBuild();
  devnet = await startDevnet();
  temporal = await openTemporal();
  worker = await startWorker();
});
afterAll(async () => {
  for (const each of workers) await each.stop();
  await temporal?.close();
  await devnet?.close();
});

async function startWorker(taskQueue = 'golem', env: NodeJS.ProcessEnv = {}): Promise<Child> {
  const yagna = {
    YAGNA_API_URL: devnet.url,
    YAGNA_APPKEY: devnet.appKey,
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  };
  const args = ['worker', '--task-queue', taskQueue];
  const started = await startCli(
    args,
    { ...temporal.env, ...yagna, ...env },
    (line) => void logged.push(line),
  );
  workers.push(started);
  await started.line(/^worker ready/);
  // Whoever starts a job before is told that no worker is there.
  while (!(await isWorkerThere(temporal.client, taskQueue)));
  return started;
}

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

test('what was is read again: in the list, task by task, and provider by provider', async () => {
  const [listed, log, costs, csv, watched] = await Promise.all([
    golem(['list', '--json']),
    golem(['logs', 'cli-job', 'task-2']),
    golem(['costs', 'cli-job', '--json']),
    golem(['costs', 'cli-job', '--csv']),
    golem(['watch', 'cli-job', '--json']),
  ]);
  expect(JSON.parse(listed.stdout)).toEqual([
    expect.objectContaining({
      ...{ jobId: 'cli-job', status: 'completed', phase: 'done', settlement: 'settled' },
      tasks: expect.objectContaining({ total: 2, done: 2 }) as object,
    }),
  ]);
  expect((await golem(['list'])).stdout).toMatch(
    /^JOB +STATUS +PHASE .*\ncli-job +completed +done +2\/2 +0 +0\.\d+ tGLM +\d{4}-/,
  );
  expect(log).toEqual({ code: 0, stdout: 'two\n', stderr: '' });
  expect(await golem(['logs', 'cli-job', 'task-9'])).toMatchObject({
    ...{ code: 2, stderr: 'golem-temporal: job cli-job has no task task-9; it has task-1 to task-2\n' },
  });
  const { money, owed, agreements } = JSON.parse(costs.stdout) as Costs;
  expect(owed).toBe('0');
  const [head, ...rows] = csv.stdout.trimEnd().split('\n');
  expect(head).toBe('agreement,provider,providerId,state,debitNotes,invoiceAmount,accepted,paid,platform');
  expect(rows.map((row) => row.split(',')[6])).toEqual(agreements.map(({ accepted }) => accepted));
  expect(money.paid).toBe(money.accepted);
  const last = watched.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
    .at(-1);
  expect(last).toMatchObject({ jobId: 'cli-job', state: 'done', settlementId: 'cli-job/settlement' });
  expect((await golem(['watch', 'cli-job', '--json'])).stderr).toBe('');
});

test('estimate and doctor ask the worker, and leave nothing on yagna', async () => {
  const [estimate, doctor] = await Promise.all([
    golem(['estimate', '-', '--task-time', '10m'], { ...SPEC, tasks: ['a', 'b'] }),
    golem(['doctor', '--json']),
  ]);
  expect(estimate).toMatchObject({ code: 0, stderr: '' });
  expect(estimate.stdout).toMatch(/^5 of 5 providers suit \(5 offers\), paid on erc20-holesky-tglm\n/);
  expect(estimate.stdout).toMatch(
    /\nexpected: 2 VMs, 2 tasks of 10 min each, some 10 min in all: 0\.\d+ \(idle\) to/,
  );
  expect(doctor).toMatchObject({ code: 0, stderr: '' });
  const { findings, yagna } = JSON.parse(doctor.stdout) as {
    findings: { what: string; verdict: string }[];
    yagna: YagnaReport;
  };
  expect(findings.filter(({ verdict }) => verdict !== 'good')).toEqual([]);
  expect(yagna).toMatchObject({ version: '0.17.6', url: devnet.url, connections: ['default'] });
  expect(yagna.funds).toEqual([
    { platform: 'erc20-holesky-tglm', available: expect.stringMatching(/^999\.9/) as string, reserved: '0' },
  ]);
  const open = (await (await fetch(`${devnet.adminUrl}/open`)).json()) as { counts: object };
  expect(open.counts).toMatchObject({ allocations: 0, demands: 0, agreements: 0, activities: 0 });
});

test('a yagna that refuses the key ends a job in one line that says what to do, and doctor says it, too', async () => {
  await startWorker('keyless', { YAGNA_APPKEY: 'wrong' });
  const queue = ['--task-queue', 'keyless'];
  const [run, estimate, doctor] = await Promise.all([
    golem(['start', '-', '--watch', '--id', 'refused', ...queue], { ...SPEC, tasks: ['true'] }),
    golem(['estimate', '-', ...queue], { ...SPEC, tasks: ['true'] }),
    golem(['doctor', ...queue]),
  ]);
  const line =
    /^golem-temporal: (job refused: )?YagnaUnauthorized: .* 401 Invalid application key\. Give the worker a valid key .*\n$/;
  expect(run).toMatchObject({ code: 1, stderr: expect.stringMatching(line) as string });
  expect(estimate).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(line) as string });
  expect(doctor).toMatchObject({ code: 1, stderr: 'golem-temporal: not well: app key\n' });
  expect(doctor.stdout).toMatch(/\nBAD {3}app key: YagnaUnauthorized: .*\n {6}Give the worker a valid key/);
  expect(doctor.stdout).not.toContain('\u001b');
  expect(await golem(['result', 'refused', '--settled'])).toMatchObject({ code: 1, stderr: run.stderr });
  expect(await golem(['costs', 'refused'])).toMatchObject({
    ...{ code: 1, stderr: expect.stringMatching(/it has no settlement: .* nothing is owed\n$/) as string },
  });
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
  expect(await golem(['logs', 'topped', 'task-1'])).toMatchObject({
    ...{ code: 4, stdout: '', stderr: expect.stringMatching(/task-1 is (waiting|running)/) as string },
  });
  expect(await golem(['topup', 'topped', 'much'])).toMatchObject({
    ...{ code: 2, stdout: '', stderr: expect.stringContaining('an amount of GLM above 0') as string },
  });
  await golem(['cancel', 'topped']);
  await temporal.client.workflow
    .getHandle('topped')
    .result()
    .catch(() => undefined);
  expect(await golem(['topup', 'topped', '1'])).toMatchObject({
    ...{ code: 3, stderr: expect.stringMatching(/JobEnding: it is over: .*\. Start another job/) as string },
  });
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

test('who watches a job without a worker is told which is missing, and when one is there', async () => {
  const file = join(folder, 'late.yaml');
  await writeFile(file, 'image: golem/alpine:latest\nbudget: "1" # GLM\ntasks:\n  - echo late\n');
  const watching = await startCli(['start', file, '--watch', '--task-queue', 'late'], temporal.env);
  await watching.line(/^no worker is there .*`golem-temporal worker --task-queue late`$/);
  await startWorker('late');
  await watching.line(/^a worker answers$/);
  await watching.line(/^ {2}late$/);
  expect(await watching.exited).toEqual({ code: 0, signal: null });
});

test('why a job has failed stands in the log of its worker, in one line', async () => {
  // Only a worker knows its strategies.
  const bad = { ...SPEC, tasks: ['true'], providers: { select: 'mine' } };
  expect(await golem(['start', '-', '--watch', '--id', 'bad'], bad)).toMatchObject({ code: 2 });
  await worker.stop();
  const told = logged.filter((line) => line.includes('of bad:'));
  expect(told).toEqual([
    expect.stringMatching(/golemPrepareJob of bad: InvalidJobSpec: providers\.select: /),
  ]);
});
