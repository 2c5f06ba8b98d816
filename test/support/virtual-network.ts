/** VMs in a virtual network with a server in each, and WebSockets to them, for tests of the devnet. */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { WebSocket, type ClientOptions } from 'ws';
import type { Devnet, DevnetOptions } from '../../devnet';
import { availableNamespaces } from '../../devnet/vm/namespaced-machine';
import { withDevnet, type Requestor } from './devnet-requestor';

/** What listens in a VM on `$PORT`: `server` is a function of a socket, written in JavaScript. */
export const SERVERS = {
  echo: '(socket) => socket.pipe(socket)',
  /** Says where its client comes from and where that has called, and hangs up. */
  greet: '(socket) => socket.end(`${socket.remoteAddress} at ${socket.localAddress}`)',
  /** Reads once something is written to `go`, and says in `count` how much has come. */
  slow: `(socket) => fs.readFile("go", () => {
    let count = 0;
    socket.on("data", (chunk) => (count += chunk.length));
    socket.on("end", () => fs.writeFile("count", String(count), () => socket.end()));
  })`,
};

/** Node is among the programs that VMs see. */
export const VMS_HAVE_NODE = /^\/(usr|opt|nix)\//.test(process.execPath);

/** Frames that a real yagna takes. */
const FRAME_BYTES = 65_536;

export class NetworkTest {
  constructor(
    readonly requestor: Requestor,
    readonly networkId: string,
    readonly base = '/net-api/v2/vpn',
  ) {}

  static async start(requestor: Requestor, ip = '192.168.0.0/24'): Promise<NetworkTest> {
    const { json } = await requestor.post('/net-api/v2/vpn/net', { ip });
    return new NetworkTest(requestor, json.id as string);
  }

  get path(): string {
    return `${this.base}/net/${this.networkId}`;
  }

  /** Rents a VM that is in the network, and starts servers in it. @returns once they listen */
  async vm(ip: string, servers: Record<number, string> = {}): Promise<NetworkVm> {
    const { requestor } = this;
    const agreementId = await requestor.rent('network');
    const agreement = await requestor.get(`/market-api/v1/agreements/${agreementId}`);
    const providerId = agreement.json.offer.providerId as string;
    await requestor.post(`${this.path}/nodes`, { id: providerId, ip });
    const activityId = await requestor.createActivity(agreementId);
    const vm = new NetworkVm(this, { agreementId, activityId, providerId, ip });
    await vm.deploy();
    for (const [port, server] of Object.entries(servers)) await vm.serve(Number(port), server);
    return vm;
  }

  /** A WebSocket to a port, whether or not it opens. */
  socket(ip: string, port: number | string, options: ClientOptions = {}): WebSocket {
    const { url, appKey } = this.requestor;
    const headers = { authorization: `Bearer ${appKey}`, ...options.headers };
    const address = `${url.replace('http', 'ws')}${this.path}/tcp/${ip}/${port}`;
    return new WebSocket(address, { ...options, headers });
  }

  async open(ip: string, port: number): Promise<WebSocket> {
    const socket = this.socket(ip, port);
    await once(socket, 'open');
    return socket;
  }

  /** What is answered instead of a WebSocket, in status and text. */
  async refusal(socket: WebSocket): Promise<{ status: number | undefined; text: string }> {
    const [request, response] = await once(socket, 'unexpected-response');
    let text = '';
    for await (const chunk of response) text += String(chunk);
    request.destroy();
    return { status: response.statusCode as number, text };
  }
}

export interface VmIds {
  agreementId: string;
  activityId: string;
  providerId: string;
  ip: string;
}

export class NetworkVm {
  constructor(
    private readonly test: NetworkTest,
    readonly ids: VmIds,
  ) {}

  async deploy(): Promise<void> {
    const { networkId } = this.test;
    const net = [{ id: networkId, ip: '192.168.0.0', mask: '255.255.255.0', nodeIp: this.ids.ip, nodes: {} }];
    await this.script([{ deploy: { net } }, { start: { args: [] } }]);
  }

  /** Leaves a server running. */
  async serve(port: number, server: string, host = '0.0.0.0'): Promise<void> {
    const listen = `const fs = require("fs"); require("net").createServer({ allowHalfOpen: true }, ${server})`;
    const program = `${listen}.listen(${port}, "${host}", () => console.error("up"))`;
    // Its first line ends the command, and the server goes on.
    await this.run(`mkfifo up${port}; '${process.execPath}' -e '${program}' 2>up${port} & head -1 up${port}`);
  }

