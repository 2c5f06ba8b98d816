/** Before all tests: one Temporal dev server for the whole run. Its address travels by the environment. */
import { startTemporalServer, type TemporalServer } from '../../cli/temporal-server';

declare global {
  var golemTestTemporal: TemporalServer | undefined;
}

export default async function setup(): Promise<void> {
  // A user's own settings must not leak into the tests or into the processes they start.
  for (const name of Object.keys(process.env)) {
    if (/^(TEMPORAL|YAGNA|PAYMENT)_/.test(name)) delete process.env[name];
  }
  const server = await startTemporalServer({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  globalThis.golemTestTemporal = server;
  process.env.GOLEM_TEST_TEMPORAL = server.address;
}
