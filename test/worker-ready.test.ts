/** A worker says that it is ready when it is. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { Connections } from '../activities';
import { ASK_AGAIN } from '../model/ask-again';
import { isWorthTelling, logLine } from '../worker/log';
import { runWorker } from '../worker/run';
import { temporalAddress } from './support/temporal';

test('a worker is ready on both of its task queues, and ends when it is told to', async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const taskQueue = `golem-${randomUUID()}`;
  const stop = new AbortController();
  const ready: string[] = [];
  await runWorker({
    ...{ address: temporalAddress(), taskQueue, connections: new Connections({}), signal: stop.signal },
    onReady: (queues) => {
      ready.push(...queues);
      stop.abort();
    },
  });
  expect(ready).toEqual([taskQueue, `${taskQueue}-watch`]);
});

test('a worker tells a failure by its name in one line, and a bug with its stack', () => {
  const entry = {
    level: 'WARN' as const,
    message: 'Activity failed',
    timestampNanos: 1_800_000_000_000_000_000n,
  };
  const meta = { activityType: 'golemPrepareJob', workflowId: 'job-1', attempt: 2 };
  const cause = ApplicationFailure.nonRetryable('a: b\nc: d', 'InvalidJobSpec');
  expect(logLine({ ...entry, meta: { ...meta, error: new Error('wrapped', { cause }) } })).toBe(
    '2027-01-15T08:00:00.000Z WARN Activity failed: golemPrepareJob of job-1 (attempt 2): InvalidJobSpec: a: b; c: d',
  );
  expect(logLine({ ...entry, meta: { error: new TypeError('x is undefined') } })).toMatch(
    /Activity failed: TypeError: x is undefined\n +at /,
  );
  expect(logLine({ ...entry, message: 'slow' })).toBe('2027-01-15T08:00:00.000Z WARN slow');
  expect(isWorthTelling(entry)).toBe(true);
  expect(
    isWorthTelling({ message: 'Workflow failed', meta: { error: new TypeError('x is undefined') } }),
  ).toBe(true);
  expect(isWorthTelling({ message: 'Workflow failed', meta: { error: '' } })).toBe(false);
  const putOff = { message: 'Failed to process Workflow Activation', meta: { error: new Error(ASK_AGAIN) } };
  expect(isWorthTelling(putOff)).toBe(false);
});
