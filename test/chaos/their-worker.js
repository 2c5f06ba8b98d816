/** A user's own worker, which has nothing of ours but helpers in its workflows: `their-worker.js ADDRESS TASK_QUEUE WORKFLOWS`. */
const { DefaultLogger, NativeConnection, Runtime, Worker } = require('@temporalio/worker');

async function main([address, taskQueue, workflowsPath]) {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({ connection, taskQueue, workflowsPath });
  const running = worker.run();
  console.log('worker ready');
  await running;
}

void main(process.argv.slice(2));
