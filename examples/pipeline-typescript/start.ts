/** Starts the pipeline and waits for its report: `node lib/start.js SOURCE STORAGE`. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { pipeline } from './workflows';

async function main(): Promise<void> {
  const [source, storage] = process.argv.slice(2);
  if (!source || !storage) throw new Error('usage: start SOURCE STORAGE');
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = await Connection.connect(connectionOptions);
  try {
    const client = new Client({ connection, namespace });
    const handle = await client.workflow.start<typeof pipeline>('pipeline', {
      workflowId: `pipeline-${randomUUID()}`,
      taskQueue: 'pipeline-typescript',
      args: [{ source, storage, parts: 8 }],
    });
    console.error(`started ${handle.workflowId}`);
    console.log(JSON.stringify(await handle.result(), null, 2));
  } finally {
    await connection.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
