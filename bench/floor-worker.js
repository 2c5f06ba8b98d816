/**
 * A worker of the floor workflow: the built worker of ours with all its options, but without our workflows, their interceptors and
 * anything to do in its activities. `floor-worker.js TASK_QUEUE`.
 */
const path = require('node:path');
const { logPlainly, runWorker } = require('../dist/worker');

const floor = {
  name: 'golem-temporal-floor',
  configureWorker({ interceptors, ...options }) {
    return {
      ...options,
      workflowBundle: undefined,
      workflowsPath: path.join(__dirname, 'floor-workflow.ts'),
      activities: { ...options.activities, floorActivity: async () => undefined },
      interceptors: { ...interceptors, workflowModules: [] },
    };
  },
};

logPlainly();
void runWorker({
  taskQueue: process.argv[2],
  workerOptions: { plugins: [floor] },
  onReady: () => console.log('worker ready'),
});
