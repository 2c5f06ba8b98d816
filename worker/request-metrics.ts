/** Counts the requests to yagna in the metrics of Temporal's `Runtime`, which exports them where it is configured to. */
import { Runtime } from '@temporalio/worker';
import type { Connections } from '../activities';

/** Those of several plugins are counted once. */
const measured = new WeakSet<Connections>();

export function measureRequests(connections: Connections): void {
  if (measured.has(connections)) return;
  measured.add(connections);
  connections.onRequest(({ connection, operation, outcome, durationMs }) => {
    const meter = Runtime.instance().metricMeter;
    const tags = { connection, operation, outcome };
    meter
      .createCounter('golem_yagna_requests', '{request}', 'HTTP requests to yagna that are over')
      .add(1, tags);
    meter
      .createHistogram(
        'golem_yagna_request_duration',
        'float',
        's',
        'How long they took, long polls included',
      )
      .record(durationMs / 1000, tags);
  });
}
