/** `golem-temporal reconcile` as it is used: lists, closes, and is put on a Temporal Schedule. */
import type { Child } from '../cli/child-process';
import { startDevnet, type Devnet } from '../devnet';
import { GolemClient } from '../client';
import type { ReconcileResult } from '../model/reconcile';
import { requireBuild, runCli, startCli, type CliRun } from './support/cli';
import { Gate } from './support/gate';
import { openTemporal, type TestTemporal } from './support/temporal';
import { terminateAll, untilListed } from './support/workflow-ends';

let devnet: Devnet;
let temporal: TestTemporal;
let worker: Child;
let gate: Gate;
beforeAll(async () => {
  requireBuild();
  devnet = await startDevnet({ paymentCycleSec: 0.1 });
  temporal = await openTemporal();
  gate = await Gate.start();
  worker = await startCli(['worker'], {
    ...temporal.env,
    ...{ YAGNA_API_URL: devnet.url, YAGNA_APPKEY: devnet.appKey, GOLEM_REQUEST_TIMEOUT_SEC: '3' },
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  });
  await worker.line(/^worker ready/);
});
afterAll(async () => {
  await worker?.stop();
  await gate.close();
  await temporal?.close();
  await devnet?.close();
});

const reconcile = (...args: string[]): Promise<CliRun> =>
  runCli(['reconcile', ...args], { env: temporal.env });

/** Of a job that is terminated with all that is its own. */
async function leftover(jobId: string): Promise<GolemClient> {
  const golem = new GolemClient({ client: temporal.client });
  const created = devnet.effects.next('script-started');
  await golem.startJob(
    { image: 'golem/alpine:latest', budget: '1', tasks: [{ commands: [gate.command] }] },
    { jobId },
  );
  await created;
  await untilListed(temporal.client, jobId);
  await terminateAll(temporal.client, [jobId, `${jobId}/settlement`, `${jobId}/rental/1`]);
  return golem;
}

test('with nothing to do it says so', async () => {
  expect(await reconcile('--dry-run')).toEqual({
    ...{ code: 0, stderr: '' },
    stdout: 'nothing is left over: whatever yagna holds of ours is looked after\n',
  });
});

test('it lists what is left over, closes it when it is told to, and tells what was paid', async () => {
  await leftover('gone');
  const listed = await reconcile('--dry-run');
  expect(listed).toMatchObject({ code: 0, stderr: '' });
  const [head, ...lines] = listed.stdout.trimEnd().split('\n');
  expect(head).toMatch(/^WHAT +ID +PROVIDER +AGE +GLM +JOB$/);
  expect(lines.sort()).toEqual([
    expect.stringMatching(/^activity +[0-9a-f]{32} +\S+ +\d+s +0\.\d+ at most +gone$/),
    expect.stringMatching(/^agreement +[0-9a-f]{64} +\S+ +\d+s +0\.\d+ at most +gone$/),
    expect.stringMatching(/^allocation +[0-9a-f-]{36} +\d+s +1 reserved +gone$/),
    expect.stringMatching(/^demand +\S+ +\d+s +0 +gone$/),
  ]);
  const json = JSON.parse((await reconcile('--dry-run', '--json')).stdout) as ReconcileResult;
  expect(json.orphans).toHaveLength(4);

  const closed = await reconcile();
  expect(closed).toMatchObject({ code: 0, stderr: '' });
  expect(closed.stdout).toMatch(/\n1 settlement closes them; it goes on without this command\n/);
  expect(closed.stdout).toMatch(/\ngone\/settlement: settled, 0\.\d+ GLM paid in all\n$/);
  expect(devnet.open().counts).toEqual({ allocations: 0, demands: 0, agreements: 0, activities: 0 });
});

test('on a schedule it does so by itself; the schedule is changed, and taken away', async () => {
  expect(await reconcile('--every', '1d')).toEqual({
    ...{ code: 0, stderr: '', stdout: 'golem-reconcile runs every day\n' },
  });
  expect(await reconcile('--every', '10m')).toEqual({
    ...{ code: 0, stderr: '', stdout: 'golem-reconcile runs every 10 minutes\n' },
  });
  const schedule = temporal.client.schedule.getHandle('golem-reconcile');
  const described = await schedule.describe();
  expect(described.spec.intervals).toMatchObject([{ every: 600_000 }]);
  // One that hung would keep all later ones from beginning.
  expect(described.action.workflowExecutionTimeout).toBe(7_200_000);
  // So that none begins by itself meanwhile.
  await reconcile('--every', '1d');

  const golem = await leftover('scheduled');
  const released = devnet.effects.next('allocation-released');
  await schedule.trigger();
  await released;
  expect((await golem.settled('scheduled')).state).toBe('settled');

  expect(await reconcile('--remove')).toMatchObject({ code: 0, stdout: 'golem-reconcile is removed\n' });
  expect(await reconcile('--remove')).toMatchObject({
    code: 0,
    stdout: 'there is no schedule golem-reconcile\n',
  });
});

test.each([
  [['--every', 'often'], /--every <duration>.*'often' is invalid.*such as 10m/],
  [['--every', '1s'], /at least 10s/],
  [['--every', '10'], /'10' is invalid.*with s, m, h or d/],
  [['--older-than', '-3'], /such as 10m/],
  [['--every', '10m', '--dry-run'], /--dry-run and --every do not go together/],
  [['--connection', 'nowhere'], /no connection named "nowhere"/],
])('%j is refused in one line', async (args, complaint) => {
  const run = await reconcile(...args);
  expect(run).toMatchObject({ code: 2, stdout: '' });
  expect(run.stderr.split('\n')[0]).toMatch(complaint);
});
