/** A worker says that it is ready when it is. */
import { randomUUID } from 'node:crypto';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { Connections } from '../activities';
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
