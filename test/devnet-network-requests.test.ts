/** What is answered to requests for connections into a virtual network: refusals, and what faults make of them. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { WebSocket } from 'ws';
import type { CallAction } from '../devnet/faults/operations';
import { withDevnet } from './support/devnet-requestor';
import {
  inNetwork,
  NetworkTest,
  next,
  noNode,
  ONE,
  REFUSED,
  SERVERS,
  TIMED_OUT,
  TWO,
  withNode,
} from './support/virtual-network';

/** What a server of raw HTTP answers, until it ends the connection. */
async function rawAnswer(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text.replaceAll('\n', '\r\n'));
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

describe('a request for a connection', () => {
  withNode(`is refused in yagna's words${noNode}`, () =>
    inNetwork(async (network, { effects }, requestor) => {
      await network.vm(ONE, { 8080: SERVERS.echo });
      const refusal = (ip: string, port: number | string): Promise<unknown> =>
        network.refusal(network.socket(ip, port));
      expect(await refusal(ONE, 8081)).toEqual(REFUSED);
      expect(await refusal(TWO, 8080)).toEqual(TIMED_OUT);
      expect(await refusal('10.0.0.1', 8080)).toEqual(TIMED_OUT);
      expect(await refusal(ONE, 0)).toEqual({
        status: 400,
        text: '{"message":"Connection error: unaddressable"}',
      });
      expect(await refusal(ONE, 65_536)).toEqual({ status: 404, text: 'can not parse "65536" to a u16' });
      expect(await refusal(ONE, 'http')).toEqual({ status: 404, text: 'can not parse "http" to a u16' });
      expect(await refusal('nowhere', 80)).toEqual({
        status: 400,
        text: '{"message":"Invalid IP address: invalid IP address syntax"}',
      });
      expect(await refusal('127.0.0.1', 80)).toEqual({
        status: 400,
        text: '{"message":"IP address not allowed: 127.0.0.1"}',
      });
      const unknown = new NetworkTest(requestor, 'none');
      expect(await unknown.refusal(unknown.socket(ONE, 80))).toEqual({ status: 403, text: '' });
      expect(effects.all(0, ['tcp-opened'])).toEqual([]);
    }),
  );

  test('of somebody who has no networks knows none', () =>
    withDevnet({}, async (requestor) => {
      const network = new NetworkTest(requestor, 'none');
      expect(await network.refusal(network.socket(ONE, 80))).toEqual({
        status: 404,
        text: '{"message":"Network not found"}',
      });
    }));

  withNode(`needs the app key, in a header or in the address${noNode}`, () =>
    inNetwork(async (network, { appKey }) => {
      await network.vm(ONE, { 8080: SERVERS.echo });
      const socket = (query: string, authorization: string): WebSocket =>
        network.socket(ONE, `8080${query}`, { headers: { authorization } });
      expect(await network.refusal(socket('', 'Bearer wrong'))).toEqual({
        status: 401,
        text: 'Invalid application key',
      });
      expect(await network.refusal(socket('', ''))).toEqual({ status: 401, text: 'Missing application key' });
      const opened = socket(`?authToken=${appKey}`, '');
      await once(opened, 'open');
      opened.send('hello');
      expect(await next(opened)).toBe('hello');
    }),
  );

  withNode(`has to be one for a WebSocket${noNode}`, () =>
    inNetwork(async (network, { effects, port }, requestor) => {
      await network.vm(ONE, { 8080: SERVERS.echo });
      const path = `${network.path}/tcp/${ONE}/8080`;
      const plain = await requestor.get(path);
      expect([plain.status, plain.text]).toEqual([400, '{"message":"Request error: NoWebsocketUpgrade"}']);
      const asks = (headers: string): Promise<string> =>
        rawAnswer(
          port,
          `GET ${path} HTTP/1.1\nHost: x\nAuthorization: Bearer try_golem\nConnection: close, Upgrade\nUpgrade: websocket\n${headers}\n\n`,
        );
      expect(await asks('X: y')).toMatch(/^HTTP\/1.1 400 .*NoVersionHeader"}$/s);
      expect(await asks('Sec-WebSocket-Version: 99')).toMatch(/ 400 .*UnsupportedVersion"}$/s);
      expect(await asks('Sec-WebSocket-Version: 13')).toMatch(/ 400 .*BadWebsocketKey"}$/s);
      const kinds = effects.all(0, ['tcp-opened', 'tcp-closed']).map(({ kind }) => kind);
      expect(kinds).toEqual(Array.from({ length: 4 }, () => ['tcp-opened', 'tcp-closed']).flat());
    }),
  );

  test('elsewhere is answered as without', () =>
    inNetwork(async (network, { port }) => {
      const to = new NetworkTest(network.requestor, network.networkId);
      const other = to.socket(`${ONE}/8080/more`, 1);
      expect(await to.refusal(other)).toMatchObject({ status: 404 });
      const body = '{ "ip": "10.0.0.0/24" }';
      const offer = 'Connection: Upgrade, HTTP2-Settings, close\nUpgrade: h2c\nHTTP2-Settings: AAMAAABk\n';
      const head = `Host: x\nAuthorization: Bearer try_golem\nContent-Type: application/json\nContent-Length: ${body.length}\n`;
      const answer = rawAnswer(port, `POST /net-api/v1/net HTTP/1.1\n${head}${offer}\n${body}`);
      expect(await answer).toMatch(/^HTTP\/1.1 200 .*10\.0\.0\.0\/24/s);
    }));
});

describe('a fault of connectTcp', () => {
  withNode(`lets a connection be lost, refused or late${noNode}`, () =>
    inNetwork(async (network, { faults, effects }) => {
      await network.vm(ONE, { 8080: SERVERS.echo });
      const opened = (): number => effects.all(0, ['tcp-opened']).length;
      const fault = (action: CallAction, more: object = {}): WebSocket => {
        faults.arm({ on: 'connectTcp', do: action, provider: 'one', ...more });
        return network.socket(ONE, 8080);
      };
      await expect(once(fault('dropBefore'), 'open')).rejects.toThrow('socket hang up');
      expect(await network.refusal(fault('answer', { status: 500 }))).toMatchObject({ status: 500 });
      expect(opened()).toBe(0);
      await expect(once(fault('dropAfter'), 'open')).rejects.toThrow('socket hang up');
      expect(opened()).toBe(1);
      expect(await network.refusal(fault('answerAfter', { body: 'no' }))).toEqual({
        status: 503,
        text: 'no',
      });
      expect(opened()).toBe(2);
      expect(effects.all(0, ['tcp-closed'])).toHaveLength(2);
      await once(fault('delayAfter', { sec: 0.01 }), 'open');
      await once(fault('delay', { sec: 0.01 }), 'open');
      expect(await network.refusal(fault('cut'))).toEqual(TIMED_OUT);
    }),
  );
});
