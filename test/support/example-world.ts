/** What the examples' READMEs have a reader start: a devnet, Temporal, `golem-temporal worker`, the storage to try with. */
import { delimiter, dirname } from 'node:path';
import { findTemporalBinary } from '../../cli/temporal-binary';
import { GolemClient } from '../../client';
import { startDevnet, type Devnet } from '../../devnet';
import { startStorage, type Storage } from '../../examples/storage';
import { requireBuild, startCli } from './cli';
import { openTemporal, type TestTemporal } from './temporal';

export interface ExampleWorld {
  devnet: Devnet;
  temporal: TestTemporal;
  storage: Storage;
  golem: GolemClient;
  /** Of a process that works with this Temporal, as an example does: it needs nothing else. */
  env: NodeJS.ProcessEnv;
  /** Of a process that is to work with this devnet, too. */
  yagnaEnv: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

export async function startExampleWorld(): Promise<ExampleWorld> {
  requireBuild();
  const devnet = await startDevnet({ paymentCycleSec: 0 });
  const temporal = await openTemporal();
  const storage = await startStorage(0);
  const path = `${dirname(await findTemporalBinary())}${delimiter}${process.env.PATH}`;
  const env = { ...process.env, ...temporal.env, PATH: path };
  const yagnaEnv = {
    ...env,
    YAGNA_API_URL: devnet.url,
    YAGNA_APPKEY: devnet.appKey,
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  };
  const worker = await startCli(['worker'], yagnaEnv);
  await worker.line(/^worker ready on task queues golem, golem-watch$/);
  return {
    ...{ devnet, temporal, storage, env, yagnaEnv },
    golem: new GolemClient({ client: temporal.client }),
    async close() {
      await worker.stop();
      storage.close();
      await temporal.close();
      await devnet.close();
    },
  };
}
