/**
 * Before all tests: one Temporal dev server for the whole run, its address in the environment; and a workflow
 * bundle of the workflows as they are now, so that no worker makes its own or takes an old one.
 */
import { bundleIfStale } from '../../scripts/workflow-bundle';
import { startTemporalServer, type TemporalServer } from '../../cli/temporal-server';

declare global {
  var golemTestTemporal: TemporalServer | undefined;
}

export default async function setup(): Promise<void> {
  // A user's own settings must not leak into the tests or into the processes they start.
  for (const name of Object.keys(process.env)) {
    if (/^(TEMPORAL|YAGNA|PAYMENT)_/.test(name)) delete process.env[name];
  }
  await bundleIfStale();
  const server = await startTemporalServer({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  globalThis.golemTestTemporal = server;
  process.env.GOLEM_TEST_TEMPORAL = server.address;
}
