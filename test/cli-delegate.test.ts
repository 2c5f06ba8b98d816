/** GAP-17, scenario C, with the command: a VM is rented by one, and another one works with it, by keys in files. */
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GolemEvent } from '../model/events';
import { runCli, type CliRun } from './support/cli';
import { tempDir } from './support/temp-dir';
import { temporalAddress } from './support/temporal';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const dir = tempDir('delegate');
const A = join(dir, 'a.json');
const B = join(dir, 'b.json');
let world: World;
let keyA: string;
let keyB: string;

const golem = (...args: string[]): Promise<CliRun> =>
  runCli(args, { env: { TEMPORAL_ADDRESS: temporalAddress() } });

beforeAll(async () => {
  world = await startWorld({ devnet: { paymentCycleSec: 0.1 } });
  [keyA, keyB] = (await Promise.all([A, B].map((file) => golem('key', file)))).map(({ stdout }) =>
    stdout.trim(),
  ) as [string, string];
});
afterAll(() => world?.close());

/** Rented by A, for A alone. */
async function rent(): Promise<{ jobId: string; rentalId: string }> {
  const { stdout, stderr } = await golem(
    ...['rent', '--image', 'golem/alpine:latest', '--budget', '1', '--owner', keyA],
    ...['--task-queue', world.taskQueue, '--json'],
  );
  expect(stderr).toMatch(/exec \S+ --key FILE -- uname/);
  return JSON.parse(stdout) as { jobId: string; rentalId: string };
}

const refused = (why: RegExp) => ({
  ...{ code: 6, stdout: '', stderr: expect.stringMatching(why) as string },
});

async function settled(jobId: string): Promise<void> {
  await world.golem.result(jobId);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
}

test('key makes a file that only its owner can read, and prints the public key alone', async () => {
  const file = join(dir, 'new.json');
  const made = await golem('key', file);
  expect(made).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringMatching(/^[\w-]{43}\n$/) as string,
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const content = readFileSync(file, 'utf8');
  expect(made.stdout).not.toContain((JSON.parse(content) as { d: string }).d);
  expect(await golem('key', file)).toEqual({
    ...{ code: 2, stdout: '' },
    stderr: `golem-temporal: cannot write ${file}: it is there already, and no key is written over\n`,
  });
  expect(readFileSync(file, 'utf8')).toBe(content);
  expect(await golem('key', '--show', file)).toEqual(made);
  chmodSync(file, 0o644);
  expect(await golem('key', '--show', file)).toEqual({
    ...{ code: 0, stdout: made.stdout },
    stderr: `golem-temporal: warning: others may read the private key in ${file}: chmod 600 ${file}\n`,
  });
});

test('what is no key, no permission and no time is told before anything is asked', async () => {
  const none = join(dir, 'none.json');
  writeFileSync(none, '{"kty":"RSA"}');
  const wrong: [string[], RegExp][] = [
    [['exec', 'x', '--key', none, '--', 'ls'], /none\.json is not a private key: make one with/],
    [['terminate', 'x', '--key', join(dir, 'missing')], /cannot read .*missing/],
    [
      ['grant', 'x', keyB, '--may', 'exec,fly', '--until', '2h', '--key', A],
      /exec,read,terminate,settle,grant/,
    ],
    [['grant', 'x', keyB, '--may', 'exec', '--until', 'soon', '--key', A], /give a duration, a whole number/],
    [['grant', 'x', 'bob', '--may', 'exec', '--until', '2h', '--key', A], /public key has 43 characters/],
    [['grant', 'x', keyB, '--may', 'exec', '--until', '2h'], /required option '--key <file>'/],
    [
      ['grant', 'nobody', keyB, '--may', 'exec', '--until', '2h', '--key', A],
      /there is no job or rental nobody/,
    ],
    [['rent', '--image', 'x', '--budget', '1', '--owner', 'me'], /public key has 43 characters/],
  ];
  for (const [args, message] of wrong)
    expect(await golem(...args)).toMatchObject({
      ...{ code: 2, stdout: '', stderr: expect.stringMatching(message) as string },
    });
});

jest.setTimeout(180_000);

