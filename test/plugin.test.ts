/** The plugin among what a team has already: its own connection, plugins, interceptors, codecs, tracing and versions. */
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { context, propagation, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type ActivityInterceptorsFactory,
  type WorkerOptions,
} from '@temporalio/worker';
import { temporal as proto } from '@temporalio/proto';
import { startChild, type Child } from '../cli/child-process';
import { GolemClient } from '../client';
import { startDevnet, type Devnet } from '../devnet';
import { EncryptionCodec } from '../examples/encryption-codec';
import { traceTo } from '../examples/tracing';
import { EVENT_NAMES } from '../model/events';
import {
  Connections,
  GolemPlugin,
  runWorker,
  type GolemEventDetail,
  type GolemEventNotice,
  type RunWorkerOptions,
} from '../worker';
import { requireBuild, runCli } from './support/cli';
import { freePort } from '../cli/free-port';
import { Gate } from './support/gate';
import { runsOfJob } from './support/runs';
import { openTemporal, type TestTemporal } from './support/temporal';
import type { conversation, pipeline } from './support/pipeline-workflows';

const SPEC = { image: 'golem/alpine:latest', budget: '1', tasks: ['echo one'] };

const EXAMPLES = join(__dirname, '..', 'dist', 'examples');

const spans = new InMemorySpanExporter();

let metricsPort: number;
let devnet: Devnet;
let temporal: TestTemporal;
let workflowBundle: { code: string };
let tracing: OpenTelemetryPlugin;

beforeAll(async () => {
  metricsPort = await freePort();
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { metrics: { prometheus: { bindAddress: `127.0.0.1:${metricsPort}` } } },
  });
  tracing = traceTo(spans);
  devnet = await startDevnet({ paymentCycleSec: 0.1 });
  temporal = await openTemporal();
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: require.resolve('./support/pipeline-workflows'),
    plugins: [new GolemPlugin({ env: { YAGNA_APPKEY: 'none' } }), tracing],
    logger: new DefaultLogger('ERROR'),
  });
});
afterAll(async () => {
  await temporal?.close();
  await devnet?.close();
  trace.disable();
  context.disable();
  propagation.disable();
});

const env = () => ({
  YAGNA_APPKEY: devnet.appKey,
  YAGNA_API_URL: devnet.url,
  GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
});

/** Runs a worker with these options on a queue of its own as long as the test goes on. */
async function withWorker(
  options: Partial<WorkerOptions>,
  test: (golem: GolemClient, taskQueue: string) => Promise<void>,
): Promise<void> {
  const { namespace } = temporal;
  const taskQueue = `plugin-${randomUUID()}`;
  const worker = await Worker.create({
    ...{ connection: temporal.nativeConnection, namespace, taskQueue, workflowBundle },
    ...options,
  });
  await worker.runUntil(test(new GolemClient({ client: temporal.client, taskQueue }), taskQueue));
}

