/** `golem-temporal detach` and `attach` as they are used. */
import type { RentalProgress } from '../model/result';
import { join } from 'node:path';
import { runCli, startCli, type CliRun } from './support/cli';
import { tempDir } from './support/temp-dir';
import { temporalAddress } from './support/temporal';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const folder = tempDir('attach');
let world: World;
beforeAll(async () => {
  world = await startWorld({ devnet: { paymentCycleSec: 0.1 } });
});
afterAll(() => world?.close());

const cli = (...args: string[]): Promise<CliRun> =>
  runCli(args, { env: { TEMPORAL_ADDRESS: temporalAddress() } });
const attach = (...args: string[]) => cli('attach', '--task-queue', world.taskQueue, ...args);

jest.setTimeout(180_000);

test('a rental is left alive by detach, which says what becomes of it, and taken over by attach', async () => {
  const { jobId } = await world.golem.startJob({
    ...{ image: 'golem/alpine:latest', budget: '1', interactive: true },
  });
  const rental = `${jobId}/rental/1`;
  await world.effect('agreement-created');
  const handle = world.client.workflow.getHandle(rental);
  // Sent once the VM is up.
  await handle.executeUpdate('executeScript', { args: [{ commands: ['true'] }] });
  const { activityId = '', agreementId } = await handle.query<RentalProgress>('progress');

  const taken = await attach(activityId);
  expect(taken).toMatchObject({ code: 1, stdout: '' });
  expect(taken.stderr).toMatch(/^golem-temporal: ActivityInUse: rental .*\. Use that rental/);

  const detached = await cli('detach', jobId);
  expect(detached).toMatchObject({ code: 0, stderr: '' });
  expect(detached.stdout).toContain(`${jobId} is detached from Golem activity ${activityId}`);
  expect(detached.stdout).toMatch(/goes on until \d{4}-.*\n.*1 GLM are reserved.*\n/);
  expect(detached.stdout).toContain(`golem-temporal attach ${activityId}`);
  await world.golem.result(jobId);
  const left = `${rental}: RentalDetached: the rental was detached, and its VM lives on: golem-temporal attach ${activityId}`;
  for (const args of [
    ['detach', rental],
    ['terminate', rental],
    ['terminate', jobId],
    ['exec', jobId, '--', 'ls'],
    ['exec', rental, '--result', 'x'],
  ])
    expect(await cli(...args)).toEqual({ code: 3, stdout: '', stderr: `golem-temporal: ${left}\n` });
  expect((await cli('events', jobId)).stdout).toMatch(
    new RegExp(
      ` ActivityStateChanged id=${activityId} .* state=Detached .* attach=golem-temporal attach ${activityId}`,
    ),
  );

  const attached = await attach(activityId);
  expect(attached).toMatchObject({ code: 0, stderr: '' });
  const [id = '', about] = attached.stdout.split('\n');
  expect(id).toBe(`golem-attach-${activityId}`);
  expect(about).toContain(`agreement ${agreementId}`);
  const pays = `${jobId}/settlement`;
  expect(JSON.parse((await cli('costs', id, '--json')).stdout)).toMatchObject({ id, phase: 'open' });
  const ofJobs: [string[], RegExp][] = [
    [['topup', id, '1'], new RegExp(`detach it, and golem-temporal attach ${activityId} --budget GLM`)],
    [['topup', rental, '1'], new RegExp(`golem-temporal topup ${jobId} 1 raises the budget of its job`)],
    [['cancel', id], new RegExp(`golem-temporal terminate ${id} ends it`)],
    [['logs', id, 'task-1'], new RegExp(`golem-temporal exec ${id} --result SCRIPT`)],
    [['exec', id, '--vm', 'two', '--', 'ls'], /attached to a VM, and has that alone/],
  ];
  for (const [args, line] of ofJobs)
    expect(await cli(...args)).toMatchObject({
      ...{ code: 2, stdout: '', stderr: expect.stringMatching(line) as string },
    });
  const watching = await startCli(['watch', id, '--json'], { TEMPORAL_ADDRESS: temporalAddress() });
  await watching.line(new RegExp(`"state":"ready".*"settlementId":"${pays}"`));
  const again = await cli('detach', id, '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ activityId, agreementId });
  await watching.line(new RegExp(`"detached":"${activityId}"`));
  expect(await watching.exited).toEqual({ code: 0, signal: null });
  expect(JSON.parse((await cli('result', id)).stdout)).toMatchObject({ detached: activityId });
  expect((await cli('events', id)).stdout).toMatch(/ ActivityStateChanged .* state=Detached /);
  const file = join(folder, 'key.json');
  const key = (await cli('key', file)).stdout.trim();
  const closed = await attach(activityId, '--connection', 'default', '--key', file);
  expect(closed.stdout).toContain(`closed from now on: it obeys ${key} alone`);
  expect(await cli('detach', id, '--key', file)).toMatchObject({ code: 0 });
  await world.client.workflow.getHandle(id).result();
  const json = await attach(activityId, '--json', '--connection', 'default');
  expect(JSON.parse(json.stdout)).toMatchObject({ rentalId: id, activityId, state: 'ready' });
  expect(await cli('revoke', id, key, '--key', file)).toMatchObject({
    ...{
      code: 2,
      stderr: expect.stringMatching(/it has no owner, .*: rent with --owner KEY to close it/) as string,
    },
  });
  expect(await cli('exec', id, '--timeout', '1s', '--', 'sleep', '30')).toMatchObject({
    ...{ code: 124, stdout: '' },
    stderr: expect.stringMatching(
      /took longer than its time: its VM and the rental end with it\n$/,
    ) as string,
  });
  await world.client.workflow.getHandle(id).result();
  expect((await cli('exec', id, '--', 'ls')).stderr).toMatch(
    /has ended \(script \S+ ran longer than its 1 s\)/,
  );
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('what cannot be an id, a batch or a budget is refused before anything is asked', async () => {
  const bad = await attach('no/id', '--batch', 'b/1', '--budget', 'much');
  expect(bad.code).toBe(2);
  expect(bad.stderr).toMatch(/activityId: .*\n.*batchIds\[0\]: .*\n.*budget: /);
  const help = await cli('attach', '--help');
  for (const option of ['--batch', '--budget', '--connection', '--task-queue', '--json'])
    expect(help.stdout).toContain(option);
  expect(bad.stderr).toMatch(/\nCorrect what is named, and try again\.\n$/);
  expect((await cli('detach')).code).toBe(2);
  for (const args of [
    ['exec', 'nosuch', '--', 'ls'],
    ['terminate', 'nosuch'],
    ['detach', 'nosuch'],
  ])
    expect(await cli(...args)).toEqual({
      ...{ code: 2, stdout: '' },
      stderr: `golem-temporal: there is no job or rental nosuch in the namespace ${world.client.options.namespace}; golem-temporal list shows all jobs\n`,
    });
});
