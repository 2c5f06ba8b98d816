/** The same work as Temporal alone does it: a workflow of as many activities that do nothing, in a worker that is as warm. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startChild, type Child } from '../cli/child-process';

export class Floor {
  private readonly client: Client;

  private constructor(
    private readonly connection: Connection,
    private readonly worker: Child,
    private readonly taskQueue: string,
  ) {
    this.client = new Client({ connection });
  }

  /** Its worker bundles its workflow, which takes some seconds. */
  static async start(address: string): Promise<Floor> {
    const taskQueue = `floor-${randomUUID()}`;
    const script = join(__dirname, 'floor-worker.js');
    const env = { ...process.env, TEMPORAL_ADDRESS: address, YAGNA_APPKEY: 'none' };
    const worker = await startChild(process.execPath, [script, taskQueue], { env });
    await worker.line(/^worker ready/);
    return new Floor(await Connection.connect({ address }), worker, taskQueue);
  }

  /** So many workflows at once. @returns milliseconds from the first call to the last result */
  async run(activities: number, workflows = 1): Promise<number> {
    const began = performance.now();
    await Promise.all(
      Array.from({ length: workflows }, () =>
        this.client.workflow.execute('floor', {
          workflowId: `floor-${randomUUID()}`,
          taskQueue: this.taskQueue,
          args: [activities],
        }),
      ),
    );
    return performance.now() - began;
  }

  async close(): Promise<void> {
    await this.worker.kill();
    await this.connection.close();
  }
}
