/** `golem-temporal detach` and `attach` as they are used. */
import type { RentalProgress } from '../model/result';
import { runCli, type CliRun } from './support/cli';
import { temporalAddress } from './support/temporal';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

let world: World;
beforeAll(async () => {
  world = await startWorld({ devnet: { paymentCycleSec: 0.1 } });
});
afterAll(() => world?.close());

const cli = (...args: string[]): Promise<CliRun> =>
  runCli(args, { env: { TEMPORAL_ADDRESS: temporalAddress() } });
const attach = (...args: string[]) => cli('attach', '--task-queue', world.taskQueue, ...args);

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
  expect(taken.stderr).toMatch(/^golem-temporal: ActivityInUse: rental .*\nUse that rental/);

  const detached = await cli('detach', jobId);
  expect(detached).toMatchObject({ code: 0, stderr: '' });
  expect(detached.stdout).toContain(`${jobId} is detached from Golem activity ${activityId}`);
  expect(detached.stdout).toMatch(/goes on until \d{4}-.*\n.*1 GLM are reserved.*\n/);
  expect(detached.stdout).toContain(`golem-temporal attach ${activityId}`);
  await world.golem.result(jobId);
  expect(await cli('detach', rental)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^golem-temporal: NotDetachable: /) as string,
  });

  const attached = await attach(activityId);
  expect(attached).toMatchObject({ code: 0, stderr: '' });
  const [id = '', about] = attached.stdout.split('\n');
  expect(id).toBe(`golem-attach-${activityId}`);
  expect(about).toContain(`agreement ${agreementId}`);
  const again = await cli('detach', id, '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ activityId, agreementId });
  await world.client.workflow.getHandle(id).result();
  const json = await attach(activityId, '--json', '--connection', 'default');
  expect(JSON.parse(json.stdout)).toMatchObject({ rentalId: id, activityId, state: 'ready' });
  await world.client.workflow.getHandle(id).executeUpdate('terminate', { args: [{}] });
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
  expect((await cli('detach')).code).toBe(2);
});
