/**
 * The run's Temporal dev server, as tests use it. Task queues have fixed names, and test files run side by side,
 * so each test file works in a namespace of its own.
 */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { NativeConnection } from '@temporalio/worker';

/** `127.0.0.1:<port>` of the run's dev server. */
export function temporalAddress(): string {
  const address = process.env.GOLEM_TEST_TEMPORAL;
  if (!address) throw new Error('no Temporal dev server: run the tests with `npm test` or `npx jest`');
  return address;
}

export interface TestTemporal {
  address: string;
  namespace: string;
  connection: Connection;
  nativeConnection: NativeConnection;
  client: Client;
  /** Environment for a process that is to work in this namespace. */
  env: { TEMPORAL_ADDRESS: string; TEMPORAL_NAMESPACE: string };
  close(): Promise<void>;
}

/** Connects to the dev server in a new namespace. */
export async function openTemporal(): Promise<TestTemporal> {
  const address = temporalAddress();
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  const nativeConnection = await NativeConnection.connect({ address });
  return {
    address,
    namespace,
    connection,
    nativeConnection,
    client: new Client({ connection, namespace }),
    env: { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace },
    close: async () => {
      await connection.close();
      await nativeConnection.close();
    },
  };
}