test('3.1, full delegation: what A has rented, B works with and ends, as A could', async () => {
  const { jobId, rentalId } = await rent();
  const without = await golem('exec', rentalId, '--', 'echo', 'mine');
  expect(without).toMatchObject(
    refused(/ControlRefused: executeScript: it is signed by nobody\. Sign it with/),
  );
  expect(await golem('exec', rentalId, '--key', B, '--', 'ls')).toMatchObject(
    refused(/its key has no grant/),
  );
  expect(await golem('exec', rentalId, '--key', A, '--', 'echo', 'by A')).toEqual({
    ...{ code: 0, stdout: 'by A\n', stderr: '' },
  });

  const granted = await golem('grant', rentalId, keyB, '--may', 'all', '--until', '2h', '--key', A);
  expect(granted).toMatchObject({ code: 0, stderr: '' });
  expect(granted.stdout).toMatch(/may exec, read, terminate, settle, grant with .* until \d{4}-/);
  // The money is the job's.
  expect(await golem('topup', jobId, '1', '--key', B)).toMatchObject(refused(/topUp: its key has no grant/));
  expect(await golem('grant', jobId, keyB, '--may', 'exec', '--until', '2h', '--key', A)).toMatchObject({
    ...{ code: 2, stderr: expect.stringMatching(/a job takes no scripts/) as string },
  });
  await golem('grant', jobId, keyB, '--may', 'settle', '--until', '2h', '--key', A);
  expect(await golem('topup', jobId, '1', '--key', B)).toMatchObject({
    ...{ code: 0, stdout: expect.stringMatching(/of a budget of 2\n/) as string },
  });
  expect(await golem('exec', rentalId, '--key', B, '--', 'echo', 'by B')).toMatchObject({ stdout: 'by B\n' });
  expect(await golem('terminate', rentalId, '--key', B, '--reason', 'B is done')).toEqual({
    ...{ code: 0, stdout: `terminating ${rentalId}\n`, stderr: '' },
  });
  await settled(jobId);
  const ends = await world.effects('agreement-terminated');
  expect(ends.at(-1)).toMatchObject({ reason: { message: 'B is done' } });
});

test('3.2, in part: B sends scripts and reads, and A stays in control and takes it back', async () => {
  const { jobId, rentalId } = await rent();
  const until = new Date(Date.now() + 3_600_000).toISOString();
  await golem('grant', rentalId, keyB, '--may', 'exec,read', '--until', until, '--key', A);
  const ran = await golem('exec', rentalId, '--key', B, '--json', '--', 'echo', 'by B');
  const { scriptId } = JSON.parse(ran.stdout) as { scriptId: string };
  const again = await golem('exec', rentalId, '--key', B, '--result', scriptId);
  expect(again).toEqual({ code: 0, stdout: 'by B\n', stderr: '' });
  const no = /its key has no permission for that/;
  expect(await golem('terminate', rentalId, '--key', B)).toMatchObject(refused(no));
  expect(await golem('detach', rentalId, '--key', B)).toMatchObject(refused(no));
  const grant = ['grant', rentalId, keyB, '--may', 'all', '--until', '1h', '--key', B];
  expect(await golem(...grant)).toMatchObject(refused(no));

  expect(await golem('revoke', rentalId, keyA, '--key', A)).toMatchObject({
    ...{
      code: 2,
      stderr: expect.stringMatching(
        /: \S+ has no grant for \S+, or none any more: there is nothing to revoke\n$/,
      ) as string,
    },
  });
  expect(await golem('revoke', rentalId, keyB, '--key', A)).toMatchObject({ code: 0, stderr: '' });
  expect(await golem('exec', rentalId, '--key', B, '--', 'ls')).toMatchObject(refused(/was revoked/));
  const events = (await golem('events', jobId, '--json')).stdout.trim().split('\n');
  const seen = events
    .map((line) => JSON.parse(line) as GolemEvent)
    .filter((each) => each.name === 'ControlRefused');
  expect(seen.map(({ details }) => details.refusal)).toEqual([
    ...Array<string>(3).fill('NotPermitted'),
    'Revoked',
  ]);
  expect(seen.every(({ details }) => details.key === keyB)).toBe(true);

  // And away and back again: only A.
  const { activityId = '' } = await world.golem.rentalProgress(rentalId);
  const detached = await golem('detach', rentalId, '--key', A);
  expect(detached).toMatchObject({ code: 0, stderr: '' });
  expect(detached.stdout).toContain(`golem-temporal attach ${activityId} --key FILE`);
  expect(await golem('exec', rentalId, '--key', A, '--', 'ls')).toMatchObject({
    ...{ code: 3, stderr: expect.stringContaining(`attach ${activityId} --key FILE`) as string },
  });
  await world.golem.result(jobId);
  const attach = (...args: string[]) => golem('attach', activityId, '--task-queue', world.taskQueue, ...args);
  expect(await attach()).toMatchObject(
    refused(/^golem-temporal: ControlRefused: attach: the activity has an owner/),
  );
  expect(await attach('--key', B)).toMatchObject(
    refused(new RegExp(`ControlRefused: attach: the activity has an owner, and ${keyB} is not his key`)),
  );
  const attached = await attach('--key', A, '--json');
  const { rentalId: id } = JSON.parse(attached.stdout) as { rentalId: string };
  expect(await golem('exec', id, '--', 'ls')).toMatchObject(refused(/signed by nobody/));
  expect(await golem('exec', id, '--key', A, '--', 'echo', 'again')).toMatchObject({ stdout: 'again\n' });
  expect(await golem('terminate', id, '--key', A)).toMatchObject({ code: 0 });
  await settled(jobId);
});