test('given to connections, client and worker, it is one plugin, and each event of a job comes to its EventTarget once', async () => {
  const { address, namespace } = temporal;
  const eventTarget = new EventTarget();
  const heard: GolemEventDetail[] = [];
  for (const name of EVENT_NAMES)
    eventTarget.addEventListener(name, (event) => heard.push((event as GolemEventNotice).detail));
  const plugin = new GolemPlugin({ env: env(), eventTarget });
  const ran: string[] = [];
  const activity: ActivityInterceptorsFactory = ({ info }) => ({
    inbound: {
      async execute(input, next) {
        ran.push(`${info.workflowExecution?.workflowId} ${info.activityId} ${info.attempt}`);
        return await next(input);
      },
    },
  });
  const [native, connection] = await Promise.all([
    NativeConnection.connect({ address, plugins: [plugin] }),
    Connection.connect({ address, plugins: [plugin] }),
  ]);
  const client = new Client({ connection, namespace, plugins: [plugin] });
  const taskQueue = `twice-${randomUUID()}`;
  const golem = new GolemClient({ client, taskQueue });
  const options = () => ({
    ...{ connection: native, taskQueue, plugins: [tracing, plugin], interceptors: { activity: [activity] } },
  });
  const jobId = `heard-${randomUUID()}`;
  const key = (workflowId: string, seq: number): string => `${workflowId} ${seq}`;
  await withWorker(options(), async () => {
    await golem.startJob({ ...SPEC, tasks: ['echo one', 'echo two'] }, { jobId });
    expect((await golem.result(jobId)).tasks[0]?.results[0]?.stdout).toBe('one\n');
    await golem.settled(jobId);
    const { events } = await golem.events(jobId);
    // The later one counts: where a workflow task was done over, it may have gone another way.
    const last = new Map(heard.map(({ workflowId, event }) => [key(workflowId, event.seq), event.name]));
    expect([...last].sort()).toEqual(
      events.map(({ workflowId, seq, name }) => [key(workflowId, seq), name]).sort(),
    );
    const told = heard.map(({ workflowId, event: { seq, name, details } }) =>
      JSON.stringify({ workflowId, seq, name, details }),
    );
    expect(new Set(told).size).toBe(told.length);
    expect(new Set(heard.map((each) => each.jobId))).toEqual(new Set([jobId]));
    expect(ran.length).toBeGreaterThan(10);
    expect(new Set(ran).size).toBe(ran.length);
    // Watches have no watches.
    expect(ran.filter((each) => each.startsWith('undefined'))).toEqual([]);
    const { pollers } = await client.workflowService.describeTaskQueue({
      ...{ namespace, taskQueue: { name: `${taskQueue}-watch-watch` }, taskQueueType: 2 },
    });
    expect(pollers).toEqual([]);
  });
  // Another worker has to read all of it again before it can answer.
  const { length } = heard;
  const { size } = new Set(heard.map(({ workflowId, event }) => key(workflowId, event.seq)));
  await withWorker(options(), async () => {
    expect((await golem.events(jobId)).events).toHaveLength(size);
  });
  expect(heard).toHaveLength(length);
  await native.close();
  await connection.close();
});

test('its own messages go to the logger that it is given', async () => {
  const port = await freePort();
  const connections = new Connections({ YAGNA_APPKEY: 'key', YAGNA_API_URL: `http://127.0.0.1:${port}` });
  const lines: string[] = [];
  const logger = new DefaultLogger('DEBUG', ({ level, message }) => void lines.push(`${level} ${message}`));
  new GolemPlugin({ connections, logger });
  await connections
    .get()
    .me()
    .catch(() => undefined);
  expect(lines).toEqual([
    `WARN connection default: yagna at http://127.0.0.1:${port} does not answer (ECONNREFUSED); waiting for it`,
  ]);
});

test('two of them on one worker are an error that says so', async () => {
  const plugins = [1, 2].map(() => new GolemPlugin({ env: env() }));
  await expect(withWorker({ plugins }, () => Promise.resolve())).rejects.toThrow('two GolemPlugins');
});

test('what a worker leaves open is set as measured, and what it sets remains', () => {
  const plugin = new GolemPlugin({ env: env() });
  expect(plugin.configureWorker({ taskQueue: 'x' })).toMatchObject({
    maxCachedWorkflows: 250,
    stickyQueueScheduleToStartTimeout: '5 s',
  });
  const theirs = { maxCachedWorkflows: 2_000, stickyQueueScheduleToStartTimeout: '1 s' };
  expect(plugin.configureWorker({ taskQueue: 'x', ...theirs })).toMatchObject(theirs);
});

