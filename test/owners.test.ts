/** Which workflows of a job still run, as Temporal tells it: also when it has deleted some that ended long ago. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { watchOwners } from '../activities/owners';
import { attachingBefore } from '../activities/rental-records';
import { attachId } from '../model/attach';
import { temporalAddress } from './support/temporal';

let connection: Connection;
let client: Client;

beforeAll(async () => {
  connection = await Connection.connect({ address: temporalAddress() });
  client = new Client({ connection });
});
afterAll(() => connection.close());

/** No worker is there: what is started runs until the test terminates it. */
async function start(workflowId: string, golemJob?: string): Promise<string> {
  const handle = await client.workflow.start('golemRental', {
    ...{ workflowId, taskQueue: 'nobody', args: [] },
    memo: { golemJob },
  });
  return handle.firstExecutionRunId;
}

test.each([
  ['a few that said nothing', 0, 8],
  ['many that said they closed', 40, 41],
])('a rental is found behind %s and are deleted', async (_what, closedRentals, n) => {
  const jobId = randomUUID();
  const jobUuid = await start(jobId);
  await start(`${jobId}/rental/${n}`, jobUuid);
  await start(`${jobId}/rental/${n + 1}`, 'another job of that id');
  await client.workflow.getHandle(jobId).terminate();
  const job = { connection: 'default', jobId, jobUuid, owner: 'owner' };
  expect(await watchOwners(client, { job, closedRentals }, 'job', new AbortController().signal)).toEqual({
    liveRentals: [`${jobId}/rental/${n}`],
    abrupt: true,
  });
});

test('of several that attached the end of any is noticed, whatever the others do', async () => {
  const attached = [`attached-${randomUUID()}`, `attached-${randomUUID()}`].map((workflowId, n) => ({
    ...{ workflowId, agreementId: `${n}`, n },
  }));
  for (const { workflowId } of attached) await start(workflowId);
  const [first, second] = attached.map(({ workflowId }) => client.workflow.getHandle(workflowId));
  const job = { connection: 'default', jobId: 'none', jobUuid: 'none', owner: 'owner' };
  const { signal } = new AbortController();
  const watched = watchOwners(client, { job, closedRentals: 0, attached }, 'attached', signal);
  await second?.terminate();
  expect(await watched).toEqual({ liveRentals: [], abrupt: true, closed: [second?.workflowId] });
  await first?.terminate();
});

test('of two that attach to one agreement at the same moment, the one that began later finds the other', async () => {
  const [one, another] = [randomUUID(), randomUUID()] as const;
  for (const id of [one, another]) await start(attachId(id));
  expect(await attachingBefore(client, attachId(another), [one])).toBe(attachId(one));
  expect(await attachingBefore(client, attachId(one), [another, randomUUID()])).toBeUndefined();
  await client.workflow.getHandle(attachId(one)).terminate();
  expect(await attachingBefore(client, attachId(another), [one])).toBeUndefined();
  await client.workflow.getHandle(attachId(another)).terminate();
});
