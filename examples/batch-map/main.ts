/** Runs the workflow once, on a worker in this process: `node lib/main.js [COUNT]`. */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { longestCollatz } from './workflows';

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 1000);
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = await NativeConnection.connect(connectionOptions);
  try {
    const taskQueue = 'batch-map';
    const workflowsPath = require.resolve('./workflows');
    const worker = await Worker.create({ connection, namespace, taskQueue, workflowsPath });
    const client = new Client({ connection, namespace });
    const result = await worker.runUntil(
      client.workflow.execute<typeof longestCollatz>('longestCollatz', {
        ...{ taskQueue, workflowId: `batch-map-${randomUUID()}` },
        args: [count],
      }),
    );
    console.log(`${result.mapped} numbers: ${result.number} takes the most steps, ${result.steps}`);
  } finally {
    await connection.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
