/** A user's own worker with our plugin, as a process that can be killed: `own-worker.js ADDRESS TASK_QUEUE BUNDLE`. */
const { DefaultLogger, NativeConnection, Runtime, Worker } = require('@temporalio/worker');
const { GolemPlugin } = require('../../dist/worker');

async function main([address, taskQueue, codePath]) {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    ...{ connection, taskQueue, workflowBundle: { codePath } },
    // Longer than the next one takes to start.
    stickyQueueScheduleToStartTimeout: '10 s',
    plugins: [new GolemPlugin({ env: { YAGNA_APPKEY: 'none' } })],
  });
  const running = worker.run();
  console.log('worker ready');
  await running;
}

void main(process.argv.slice(2));
