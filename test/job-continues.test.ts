/** A job that has become long goes on as a new run, and nobody notices: not its tasks, nor its users, nor its money. */
import type { JobEvent } from '../client';
import type { JobResult } from '../model/result';
import { expectAllPaidOnce, expectScriptsRunOnce, now, since } from './support/proof';
import { continued, runsOf } from './support/runs';
import { startWebServer, type WebServer } from './support/web-server';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const AFTER = 100;
/** What one workflow task may add: a handful of rentals begun, signals sent. */
const SLACK = 60;

let world: World;
let web: WebServer;
beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({ continueAsNewAfter: AFTER, devnet: { paymentCycleSec: 0.1 } });
});
afterAll(async () => {
  await world?.close();
  await web.close();
});

const BASE = { image: 'golem/alpine:latest', budget: '1' };
const echoes = (count: number): string[] => Array.from({ length: count }, (_, i) => `echo ${i + 1}`);

async function expectShortRuns(jobId: string): Promise<void> {
  const runs = await runsOf(world, jobId);
  expect(runs.length).toBeGreaterThan(1);
  for (const { events } of runs) expect(events.length).toBeLessThanOrEqual(AFTER + SLACK);
}

const stdouts = (result: JobResult): (string | null | undefined)[] =>
  result.tasks.map(({ results }) => results[0]?.stdout);

test('it runs each task once, tells all its events once, and leaves nothing', async () => {
  const began = await now(world);
  const { jobId } = await world.golem.startJob({ ...BASE, tasks: echoes(30), providers: { max: 3 } });
  const told: JobEvent[] = [];
  for await (const event of world.golem.followEvents(jobId)) told.push(event);
  const result = await world.golem.result(jobId);
  expect(stdouts(result)).toEqual(Array.from({ length: 30 }, (_, i) => `${i + 1}\n`));
  expect(result.tasks.every(({ attempts }) => attempts.length === 1)).toBe(true);
  await expectShortRuns(jobId);

  const seqs = new Map<string, number[]>();
  for (const { workflowId, seq } of told) seqs.set(workflowId, [...(seqs.get(workflowId) ?? []), seq]);
  for (const all of seqs.values()) expect(all).toEqual(all.map((_, i) => i + 1));
  expect([...seqs.keys()]).toContain(jobId);
  expect(told.filter(({ name }) => name === 'ScriptExecuted').length).toBeGreaterThanOrEqual(30);

  expect((await world.golem.settled(jobId)).state).toBe('settled');
  const all = await expectAllPaidOnce(world, began);
  expectScriptsRunOnce(all, result);
  expect(all.taskScripts()).toHaveLength(30);
});

test('its budget is raised once for each Update, whichever run answers it', async () => {
  const door = web.door();
  const tasks = [{ commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }] }, ...echoes(40)];
  const { jobId, runId } = await world.golem.startJob({ ...BASE, tasks, providers: { max: 2 } });
  let raised = 0;
  let isContinued = false;
  void continued(world, jobId, runId).then(() => (isContinued = true));
  // One after the other while the job goes on as new, and two beyond it.
  for (let beyond = 0; beyond < 2;) {
    await world.golem.topUp(jobId, '0.01');
    raised += 1;
    if (isContinued) beyond += 1;
  }
  const { money } = await world.golem.progress(jobId);
  expect(money.budget).toBe((1 + raised / 100).toString());
  expect(money.reserved).toBe(money.budget);
  door.open();
  expect((await world.golem.result(jobId)).state).toBe('done');
  expect((await runsOf(world, jobId)).length).toBeGreaterThan(1);
  await world.golem.settled(jobId);
});

test('a rental that was begun by an earlier run and ends without a word gives its task back, and its VM is ended', async () => {
  const began = await now(world);
  const door = web.door();
  const commands = [{ transfer: { from: door.url, to: '/golem/work/x' } }];
  const tasks = [{ name: 'waits', commands }, ...echoes(40)];
  const { jobId, runId } = await world.golem.startJob({ ...BASE, tasks, providers: { max: 2 } });
  await Promise.all([door.knocked, continued(world, jobId, runId)]);
  const { rentals } = await world.golem.progress(jobId);
  const holder = rentals.find(({ currentTask }) => currentTask === 'waits');
  await world.client.workflow.getHandle(holder?.workflowId ?? '').terminate();
  for (let after = began; ;) {
    const ended = await world.effect('agreement-terminated', after);
    if (ended.agreementId === holder?.agreementId) break;
    after = ended.seq;
  }
  door.open();
  const result = await world.golem.result(jobId);
  expect(result.state).toBe('done');
  expect(result.tasks[0]?.attempts.map(({ state }) => state)).toEqual(['lost', 'done']);
  await world.golem.settled(jobId);
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('a settlement that was begun by an earlier run and is terminated ends the job by its name', async () => {
  const door = web.door();
  const commands = [{ transfer: { from: door.url, to: '/golem/work/x' } }];
  const tasks = [{ name: 'waits', commands }, ...echoes(40)];
  const { jobId, runId } = await world.golem.startJob({ ...BASE, tasks, providers: { max: 2 } });
  await Promise.all([door.knocked, continued(world, jobId, runId)]);
  await world.client.workflow.getHandle(`${jobId}/settlement`).terminate();
  const result = await world.golem.result(jobId);
  expect(result).toMatchObject({ state: 'failed', failure: { type: 'SettlementEnded' } });
  door.open();
  // Nobody else closes what is left.
  const { taskQueue } = world;
  const options = { workflowId: `${jobId}/reconcile`, taskQueue, args: [{}] };
  await world.client.workflow.execute('golemReconcile', options);
  await world.client.workflow.getHandle(`${jobId}/settlement`).result();
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test.each(['cancel', 'terminate'] as const)(
  '%s reaches it while it goes on as new',
  async (how) => {
    const began = await now(world);
    const tasks = echoes(200);
    const { jobId, runId } = await world.golem.startJob({ ...BASE, tasks, providers: { max: 2 } });
    await continued(world, jobId, runId);
    if (how === 'cancel') await world.golem.cancel(jobId);
    else await world.client.workflow.getHandle(jobId).executeUpdate('terminate');
    const ended = await world.golem.result(jobId).then(
      ({ tasks: all }) => all.map(({ state }) => state),
      (error: { type?: string }) => error.type,
    );
    if (how === 'cancel') expect(ended).toBe('Cancelled');
    else expect(new Set(ended)).toEqual(new Set(['done', 'cancelled']));
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
    expect((await since(world, began)).taskScripts().length).toBeLessThan(200);
  },
  120_000,
);
