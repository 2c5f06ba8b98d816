/** `golem-temporal rent | exec | terminate`, as users run them. */
import { randomUUID } from 'node:crypto';
import { spawnCli, runCli, type CliRun } from './support/cli';
import { Gate } from './support/gate';
import { expectAllPaidOnce, now } from './support/proof';
import { temporalAddress } from './support/temporal';
import { startWorld, type World } from './support/world';

let world: World;
let gate: Gate;
let began: number;
let rental: string;
let jobId: string;

const env = () => ({ TEMPORAL_ADDRESS: temporalAddress() });
const golem = (args: string[], input?: object): Promise<CliRun> =>
  runCli(args, { env: env(), input: input && JSON.stringify(input) });

beforeAll(async () => {
  world = await startWorld({ devnet: { paymentCycleSec: 0.1 } });
  gate = await Gate.start();
  began = await now(world);
});
afterAll(async () => {
  await gate?.close();
  await world?.close();
});

test('rent prints what goes on until the VM is up, and then its id, alone on standard output', async () => {
  const rented = await golem([
    ...['rent', '--image', 'golem/alpine:latest', '--budget', '1', '--task-queue', world.taskQueue, '--json'],
  ]);
  expect(rented.code).toBe(0);
  ({ jobId, rentalId: rental } = JSON.parse(rented.stdout) as { jobId: string; rentalId: string });
  expect(rental).toBe(`${jobId}/rental/1`);
  expect(rented.stderr).toMatch(/^phase: \w+$/m);
  expect(rented.stderr).toContain(`golem-temporal exec ${rental} -- uname -a`);
});

test('exec runs a program with its arguments as they are, and prints each output to where it belongs', async () => {
  expect(await golem(['exec', rental, '--', 'sh', '-c', 'echo "$1"; echo oops >&2', 'sh', 'a  b'])).toEqual({
    ...{ code: 0, stdout: 'a  b\n', stderr: 'oops\n' },
  });
  expect(await golem(['exec', jobId, '--', '/bin/echo', '-n', '$HOME'])).toMatchObject({ stdout: '$HOME' });
  expect(await golem(['exec', rental, '--shell', 'echo $((1 + 1))'])).toMatchObject({ stdout: '2\n' });
  const script = { commands: ['echo one', { run: '/bin/echo', args: ['two'] }] };
  expect(await golem(['exec', rental, '--file', '-'], script)).toMatchObject({ stdout: 'one\ntwo\n' });
  const long = await golem(['exec', rental, '--shell', 'head -c 70000 /dev/zero | tr "\\0" x']);
  expect(long).toMatchObject({ code: 0, stdout: 'x'.repeat(65_536) });
  expect(long.stderr).toMatch(
    /^golem-temporal: 4464 bytes of the output were cut off: .*transfer.*outputLimitBytes/,
  );
  const json = await golem(['exec', rental, '--json', '--timeout', '1m', '--', 'echo', 'x']);
  expect(JSON.parse(json.stdout)).toMatchObject({ state: 'done', results: [{ stdout: 'x\n' }] });
});

test('a program that fails ends exec with 1, and what is no script with 2', async () => {
  const failed = await golem(['exec', rental, '--', 'sh', '-c', 'echo why >&2; exit 7']);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/^why\ngolem-temporal: script [\w-]+: failed: .*code 7/);
  const wrong: [string[], RegExp][] = [
    [['exec', rental], /give one of: -- and a program, --shell LINE, --file FILE, --result SCRIPT/],
    [['exec', rental, '--shell', 'ls', '--', 'ls'], /give one of/],
    [['exec', rental, '--', ''], /the command is empty/],
    [['exec', rental, '--shell', ''], /the command is empty/],
    [['exec', rental, '--result', 'none'], /no script "none" in this rental/],
    [['exec', 'nobody', '--', 'ls'], /there is no job or rental nobody in the namespace/],
    [['terminate', 'nobody'], /there is no job or rental nobody in the namespace/],
    [
      ['exec', rental, '--vm', 'two', '--', 'ls'],
      /allows 1 VM at a time: rent it with vmsAtOnce 2\. Correct what/,
    ],
    [['rent'], /give a spec file, or both --image and --budget/],
  ];
  for (const [args, message] of wrong)
    expect(await golem(args)).toMatchObject({
      ...{ code: 2, stdout: '', stderr: expect.stringMatching(message) as string },
    });
  const script = { commands: [3], timeout: 5 };
  expect(await golem(['exec', rental, '--file', '-'], script)).toMatchObject({
    ...{ code: 2, stderr: expect.stringMatching(/commands\[0\]: [^]*timeout: unknown/) as string },
  });
});

