/** TCP connections to the VMs of a virtual network, as a requestor opens them with yagna's net API. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Devnet } from '../devnet';
import { VirtualNetworks } from '../devnet/vm/virtual-networks';
import {
  all,
  closed,
  echoes,
  inNetwork,
  NetworkTest,
  next,
  noNamespaces,
  noNode,
  ONE,
  REFUSED,
  SERVERS,
  TIMED_OUT,
  TWO,
  withNamespaces,
  withNode,
} from './support/virtual-network';

const MIB = 1024 * 1024;

describe('a connection into a virtual network', () => {
  withNode(`carries every byte both ways, several at once, under both paths${noNode}`, () =>
    inNetwork(async (network, { effects }, requestor) => {
      await network.vm(ONE, { 8080: SERVERS.echo });
      const other = new NetworkTest(requestor, network.networkId, '/net-api/v1');
      const sockets = await Promise.all([network, network, other].map((each) => each.open(ONE, 8080)));
      const whole = await Promise.all(sockets.map((socket) => echoes(socket, 4 * MIB)));
      expect(whole).toEqual([true, true, true]);
      for (const socket of sockets) {
        socket.send('as text');
        expect(await next(socket)).toBe('as text');
        socket.close();
      }
      for (let n = 1, after = 0; n <= 3; n++) after = (await effects.next('tcp-closed', after)).seq;
      const [opened] = effects.all(0, ['tcp-opened']);
      expect(opened).toMatchObject({ networkId: network.networkId, ip: ONE, port: 8080, provider: 'one' });
      expect(opened?.cause).toBe('connectTcp at node requestor');
    }),
  );

  withNode(`ends when the VM hangs up, after all that it has said, without a closing frame${noNode}`, () =>
    inNetwork(async (network, { effects }) => {
      const size = 4 * MIB;
      await network.vm(ONE, { 8080: `(socket) => socket.end(Buffer.alloc(${size}, "abc"))` });
      const socket = network.socket(ONE, 8080);
      const got = createHash('sha256');
      socket.on('message', (data: Buffer) => got.update(data));
      expect(await closed(socket)).toBe(1006);
      expect(got.digest('hex')).toBe(createHash('sha256').update(Buffer.alloc(size, 'abc')).digest('hex'));
      expect((await effects.next('tcp-closed', 0)).cause).toBe('provider one');
    }),
  );

  withNode(`holds back a requestor whose VM does not read, and tells the VM when it hangs up${noNode}`, () =>
    inNetwork(async (network, { effects }) => {
      const vm = await network.vm(ONE, { 8080: SERVERS.slow, 8081: SERVERS.echo });
      await vm.run('mkfifo go count');
      const socket = await network.open(ONE, 8080);
      const frames = 768;
      let gone = 0;
      for (let n = 0; n < frames; n++) socket.send(Buffer.alloc(65_536), () => (gone += 1));
      socket.close();
      // What another connection carries meanwhile would have taken this one with it.
      expect(await echoes(await network.open(ONE, 8081), 16 * MIB)).toBe(true);
      expect(gone).toBeLessThan(frames);
      await vm.run('echo >go');
      expect(await vm.run('cat count')).toBe(String(frames * 65_536));
      expect((await effects.next('tcp-closed', 0)).cause).toBe('connectTcp at node requestor');
    }),
  );

  withNode(`ends with a frame that is longer than yagna takes${noNode}`, () =>
    inNetwork(async (network) => {
      await network.vm(ONE, { 8080: SERVERS.echo });
      const socket = await network.open(ONE, 8080);
      socket.send(Buffer.alloc(65_537));
      expect(await closed(socket)).toBe(1009);
    }),
  );

  withNode(`waits for a VM that is not there yet${noNode}`, () =>
    inNetwork(
      async (network) => {
        const vm = await network.vm(ONE);
        await vm.script([{ terminate: {} }]);
        const answer = network.refusal(network.socket(ONE, 8080));
        await vm.deploy();
        expect(await answer).toEqual(REFUSED);
      },
      { tcpConnectSec: 45 },
    ),
  );
});

describe('VMs of a virtual network', () => {
  withNamespaces(`have addresses of their own, where each may listen on any port${noNamespaces}`, () =>
    inNetwork(async (network) => {
      const one = await network.vm(ONE, { 80: SERVERS.greet });
      const two = await network.vm(TWO, { 80: SERVERS.greet });
      await two.serve(81, SERVERS.greet, TWO);
      await two.serve(82, SERVERS.greet, '127.0.0.1');
      expect((await all(network.socket(ONE, 80))).text).toBe(`192.168.0.1 at ${ONE}`);
      expect((await all(network.socket(TWO, 80))).text).toBe(`192.168.0.1 at ${TWO}`);
      expect((await all(network.socket(TWO, 81))).text).toBe(`192.168.0.1 at ${TWO}`);
      expect(await network.refusal(network.socket(TWO, 82))).toEqual(REFUSED);
      expect(await one.call(TWO, 80)).toBe(`${ONE} at ${TWO}`);
      expect(await two.call(ONE, 80)).toBe(`${TWO} at ${ONE}`);
    }),
  );

  withNamespaces(`do not see those of other networks, whose addresses may be the same${noNamespaces}`, () =>
    inNetwork(async (network, _devnet, requestor) => {
      const other = await NetworkTest.start(requestor);
      await network.vm(ONE, { 80: '(socket) => socket.end("here")' });
      await other.vm(ONE, { 80: '(socket) => socket.end("there")' });
      const stranger = await other.vm(TWO);
      expect((await all(network.socket(ONE, 80))).text).toBe('here');
      expect((await all(other.socket(ONE, 80))).text).toBe('there');
      expect(await stranger.call(ONE, 80)).toBe('there');
    }),
  );

  withNamespaces(`are found at an address that another had before${noNamespaces}`, () =>
    inNetwork(async (network) => {
      for (const text of ['first', 'second']) {
        const vm = await network.vm(ONE, { 80: `(socket) => socket.end("${text}")` });
        expect((await all(network.socket(ONE, 80))).text).toBe(text);
        await vm.destroy();
      }
    }),
  );

  withNamespaces(`share this machine's network where it lets them have none${noNamespaces}`, async () => {
    const log: string[] = [];
    const startHub = (): Promise<never> => Promise.reject(new Error('ip: not found'));
    const networks = new VirtualNetworks('root', (line) => log.push(line), startHub);
    expect(await networks.join([{ id: 'x', ip: '10.0.0.0/24', nodeIp: '10.0.0.2' }])).toBeUndefined();
    expect(log).toEqual([expect.stringMatching(/^VMs share this machine's network.* ip: not found$/)]);
    await networks.close();
  });

  test('cannot be deployed into what is no network', () =>
    inNetwork(async (network, _devnet, requestor) => {
      const deploy = async (net: object): Promise<unknown> => {
        const activityId = await requestor.createActivity(await requestor.rent());
        const path = `/activity-api/v1/activity/${activityId}/exec`;
        const { json, text } = await requestor.post(path, {
          text: JSON.stringify([{ deploy: { net: [net] } }]),
        });
        if (typeof json !== 'string') return text;
        return (await requestor.get(`${path}/${json}?timeout=20`)).json[0].message;
      };
      const net = { id: network.networkId, ip: '192.168.0.0/24', nodeIp: ONE, nodes: {} };
      expect(await deploy({ ...net, nodeIp: undefined })).toMatch('missing field `nodeIp`');
      expect(await deploy({ ...net, ip: 'x' })).toBe('Net error: Invalid network IP address: x');
      expect(await deploy({ ...net, nodeIp: '1.2.3' })).toMatch('Net error: Invalid IP address');
    }));
});

/** What happens to the provider or on the way to it. */
type Harm = [what: string, harm: (network: NetworkTest, devnet: Devnet, nodeId: string) => unknown];
const harms: Harm[] = [
  ['the link to its provider is cut', (_network, { links }) => links.cut({ provider: 'one' })],
  ['its provider stands still', (_network, { links }) => links.freeze('one')],
  ['its provider crashes', (_network, { links }) => links.crash('one')],
  [
    'its node is removed from the network',
    ({ requestor, path }, _devnet, nodeId) => requestor.delete(`${path}/nodes/${nodeId}`),
  ],
];

