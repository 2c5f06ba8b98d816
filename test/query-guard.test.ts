/**
 * A query that waits until there is a worker again gets to see what happened meanwhile, before the workflow itself does. It
 * must not move the workflow on.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { startChild, type Child } from '../cli/child-process';
import { JobWorkflows } from '../client/job-workflows';
import { isNoAnswer } from '../client/errors';
import { ASK_AGAIN, OF_CLOSED } from '../model/ask-again';
import { GolemPlugin } from '../worker';
import { requireBuild } from './support/cli';
import { bumpSignal, countQuery } from './support/counting-workflow';
import { tempDir } from './support/temp-dir';
import { temporalAddress } from './support/temporal';

const workflowsPath = join(__dirname, 'support', 'counting-workflow.ts');
const folder = tempDir('query-guard');
const codePath = join(folder, 'bundle.js');
const plugin = new GolemPlugin({ env: { YAGNA_APPKEY: 'none' } });

let client: Client;
beforeAll(async () => {
  requireBuild();
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const logger = new DefaultLogger('ERROR');
  const { code } = await bundleWorkflowCode({ workflowsPath, plugins: [plugin], logger });
  mkdirSync(folder, { recursive: true });
  writeFileSync(codePath, code);
  client = new Client({ connection: await Connection.connect({ address: temporalAddress() }) });
});
afterAll(() => client?.connection.close());

async function startWorker(taskQueue: string): Promise<Child> {
  const script = join(__dirname, 'support', 'own-worker.js');
  const worker = await startChild(process.execPath, [script, temporalAddress(), taskQueue, codePath]);
  await worker.line(/^worker ready/);
  return worker;
}

interface Outcome {
  /** What the query was told that waited for the worker. */
  waited: unknown;
  handle: WorkflowHandle;
  ended: Promise<unknown>;
}

/** Bumped once while no worker is there and a query waits for one, and again when the query is over. */
async function bumpedUnderQuery(type: string): Promise<Outcome> {
  const taskQueue = `counting-${randomUUID()}`;
  const workflowId = randomUUID();
  const killed = await startWorker(taskQueue);
  const handle = await client.workflow.start(type, { taskQueue, workflowId, args: [2] });
  expect(await handle.query(countQuery)).toBe(0);
  await killed.kill();
  const query = handle.query(countQuery).catch((error: Error) => error.message);
  // Those that are asked later wait behind it: when one has waited in vain, it is there.
  const later = client.withDeadline(Date.now() + 1_000, () => handle.query(countQuery));
  expect(await later.catch(isNoAnswer)).toBe(true);
  await handle.signal(bumpSignal);
  // The task of that signal waits 10 s for the worker that was killed, the query for any.
  const worker = await startWorker(taskQueue);
  const waited: unknown = await query;
  await handle.signal(bumpSignal);
  return { waited, handle, ended: handle.result().finally(() => worker.stop()) };
}

test('the workflow goes the same way when it is read again, and the query that waited is told to ask again', async () => {
  const { waited, handle, ended } = await bumpedUnderQuery('golemCounting');
  // On a machine on which the worker takes longer to start, the task may come first.
  if (waited !== 1) expect(waited).toContain(ASK_AGAIN);
  const workflows = new JobWorkflows(client, 30_000);
  expect(await workflows.query<number>(handle.workflowId, 'count')).toBeGreaterThan(0);
  await ended;
  const history = await handle.fetchHistory();
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, history, handle.workflowId);
});

test('a workflow that was terminated with news that it had not seen is asked as such', async () => {
  const taskQueue = `counting-${randomUUID()}`;
  const killed = await startWorker(taskQueue);
  const start = { taskQueue, workflowId: randomUUID(), args: [2] };
  const handle = await client.workflow.start('golemCounting', start);
  expect(await handle.query(countQuery)).toBe(0);
  await killed.kill();
  await handle.signal(bumpSignal);
  await handle.terminate();
  const worker = await startWorker(taskQueue);
  await expect(handle.query(countQuery)).rejects.toThrow(ASK_AGAIN);
  await expect(handle.query(countQuery)).rejects.toThrow(ASK_AGAIN);
  expect(await handle.query<number, [string]>('count', OF_CLOSED)).toBe(1);
  expect(await new JobWorkflows(client, 30_000).query<number>(handle.workflowId, 'count')).toBe(1);
  await worker.stop();
});

test("a user's other workflows are left as the SDK has them", async () => {
  const { waited, ended } = await bumpedUnderQuery('counting');
  expect(waited).toBe(1);
  await ended;
});

test('a worker that bundles workflows itself has it, too', () => {
  const { interceptors } = plugin.configureWorker({ taskQueue: 'x', workflowsPath });
  expect(interceptors?.workflowModules).toEqual([require.resolve('../workflows/interceptors')]);
});