test('Ctrl-C ends the waiting alone, and says how to have the result', async () => {
  const script = JSON.stringify({ commands: ['echo early', gate.command, 'echo late'] });
  const child = spawnCli(['exec', rental, '--file', '-'], env());
  child.stdin.end(script);
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  // What has ended is printed while the rest runs.
  await new Promise((resolve) => child.stdout.once('data', resolve));
  await gate.visitor();
  child.kill('SIGINT');
  expect(await closed).toBe(130);
  const [, command = ''] = /^golem-temporal: the script goes on: golem-temporal (.*)$/m.exec(told) ?? [];
  gate.open();
  expect(await golem(command.split(' '))).toEqual({ code: 0, stdout: 'early\nlate\n', stderr: '' });
});

test('terminate ends the rental with its reason, and exec then says that it has ended', async () => {
  const ended = await golem(['terminate', rental, '--reason', 'seen enough']);
  expect(ended).toEqual({ code: 0, stdout: `terminating ${rental}\n`, stderr: '' });
  await world.client.workflow.getHandle(rental).result();
  expect(await golem(['exec', rental, '--', 'ls'])).toEqual({
    ...{
      code: 3,
      stdout: '',
      stderr: `golem-temporal: rental ${rental} has ended (seen enough): rent another one\n`,
    },
  });
  expect(await golem(['terminate', rental])).toMatchObject({
    ...{ code: 0, stdout: `${rental} is over already: there is nothing to terminate\n` },
  });
  await world.golem.settled(jobId);
  await expectAllPaidOnce(world, began);
});

test('a VM that is not up yet, or a worker that is not there, is told at once and by a code of its own', async () => {
  const closed = await Gate.start();
  const spec = { image: 'golem/alpine:latest', budget: '1', setup: [closed.command] };
  const job = { jobId: `slow-${randomUUID()}` };
  const child = spawnCli(['rent', '-', '--id', job.jobId, '--task-queue', world.taskQueue], env());
  child.stdin.end(JSON.stringify(spec));
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  await closed.visitor();
  child.kill('SIGTERM');
  expect(await ended).toBe(130);
  expect(told).toContain(`job ${job.jobId} goes on: `);
  expect(told).toContain(`golem-temporal terminate ${job.jobId} ends it`);
  expect(await golem(['exec', job.jobId, '--', 'ls'])).toMatchObject({
    ...{
      code: 4,
      stderr: expect.stringMatching(/is not up yet \(deploying\): try again in a moment/) as string,
    },
  });
  await world.worker.kill();
  expect(await golem(['exec', job.jobId, '--', 'ls'])).toMatchObject({
    ...{
      code: 4,
      stderr: expect.stringMatching(/does not answer: is a golem-temporal worker running/) as string,
    },
  });
  await world.startWorker();
  await closed.close();
  await world.golem.terminate(job.jobId);
  await world.golem.settled(job.jobId);
});

test('rent waits no longer than it is told to, and not at all where no worker is', async () => {
  const id = `none-${randomUUID()}`;
  const spec = { image: 'golem/alpine:latest', budget: '1', demand: { minMemGib: 4000 } };
  const rent = ['rent', '-', '--wait', '1s', '--id', id, '--task-queue'];
  expect(await golem([...rent, 'nobody'], spec)).toEqual({
    ...{ code: 4, stdout: '' },
    stderr: expect.stringMatching(
      /: nothing is rented: no worker .*worker --task-queue nobody`\n$/,
    ) as string,
  });
  expect(await golem([...rent, world.taskQueue], spec)).toMatchObject({
    ...{ code: 4, stdout: '' },
    stderr: expect.stringMatching(/no VM was up within 1 second.*: job none-\S+ is cancelled\n$/) as string,
  });
  await expect(world.golem.result(id)).rejects.toMatchObject({ type: 'Cancelled' });
});
