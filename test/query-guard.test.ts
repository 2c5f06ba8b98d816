/**
 * A query that waits until there is a worker again gets to see what happened meanwhile, before the workflow itself does. It
 * must not move the workflow on.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { startChild, type Child } from '../cli/child-process';
import { JobWorkflows } from '../client/job-workflows';
import { isNoAnswer } from '../client/errors';
import { ASK_AGAIN } from '../model/ask-again';
import { requireBuild } from './support/cli';
import { bumpSignal, countQuery } from './support/counting-workflow';
import { temporalAddress } from './support/temporal';

const WORKFLOWS = join(__dirname, 'support', 'counting-workflow.ts');

let client: Client;
beforeAll(async () => {
  requireBuild();
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  client = new Client({ connection: await Connection.connect({ address: temporalAddress() }) });
});
afterAll(() => client?.connection.close());

async function startWorker(taskQueue: string): Promise<Child> {
  const script = join(__dirname, 'support', 'own-worker.js');
  const worker = await startChild(process.execPath, [script, temporalAddress(), taskQueue, WORKFLOWS]);
  await worker.line(/^worker ready/);
  return worker;
}

interface Outcome {
  /** What the query was told that waited for the worker. */
  waited: unknown;
  handle: WorkflowHandle;
  ended: Promise<number>;
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
  const worker = await startWorker(taskQueue);
  const waited: unknown = await query;
  await handle.signal(bumpSignal);
  return { waited, handle, ended: handle.result().finally(() => worker.stop()) };
}

async function replay(handle: WorkflowHandle): Promise<void> {
  await Worker.runReplayHistory({ workflowsPath: WORKFLOWS }, await handle.fetchHistory(), handle.workflowId);
}

test('the query that waited is told to ask again, and the workflow sees all of its news at once', async () => {
  const { waited, handle, ended } = await bumpedUnderQuery('golemCounting');
  expect(waited).toContain(ASK_AGAIN);
  const workflows = new JobWorkflows(client, 30_000);
  expect(await workflows.query<number>(handle.workflowId, 'count')).toBeGreaterThan(0);
  expect(await ended).toBe(1);
  await replay(handle);
}, 60_000);

test("a user's other workflows are left as the SDK has them", async () => {
  const { waited, handle, ended } = await bumpedUnderQuery('counting');
  expect(waited).toBe(1);
  await ended;
  await expect(replay(handle)).rejects.toThrow(/ondeterminism/);
}, 60_000);
