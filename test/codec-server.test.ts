/** The command in a namespace whose payloads are encrypted: worker and all, it asks a codec server. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { temporal as proto } from '@temporalio/proto';
import type { Child } from '../cli/child-process';
import { startDevnet, type Devnet } from '../devnet';
import { EncryptionCodec } from '../examples/encryption-codec';
import { requireBuild, runCli, startCli, type CliRun } from './support/cli';
import { openTemporal, type TestTemporal } from './support/temporal';

const { Payload: Wire } = proto.api.common.v1;
const AUTHORIZATION = 'let me in';

let devnet: Devnet;
let temporal: TestTemporal;
let server: Server;
let endpoint: string;
let worker: Child;
/** Namespaces that it was asked for. */
const asked = new Set<unknown>();

beforeAll(async () => {
  requireBuild();
  devnet = await startDevnet({ paymentCycleSec: 0 });
  temporal = await openTemporal();
  server = codecServer(new EncryptionCodec(randomBytes(32)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  worker = await startCli(['worker'], {
    ...{ ...temporal.env, ...withCodec(), YAGNA_API_URL: devnet.url, YAGNA_APPKEY: devnet.appKey },
    GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
  });
  await worker.line(/^worker ready/);
});
afterAll(async () => {
  await worker?.stop();
  server?.close();
  await temporal?.close();
  await devnet?.close();
});

function codecServer(codec: EncryptionCodec): Server {
  return createServer((request, response) => {
    void (async () => {
      asked.add(request.headers['x-namespace']);
      if (request.headers.authorization !== AUTHORIZATION) return response.writeHead(403).end();
      const { payloads } = JSON.parse(await text(request)) as { payloads: object[] };
      const given = payloads.map((payload) => Wire.fromObject(payload));
      const made = request.url === '/decode' ? await codec.decode(given) : await codec.encode(given);
      const answer = made.map((payload) => Wire.toObject(Wire.create(payload), { bytes: String }));
      return response.end(JSON.stringify({ payloads: answer }));
    })();
  });
}

const withCodec = (): NodeJS.ProcessEnv => ({
  TEMPORAL_CODEC_ENDPOINT: `${endpoint}/`,
  TEMPORAL_CODEC_AUTH: AUTHORIZATION,
});
const run = (args: string[], env: NodeJS.ProcessEnv, input?: string): Promise<CliRun> =>
  runCli(args, { env: { ...temporal.env, ...env }, input });

test('a job is started, watched and read through it, and nothing of it is in clear', async () => {
  const spec = '{"image":"golem/alpine:latest","budget":"1","tasks":["echo sealed"]}';
  const watched = await run(['start', '-', '--id', 'job', '--watch'], withCodec(), spec);
  expect([watched.code, watched.stdout]).toEqual([0, expect.stringContaining('sealed')]);
  const { stdout } = await run(['result', 'job', '--settled'], withCodec());
  expect(JSON.parse(stdout)).toMatchObject({ state: 'settled' });
  const history = await temporal.client.workflow.getHandle('job').fetchHistory();
  const bytes = Buffer.from(proto.api.history.v1.History.encode(history).finish());
  expect([bytes.includes('golemJob'), bytes.includes('sealed')]).toEqual([true, false]);
  const [began] = history.events ?? [];
  const [input] = began?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  expect(String(input?.metadata?.encoding)).toBe('binary/encrypted');
  expect([...asked]).toEqual([temporal.namespace]);
});

test.each([
  ['none', {}, 2, 'encoded \\(binary/encrypted\\): set TEMPORAL_CODEC_ENDPOINT'],
  ['no authorization', { TEMPORAL_CODEC_AUTH: '' }, 1, 'answers 403: check TEMPORAL_CODEC_AUTH'],
  ['one that is away', { TEMPORAL_CODEC_ENDPOINT: 'http://127.0.0.1:1' }, 1, 'does not answer \\('],
  ['one that is no URL', { TEMPORAL_CODEC_ENDPOINT: 'codec' }, 2, 'is no URL such as http'],
])('with %s one line says what to do', async (_what, given, code, says) => {
  const none = Object.keys(given).length === 0;
  const said = await run(['result', 'job'], none ? {} : { ...withCodec(), ...given });
  expect([said.code, said.stdout]).toEqual([code, '']);
  expect(said.stderr).toMatch(new RegExp(`^golem-temporal: .*${says}.*\n$`));
});