test('one trace leads from the workflow of a user to each request to yagna, and metrics count them', async () => {
  spans.reset();
  const plugins = [tracing, new GolemPlugin({ env: env() })];
  const client = new Client({
    connection: temporal.connection,
    namespace: temporal.namespace,
    plugins: [tracing],
  });
  const workflowId = `traced-${randomUUID()}`;
  await withWorker({ plugins }, async (golem, taskQueue) => {
    const { printed } = await client.workflow.execute<typeof pipeline>('pipeline', {
      ...{ workflowId, taskQueue, args: [SPEC, taskQueue] },
    });
    expect(printed).toEqual(['one\n']);
    const jobs = spans.getFinishedSpans().flatMap(({ attributes: { workflowId: id } }) => String(id ?? ''));
    const jobId = jobs.find((id) => id.startsWith('golem-') && !id.includes('/'));
    await golem.settled(jobId ?? '');
  });
  const all = spans.getFinishedSpans();
  const start = all.find(({ name }) => name === 'StartWorkflow:pipeline');
  const traceId = start?.spanContext().traceId;
  const requests = all.filter(({ attributes }) => attributes['golem.connection'] === 'default');
  const operations = new Set(requests.filter(isOf(traceId)).map(({ name }) => name));
  for (const operation of [
    'POST /market-api/v1/demands',
    'POST /market-api/v1/agreements',
    'POST /activity-api/v1/activity',
    'POST /activity-api/v1/activity/{activityId}/exec',
    'GET /activity-api/v1/activity/{activityId}/exec/{batchId}',
    'POST /payment-api/v1/invoices/{invoiceId}/accept',
  ])
    expect([...operations]).toContain(operation);
  // Polls that all watches share are traces of their own.
  const shared = requests.filter((span) => !isOf(traceId)(span));
  expect(shared.map(({ name }) => name)).toContain('GET /payment-api/v1/debitNoteEvents');
  expect(shared.filter(({ name }) => !/\/(agreement|debitNote|invoice)Events$/.test(name))).toEqual([]);
  expect(shared.filter(({ parentSpanId }) => parentSpanId)).toEqual([]);
  // Each request is of an activity.
  const byId = new Map(all.map((span) => [span.spanContext().spanId, span]));
  const parents = requests.filter(isOf(traceId)).map((span) => byId.get(parentOf(span) ?? '')?.name);
  expect(parents.filter((name) => !name?.startsWith('RunActivity:golem'))).toEqual([]);
  const accept = requests.find(({ name }) => name === 'POST /payment-api/v1/invoices/{invoiceId}/accept');
  expect(accept?.attributes).toMatchObject({
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'server.address': '127.0.0.1',
    'server.port': Number(new URL(devnet.url).port),
  });
  expect(
    JSON.stringify(all.map(({ name, attributes, events }) => ({ name, attributes, events }))),
  ).not.toContain(devnet.appKey);
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(metrics).toMatch(
    /golem_yagna_requests\{.*connection="default".*operation="POST \/market-api\/v1\/demands".*outcome="ok".*\} \d+/,
  );
  expect(metrics).toMatch(/golem_scripts\{.*state="done".*\} \d+/);
  expect(metrics).toMatch(/golem_documents\{.*decision="accepted".*kind="invoice".*\} \d+/);
});

