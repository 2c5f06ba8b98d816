/** The app key is nowhere but in requests to yagna: not in a history, a failure, a heartbeat or a log, whatever goes wrong. */
import { FaultProxy } from './support/fault-proxy';
import { runCli } from './support/cli';
import { now } from './support/proof';
import { startWorld, type World } from './support/world';

/** With characters that JSON, URLs and shells write in a way of their own. */
const APP_KEY = 'key-2f0d"9c+4e/b7%61';
const FORMS = [
  APP_KEY,
  JSON.stringify(APP_KEY).slice(1, -1),
  encodeURIComponent(APP_KEY),
  ...['base64', 'base64url'].map((as) =>
    Buffer.from(APP_KEY)
      .toString(as as 'base64')
      .replace(/=+$/, ''),
  ),
  `Bearer ${APP_KEY.slice(0, 8)}`,
];

const proxy = new FaultProxy();
let world: World;
beforeAll(async () => {
  world = await startWorld({
    yagnaUrl: (url) => proxy.start(url),
    devnet: { appKeys: [APP_KEY], paymentCycleSec: 0.1, providers: [{ name: 'one' }] },
  });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
});
afterEach(() => proxy.clear());

function expectNoKey(where: string, text: string): void {
  // However often it was written as JSON within JSON.
  for (const form of FORMS.flatMap((each) => [each, each.replaceAll('\\', '')]))
    if (text.includes(form)) throw new Error(`${where} shows the app key as ${form}`);
}

/** All that Temporal keeps of a workflow: its history, and what it shows of it now, as text and decoded. */
async function keptOf(workflowId: string): Promise<string> {
  const handle = world.client.workflow.getHandle(workflowId);
  // Payloads and heartbeats are bytes there, of JSON.
  const written = (value: unknown): string =>
    JSON.stringify(value, (_, part: unknown) =>
      part instanceof Uint8Array
        ? `${Buffer.from(part).toString()} ${Buffer.from(part).toString('latin1')}`
        : part,
    );
  const { raw } = await handle.describe();
  return [written(await handle.fetchHistory()), written(raw)].join('\n').replaceAll('\\', '');
}

const quoting = {
  message: `refused: authorization: Bearer ${APP_KEY}; again ${encodeURIComponent(APP_KEY)}`,
};

test('a failing job shows it nowhere, though yagna quotes it in every answer', async () => {
  const began = await now(world);
  const job = { image: 'golem/alpine:latest', budget: '1' };
  const ids: string[] = [];
  const start = async (spec: object): Promise<string> => {
    const { jobId } = await world.golem.startJob({ ...job, ...spec });
    ids.push(jobId);
    return jobId;
  };
  // One that fails at its start by the key, one by an answer that is unreadable, one by its task.
  for (const status of [401, 400]) {
    const fault = proxy.answer(/^GET .me$/, status, quoting, { times: Infinity });
    const jobId = await start({ tasks: ['true'] });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({
      message: expect.stringContaining('***') as string,
    });
    fault.stop();
  }
  const failing = await start({ tasks: [{ commands: ['env; exit 3'], maxAttempts: 1 }] });
  await world.effect('agreement-approved', began);
  // It waits for yagna, which refuses, breaks and quotes; what it waits with is shown by its pending activities.
  for (const status of [500, 503, 401]) {
    const fault = proxy.answer(/./, status, quoting, { times: Infinity });
    await fault.hit(4);
    expectNoKey(`a pending activity after ${status}`, await keptOf(`${failing}/rental/1`));
    expectNoKey('the settlement', await keptOf(`${failing}/settlement`));
  }
  proxy.clear();
  await proxy.refuse();
  await proxy.listen();
  await expect(world.golem.result(failing)).resolves.toMatchObject({ state: 'failed' });
  expect((await world.golem.settled(failing)).state).toBe('settled');
  for await (const { workflowId } of world.client.workflow.list({
    query: `TaskQueue = "${world.taskQueue}"`,
  })) {
    expectNoKey(workflowId, await keptOf(workflowId));
  }
  expectNoKey('the failed job', await keptOf(failing));
  expectNoKey("the worker's log", world.workerLog.join('\n'));
  expect(world.workerLog.join('\n')).toContain('***');
  const env = { TEMPORAL_ADDRESS: process.env.GOLEM_TEST_TEMPORAL, YAGNA_APPKEY: APP_KEY };
  for (const args of [...ids.map((id) => ['result', id]), ['events', failing]]) {
    const { stdout, stderr } = await runCli(args, { env });
    expectNoKey(`golem-temporal ${args.join(' ')}`, stdout + stderr);
  }
});

test('a key that cannot stand in a header is refused without being shown', async () => {
  const { code, stdout, stderr } = await runCli(['worker'], {
    env: {
      ...{ TEMPORAL_ADDRESS: process.env.GOLEM_TEST_TEMPORAL, YAGNA_API_URL: 'http://127.0.0.1:1' },
      YAGNA_APPKEY: `${APP_KEY}\nX-Other: 1`,
    },
  });
  expect(code).not.toBe(0);
  expectNoKey('the worker', stdout + stderr);
});

test.each([
  ['YAGNA_API_URL', 'YAGNA_API_URL and YAGNA_APPKEY: url: must hold no user name and password'],
  ['GOLEM_REGISTRY_URL', 'GOLEM_REGISTRY_URL: must hold no user name and password'],
])('a %s that holds user name and password is refused without being shown', async (name, line) => {
  const { code, stdout, stderr } = await runCli(['worker'], {
    env: {
      ...{ TEMPORAL_ADDRESS: process.env.GOLEM_TEST_TEMPORAL, YAGNA_APPKEY: APP_KEY },
      [name]: 'http://user:s3cret@127.0.0.1:1',
    },
  });
  expect(code).not.toBe(0);
  expect(stderr).toContain(line);
  expect(stdout + stderr).not.toContain('s3cret');
  expectNoKey('the worker', stdout + stderr);
});