  /** A shell command's output. */
  async run(command: string): Promise<string> {
    const capture = { stdout: { atEnd: { format: 'str' } }, stderr: { atEnd: { format: 'str' } } };
    const [result] = await this.script([{ run: { entry_point: '/bin/sh', args: ['-c', command], capture } }]);
    return result?.stdout as string;
  }

  /** What a port says to a client in this VM. */
  call(ip: string, port: number): Promise<string> {
    return this.run(
      `'${process.execPath}' -e 'require("net").connect(${port}, "${ip}").pipe(process.stdout)'`,
    );
  }

  async script(commands: object[]): Promise<{ stdout: unknown }[]> {
    const { requestor } = this.test;
    const path = `/activity-api/v1/activity/${this.ids.activityId}/exec`;
    const { json: batchId } = await requestor.post(path, { text: JSON.stringify(commands) });
    const { json } = await requestor.get(`${path}/${batchId}?timeout=50`);
    const bad = (json as { result: string }[]).filter(({ result }) => result !== 'Ok');
    if (bad.length > 0) throw new Error(`a script failed: ${JSON.stringify(bad)}`);
    return json;
  }

  destroy = (): Promise<unknown> =>
    this.test.requestor.delete(`/activity-api/v1/activity/${this.ids.activityId}`);
}

/** Whether there are network namespaces, and what connects them. */
function vmsHaveNetworks(): boolean {
  const namespaces = availableNamespaces();
  if (namespaces === undefined) return false;
  const user = namespaces === 'user' ? ['-U', '-r'] : [];
  const connect = 'ip link add br0 type bridge && ip link add one type veth peer name two';
  return spawnSync('unshare', [...user, '-n', '/bin/sh', '-c', connect], { stdio: 'ignore' }).status === 0;
}

export const ONE = '192.168.0.2';
export const TWO = '192.168.0.3';
export const REFUSED = { status: 400, text: '{"message":"Socket closed, CLOSED"}' };
export const TIMED_OUT = { status: 504, text: '' };

export const noNode = VMS_HAVE_NODE ? '' : ' (skipped because VMs do not see this node)';
export const noNamespaces = vmsHaveNetworks()
  ? noNode
  : ' (skipped because VMs have no networks of their own here)';
export const withNode = noNode === '' ? test : test.skip;
export const withNamespaces = noNamespaces === '' ? test : test.skip;

/** A network on a devnet of its own, which leaves nothing behind. */
export async function inNetwork(
  action: (network: NetworkTest, devnet: Devnet, requestor: Requestor) => Promise<void>,
  options: DevnetOptions = {},
): Promise<void> {
  const before = children();
  const providers = [{ name: 'one', agreementLimit: 5 }];
  await withDevnet({ providers, tcpConnectSec: 1, ...options }, async (requestor, devnet) =>
    action(await NetworkTest.start(requestor), devnet, requestor),
  );
  expect(children()).toEqual(before);
}

/** Processes that this one has started; known on Linux only. */
function children(): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return Number(parent) === process.pid;
    } catch {
      return false;
    }
  });
}

/** Its code. */
export async function closed(socket: WebSocket): Promise<number> {
  const [code] = await once(socket, 'close');
  return code as number;
}

/** Everything that comes, until the connection ends. */
export async function all(socket: WebSocket): Promise<{ text: string; code: number }> {
  let text = '';
  socket.on('message', (data: Buffer) => (text += String(data)));
  return { code: await closed(socket), text };
}

export async function next(socket: WebSocket): Promise<string> {
  const [data] = await once(socket, 'message');
  return String(data);
}

/** Sends so much through an echo server. @returns whether all of it came back as it was */
export async function echoes(socket: WebSocket, bytes: number): Promise<boolean> {
  const sent = randomBytes(bytes);
  const got = createHash('sha256');
  const whole = new Promise<void>((resolve) => {
    let left = bytes;
    socket.on('message', function take(data: Buffer) {
      got.update(data);
      if ((left -= data.length) > 0) return;
      socket.removeListener('message', take);
      resolve();
    });
  });
  for (let at = 0; at < bytes; at += FRAME_BYTES) socket.send(sent.subarray(at, at + FRAME_BYTES));
  await whole;
  return got.digest('hex') === createHash('sha256').update(sent).digest('hex');
}