test("with the team's encryption nothing of a job can be read in its histories, and all of it works", async () => {
  const dataConverter = { payloadCodecs: [new EncryptionCodec(randomBytes(32))] };
  const { namespace, connection, nativeConnection } = temporal;
  const client = new Client({ connection, namespace, dataConverter });
  const [theirs, golem] = [`theirs-${randomUUID()}`, `golem-${randomUUID()}`].map(
    (taskQueue) => new GolemClient({ client, taskQueue }),
  );
  const stop = new AbortController();
  const { address } = temporal;
  const ours = running({
    ...{ address, namespace, taskQueue: golem!.taskQueue, env: env(), signal: stop.signal, dataConverter },
    workerOptions: { maxCachedWorkflows: 50 },
  });
  await ours.ready;
  const worker = await Worker.create({
    ...{
      connection: nativeConnection,
      namespace,
      taskQueue: theirs!.taskQueue,
      workflowBundle,
      dataConverter,
      plugins: [tracing],
    },
  });
  const workflowId = `sealed-${randomUUID()}`;
  const run = await worker.runUntil(async () => {
    const handle = await client.workflow.start<typeof conversation>('conversation', {
      ...{ workflowId, taskQueue: theirs!.taskQueue },
      args: [
        { image: SPEC.image, budget: SPEC.budget },
        ['echo classified', 'cat /classified/none'],
        { taskQueue: golem!.taskQueue, workflowId: `${workflowId}-job` },
      ],
    });
    const outcomes = await handle.result();
    expect(outcomes.map(({ state }) => state)).toEqual(['done', 'failed']);
    expect(outcomes[0]?.results[0]?.stdout).toBe('classified\n');
    return await handle.fetchHistory();
  });
  const jobId = `${workflowId}-job`;
  expect((await golem!.settled(jobId)).state).toBe('settled');
  expect((await golem!.progress(jobId)).rentals).toHaveLength(1);
  const { events } = await golem!.events(jobId);
  const agreementId = String(events.find(({ name }) => name === 'AgreementConfirmed')?.details.agreementId);
  const runs = [{ history: run }, ...(await runsOfJob(golem!, jobId))];
  const bytes = Buffer.concat(
    runs.map(({ history }) => Buffer.from(proto.api.history.v1.History.encode(history).finish())),
  );
  expect(runs).toHaveLength(4);
  expect(bytes.includes('golemRental')).toBe(true);
  for (const word of ['classified', SPEC.image, agreementId, 'budget', 'stdout', devnet.appKey])
    expect([word, bytes.includes(word)]).toEqual([word, false]);
  stop.abort();
  await ours.over;
});

