/**
 * Jobs that were begun with an earlier version of the workflows go on with the present one: the histories in
 * test/histories/ are replayed. Where this fails, a running job would fail alike: give the change a
 * `patched()` branch. Only when no job of a released version can be affected, record anew:
 * `npm run build && node scripts/record-histories.js`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { attachId, type AttachSpec } from '../model/attach';
import { historyFromJson } from '../scripts/history-json';

const FOLDER = join(__dirname, 'histories');
const BUNDLE = join(__dirname, '..', 'dist', 'workflow-bundle.js');

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

const read = (file: string): string => readFileSync(join(FOLDER, file), 'utf8');

test('the histories show jobs, settlements and rentals that are done, were retried, steered, left, taken over and continued', () => {
  const jobs = [
    ...['one-task', 'retried-task', 'cancelled', 'interactive', 'orphaned', 'continued'],
    ...['filed', 'detached', 'closed'],
  ];
  for (const job of jobs) {
    const parts = files.filter((file) => file.startsWith(`${job}.`));
    expect(parts).toEqual(
      expect.arrayContaining([`${job}.job.json`, `${job}.rental-1.json`, `${job}.settlement.json`]),
    );
  }
  const last = (file: string): string | undefined =>
    (JSON.parse(read(file)) as { events: { eventType: string }[] }).events.at(-1)?.eventType;
  expect(last('one-task.job.json')).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
  expect(last('one-task.inspect.json')).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
  expect(last('orphaned.job.json')).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED');
  expect(last('orphaned.settlement.json')).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
  expect(last('orphaned.reconcile.json')).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
  expect(last('cancelled.job.json')).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED');
  for (const part of ['job', 'rental-1', 'settlement']) {
    expect(last(`continued.${part}.first.json`)).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW');
    expect(last(`continued.${part}.json`)).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
  }
  expect(last('detached.attached.json')).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED');
  expect(files.filter((file) => file.startsWith('retried-task.rental')).length).toBeGreaterThan(1);
});

test.each(files)('%s is replayed by the present workflows', async (file) => {
  await Worker.runReplayHistory(
    { workflowBundle: { codePath: BUNDLE } },
    historyFromJson(read(file)),
    idOf(file),
  );
});

/** The workflow ran under the id that its file is named after; one that attached, under that of what it took over. */
function idOf(file: string): string {
  const [job = '', part = ''] = file.split('.');
  if (part === 'job') return job;
  if (part !== 'attached') return `${job}/${part.replace('rental-', 'rental/')}`;
  const [input = ''] = /"data": ?"[^"]+"/.exec(read(file)) ?? [];
  const { attach } = JSON.parse(String(Buffer.from(JSON.parse(`{${input}}`).data, 'base64'))) as {
    attach: AttachSpec;
  };
  return attachId(attach.activityId);
}