describe('a connection into a virtual network', () => {
  for (const [what, harm] of harms) {
    withNode(`falls silent when ${what}, and is given up in the end${noNode}`, () =>
      inNetwork(
        async (network, devnet) => {
          const { ids } = await network.vm(ONE, { 8080: SERVERS.echo });
          const socket = await network.open(ONE, 8080);
          const over = all(socket);
          await harm(network, devnet, ids.providerId);
          socket.send('is anybody there?');
          expect(await over).toEqual({ text: '', code: 1006 });
          expect((await devnet.effects.next('tcp-closed', 0)).cause).toBe('silence of a connection');
          expect(await network.refusal(network.socket(ONE, 8080))).toEqual(TIMED_OUT);
        },
        { tcpSilenceSec: 0.1 },
      ),
    );
  }

  withNode(`goes on with what was sent meanwhile when all is well again${noNode}`, () =>
    inNetwork(async (network, { links }) => {
      const vm = await network.vm(ONE, { 8080: SERVERS.echo });
      const socket = await network.open(ONE, 8080);
      for (const [harm, restore] of [
        [() => links.cut({ provider: 'one' }), () => links.restore()],
        [() => links.freeze('one'), () => links.thaw('one')],
      ] as const) {
        harm();
        // Both in one order, so that when the second is known to have come so has the first.
        socket.send('meanwhile');
        const pong = once(socket, 'pong');
        socket.ping();
        await pong;
        const answer = next(socket);
        restore();
        expect(await answer).toBe('meanwhile');
      }
      await vm.destroy();
    }),
  );

  const endings: [what: string, end: (network: NetworkTest, devnet: Devnet) => unknown, cause: string][] = [
    ['its network', ({ requestor, path }) => requestor.delete(path), 'removeNetwork at node requestor'],
    ["the requestor's daemon", (_network, devnet) => devnet.node('requestor').restart(), 'devnet'],
    ['its agreement', (_network, devnet) => devnet.shutDownProvider('one'), 'provider one'],
  ];
  for (const [what, end, cause] of endings) {
    withNode(`ends with ${what}${noNode}`, () =>
      inNetwork(async (network, devnet) => {
        await network.vm(ONE, { 8080: SERVERS.echo });
        const over = closed(await network.open(ONE, 8080));
        await end(network, devnet);
        expect(await over).toBe(1006);
        expect((await devnet.effects.next('tcp-closed', 0)).cause).toBe(cause);
      }),
    );
  }

  withNode(`ends with its VM, by destruction or by itself${noNode}`, () =>
    inNetwork(async (network, devnet, requestor) => {
      for (const end of ['destroy', 'terminate', 'die'] as const) {
        const vm = await network.vm(ONE, { 8080: SERVERS.echo });
        const over = closed(await network.open(ONE, 8080));
        if (end === 'destroy') await vm.destroy();
        if (end === 'terminate') await vm.script([{ terminate: {} }]);
        if (end === 'die') {
          devnet.faults.arm({ on: 'provider.run', do: 'die' });
          void vm.run('true').catch(() => undefined);
        }
        expect(await over).toBe(1006);
        await requestor.terminate(vm.ids.agreementId);
      }
    }),
  );
});
