import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import { GolemPlugin } from 'golem-temporal/worker';

async function main(): Promise<void> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const worker = await Worker.create({
    connection: await NativeConnection.connect(connectionOptions),
    namespace,
    taskQueue: 'own',
    workflowsPath: require.resolve('./own-workflows'),
    plugins: [new GolemPlugin()],
  });
  await worker.run();
}

void main();
