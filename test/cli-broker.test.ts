/** The commands about brokers: one that runs, and money for it. */
import { startDevnet, type Devnet } from '../devnet';
import { requireBuild, runCli } from './support/cli';
import { startBrokerProcess, type BrokerProcess } from './support/devnet-broker';

let devnet: Devnet;
let broker: BrokerProcess;
beforeAll(async () => {
  requireBuild();
  devnet = await startDevnet({ providers: [{ name: 'one' }] });
  broker = await startBrokerProcess(devnet);
});
afterAll(async () => {
  await broker?.stop();
  await devnet?.close();
});

const deposit = (...args: string[]): ReturnType<typeof runCli> =>
  runCli(['devnet', 'deposit', ...args], { env: { DEVNET_ADMIN_URL: devnet.adminUrl } });

test('a deposit moves money of a node to the broker, with the rules that the flags say', async () => {
  const flags = ['--broker', broker.url, '--per-hour', '1', '--total', '4', '--id', 'mine'];
  expect(await deposit('5', ...flags)).toEqual({
    ...{ code: 0, stderr: '', stdout: 'deposit mine: 4 GLM, at most 1 an hour\n' },
  });
  const { code, stderr } = await deposit('5', ...flags);
  expect([code, stderr]).toEqual([2, expect.stringMatching(/there is a deposit mine already/)]);
  const wrong = await deposit('5', '--broker', broker.url, '--total', '6');
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/total: is more than the amount/) });
  // Nothing moved for what was refused.
  expect(devnet.wallets.balance(broker.address, 'erc20-holesky-tglm').toFixed()).toBe('5');
});

test('what cannot be deposited is told in one line', async () => {
  expect(await deposit('5', '--broker', broker.url, '--node', 'bob')).toMatchObject({
    ...{ code: 2, stderr: expect.stringMatching(/no node "bob"; there are: requestor/) },
  });
  expect(await deposit('5', '--broker', 'http://127.0.0.1:9')).toMatchObject({
    ...{ code: 1, stderr: expect.stringMatching(/no broker answers/) },
  });
  expect(await deposit('9999999', '--broker', broker.url)).toMatchObject({ code: 2 });
});
