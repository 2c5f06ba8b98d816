/** Temporal over TLS and with an API key, as `@temporalio/envconfig` reads them: for worker, client and command. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GolemClient } from '../client';
import { startDevnet, type Devnet } from '../devnet';
import { requireBuild, runCli, startCli } from './support/cli';
import { tempDir } from './support/temp-dir';
import { openTemporal, type TestTemporal } from './support/temporal';
import { startTlsFront, type TlsFront } from './support/tls-front';

const KEY = 'secret-of-the-cloud';
const folder = tempDir('tls');
const caFile = join(folder, 'ca.pem');

let temporal: TestTemporal;
let devnet: Devnet;
let front: TlsFront;
beforeAll(async () => {
  requireBuild();
  [temporal, devnet] = await Promise.all([openTemporal(), startDevnet({ paymentCycleSec: 0.1 })]);
  front = await startTlsFront(temporal.address, KEY, caFile);
});
afterAll(async () => {
  await front?.close();
  await devnet?.close();
  await temporal?.close();
});

test('variables for the worker, a profile for the client and the command: a job runs, and no call is without the key', async () => {
  const { namespace } = temporal;
  const file = join(folder, 'temporal.toml');
  const profile = [
    '[profile.cloud]',
    `address = "${front.address}"`,
    `namespace = "${namespace}"`,
    `api_key = "${KEY}"`,
    '[profile.cloud.tls]',
    `server_ca_cert_path = "${caFile}"`,
  ];
  writeFileSync(file, `${profile.join('\n')}\n`);
  const worker = await startCli(['worker'], {
    ...{ TEMPORAL_ADDRESS: front.address, TEMPORAL_NAMESPACE: namespace, TEMPORAL_API_KEY: KEY },
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: caFile,
    ...{ YAGNA_API_URL: devnet.url, YAGNA_APPKEY: devnet.appKey },
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  });
  await worker.line(/^worker ready/);
  process.env.TEMPORAL_CONFIG_FILE = file;
  const golem = await GolemClient.connect({ profile: 'cloud' });
  const { jobId } = await golem.startJob({ image: 'golem/alpine:latest', budget: '1', tasks: ['echo safe'] });
  expect((await golem.result(jobId)).tasks[0]?.results[0]?.stdout).toBe('safe\n');
  const env = { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'cloud' };
  const shown = await runCli(['result', jobId, '--settled'], { env });
  expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('"settled"')]);
  expect([...front.refused]).toEqual([]);
  for (const call of ['PollWorkflowTaskQueue', 'PollActivityTaskQueue', 'StartWorkflowExecution'])
    expect([...front.let]).toContain(call);
  await golem.close();
  await worker.stop();
});

test('a wrong key is one line that says so', async () => {
  const { code, stderr } = await runCli(['result', 'any'], {
    env: {
      ...{
        TEMPORAL_ADDRESS: front.address,
        TEMPORAL_NAMESPACE: temporal.namespace,
        TEMPORAL_API_KEY: 'wrong',
      },
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: caFile,
    },
  });
  expect(code).not.toBe(0);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).not.toContain('wrong');
});