test('on workers of a deployment a pinned job stays with its build, and the next one begins on the new one', async () => {
  const { address, namespace, client } = temporal;
  const taskQueue = `versioned-${randomUUID()}`;
  const deploymentName = taskQueue;
  const golem = new GolemClient({ client, taskQueue });
  const gate = await Gate.start();
  const stop = new AbortController();
  const build = (buildId: string): { ready: Promise<void>; over: Promise<void> } =>
    running({
      ...{ address, namespace, taskQueue, env: env(), signal: stop.signal },
      workerOptions: {
        workerDeploymentOptions: {
          version: { deploymentName, buildId },
          ...{ useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' },
        },
      },
    });
  const buildOf = async (workflowId: string): Promise<string | null | undefined> => {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId;
  };
  const first = build('1');
  await first.ready;
  await makeCurrent(client, deploymentName, '1');
  const old = await golem.startJob({ ...SPEC, tasks: [{ commands: [gate.command] }] });
  await gate.visitor();
  const second = build('2');
  await second.ready;
  await makeCurrent(client, deploymentName, '2');
  const { jobId } = await golem.startJob(SPEC);
  expect((await golem.result(jobId)).state).toBe('done');
  gate.open();
  expect((await golem.result(old.jobId)).state).toBe('done');
  await Promise.all([jobId, old.jobId].map((id) => golem.settled(id)));
  const of = (id: string): string[] => [id, `${id}/settlement`, `${id}/rental/1`];
  expect(await Promise.all(of(old.jobId).map(buildOf))).toEqual(['1', '1', '1']);
  expect(await Promise.all(of(jobId).map(buildOf))).toEqual(['2', '2', '2']);
  stop.abort();
  await Promise.all([first.over, second.over]);
  await gate.close();
});

describe('in a namespace with the search attributes', () => {
  const key = randomBytes(32);
  const dataConverter = { payloadCodecs: [new EncryptionCodec(key)] };
  let other: TestTemporal;
  let client: Client;
  let worker: Child;
  beforeAll(async () => {
    requireBuild();
    other = await openTemporal();
    const { namespace, connection } = other;
    client = new Client({ connection, namespace, dataConverter });
    const registered = await runCli(['search-attributes'], { env: other.env });
    expect(registered.stdout.split('\n')).toEqual([
      ...['GolemPhase (KEYWORD)', 'GolemProviders (KEYWORD_LIST)', 'GolemCost (DOUBLE)'].map(
        (each) => `${each} is registered now`,
      ),
      '',
    ]);
    worker = await startChild(process.execPath, [join(EXAMPLES, 'configured-worker.js')], {
      env: { ...process.env, ...other.env, ...env(), PAYLOAD_KEY: key.toString('hex') },
    });
    await worker.line(/^ready$/);
    await makeCurrent(client, 'golem', 'dev');
  });
  afterAll(async () => {
    await worker?.stop();
    await other?.close();
  });

  test('the worker of docs/plugin.md serves its workflow, whose job can be found by phase, provider and cost', async () => {
    const { nativeConnection, namespace } = other;
    const workflowsPath = join(EXAMPLES, 'talk-workflow.js');
    const theirs = await Worker.create({
      ...{ connection: nativeConnection, namespace, taskQueue: 'theirs', workflowsPath, dataConverter },
    });
    const heard = worker.line(/^golem-.*: agreement /);
    const guessed = await theirs.runUntil(
      client.workflow.execute('guess', { workflowId: 'guess', taskQueue: 'theirs', args: [37] }),
    );
    expect(guessed).toBe(37);
    const [jobId = ''] = (await heard).split(': ');
    const golem = new GolemClient({ client });
    const { agreements, money } = await golem.settled(jobId);
    const attributesOf = async (id: string) =>
      (await client.workflow.getHandle(id).describe()).typedSearchAttributes;
    const [job, settlement] = await Promise.all([jobId, `${jobId}/settlement`].map(attributesOf));
    const phase = defineSearchAttributeKey('GolemPhase', 'KEYWORD');
    const cost = defineSearchAttributeKey('GolemCost', 'DOUBLE');
    const providers = defineSearchAttributeKey('GolemProviders', 'KEYWORD_LIST');
    expect(job?.get(phase)).toBe('done');
    expect(job?.get(providers)).toEqual(agreements.map(({ provider }) => provider.id));
    expect(settlement?.get(phase)).toBe('settled');
    expect(settlement?.get(cost)).toBeCloseTo(Number(money.accepted));
    expect(Number(money.accepted)).toBeGreaterThan(0);
  });

  test('they are registered once, and one that has another type is told of', async () => {
    const again = await runCli(['search-attributes'], { env: other.env });
    expect([again.code, again.stdout]).toEqual([
      0,
      expect.stringMatching(/^(Golem.* is registered already\n){3}$/),
    ]);
    const { namespace, connection } = other;
    await connection.operatorService.removeSearchAttributes({ namespace, searchAttributes: ['GolemCost'] });
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: { GolemCost: 2 } });
    const wrong = await runCli(['search-attributes'], { env: other.env });
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      expect.stringContaining('GolemCost is registered with another type'),
    ]);
  });
});

/** Waits until Temporal has heard of a build, by its polls on all queues, and has jobs begin on it. */
async function makeCurrent(client: Client, deploymentName: string, buildId: string): Promise<void> {
  const { namespace } = client.options;
  const set = () =>
    client.workflowService.setWorkerDeploymentCurrentVersion({ namespace, deploymentName, buildId });
  while (!(await set().then(Boolean, () => false))) await delay(100);
}

/** Our worker, in this process. */
function running(options: RunWorkerOptions): { ready: Promise<void>; over: Promise<void> } {
  let over: Promise<void> | undefined;
  const ready = new Promise<void>((resolve, reject) => {
    over = runWorker({ ...options, onReady: () => resolve() });
    over.catch(reject);
  });
  return { ready, over: over ?? Promise.resolve() };
}

const isOf =
  (traceId: string | undefined) =>
  (span: ReadableSpan): boolean =>
    span.spanContext().traceId === traceId;

const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanId;
