import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { tempDir } from './support/temp-dir';
import { sh, VmTestbed, type Result, type Vm } from './support/vm-host';

const outside = tempDir('transfer');

/** Serves what is in `files`, keeps what is put there, and remembers the headers of the last request. */
class FileServer {
  readonly files = new Map<string, Buffer>();
  readonly headers = new Map<string, IncomingMessage['headers']>();
  private readonly server: Server = createServer((request, response) => {
    const path = request.url ?? '';
    this.headers.set(`${request.method} ${path}`, request.headers);
    if (request.method === 'PUT') {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.files.set(path, Buffer.concat(chunks));
        response.writeHead(path.startsWith('/refused') ? 403 : 201).end();
      });
      return;
    }
    if (path === '/moved') return void response.writeHead(302, { location: '/small' }).end();
    if (path === '/half') {
      response.writeHead(200, { 'content-length': 1000 });
      return void response.write('half', () => response.destroy());
    }
    const file = this.files.get(path);
    if (file) response.end(file);
    else response.writeHead(404).end();
  });

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

const server = new FileServer();
let bed: VmTestbed;
let vm: Vm;

beforeAll(async () => {
  await server.listen();
  bed = await VmTestbed.start();
});
afterAll(async () => {
  await bed.close();
  await server.close();
});
beforeEach(async () => {
  vm = await bed.vm();
});

async function transfer(from: string, to: string, more: object = {}): Promise<Result> {
  const [result] = await vm.script([{ transfer: { from, to, ...more } }]);
  if (!result) throw new Error('no result');
  return result;
}

describe('a transfer', () => {
  test('brings a file in over http, creating folders, and one out by PUT with its length', async () => {
    const big = randomBytes(3_000_000);
    server.files.set('/big', big);
    const hash = createHash('sha256').update(big).digest('hex');
    const [download, sum, upload] = await vm.script([
      { transfer: { from: server.url('/big'), to: 'container:/golem/input/a/b/file' } },
      sh(
        'sha256sum < /golem/input/a/b/file; ls -a /golem/input/a/b; cp /golem/input/a/b/file /golem/output/out',
      ),
      { transfer: { from: 'container:/golem/output/out', to: server.url('/back?signature=s') } },
    ]);
    expect([download?.result, upload?.result]).toEqual(['Ok', 'Ok']);
    expect(sum?.stdout).toBe(`${hash}  -\n.\n..\nfile\n`);
    expect(server.files.get('/back?signature=s')?.equals(big)).toBe(true);
    expect(server.headers.get('PUT /back?signature=s')).toMatchObject({ 'content-length': '3000000' });
  });

  test('carries an empty file, follows redirects, and replaces what is there', async () => {
    server.files.set('/small', Buffer.from('small'));
    await vm.sh(': > /golem/output/empty; echo old > /golem/input/file');
    expect(await transfer('/golem/output/empty', server.url('/empty'))).toMatchObject({ result: 'Ok' });
    expect(server.files.get('/empty')).toHaveLength(0);
    expect(await transfer(server.url('/moved'), '/golem/input/file')).toMatchObject({
      result: 'Ok',
      stdout: null,
    });
    expect(await vm.sh('cat /golem/input/file')).toMatchObject({ stdout: 'small' });
  });

  test('copies files of the provider in and out, and within the VM', async () => {
    const file = join(outside, 'file with space');
    writeFileSync(file, 'from outside');
    expect(await transfer(`file://${encodeURI(file)}`, 'container:/golem/work/x')).toMatchObject({
      result: 'Ok',
    });
    expect(await transfer('container:/golem/work/x', 'container:/golem/output/y')).toMatchObject({
      result: 'Ok',
    });
    expect(await transfer('container:/golem/output/y', `file://${outside}/back`)).toMatchObject({
      result: 'Ok',
    });
    expect(readFileSync(join(outside, 'back'), 'utf8')).toBe('from outside');
  });

  test('uses volumes that were asked for at deploy', async () => {
    await vm.script([{ terminate: {} }, { deploy: { volumes: ['/data'] } }, { start: {} }]);
    server.files.set('/small', Buffer.from('small'));
    expect(await transfer(server.url('/small'), 'container:/data/x')).toMatchObject({ result: 'Ok' });
  });

  test.each([
    ['what is not there', '/absent', 'container:/golem/work/x', 'HTTP error: client error: 404 Not Found'],
    ['half a file', '/half', 'container:/golem/work/x', ''],
    ['a file the VM lacks', 'container:/golem/work/absent', '/back', 'ENOENT'],
    ['a folder', 'container:/golem/work', '/back', 'is not a file'],
    [
      'what the server refuses',
      'container:/golem/work/file',
      '/refused',
      'HTTP error: client error: 403 Forbidden',
    ],
    ['an unknown scheme', 'gftp://0x1/abc', 'container:/golem/work/x', 'Unsupported scheme: gftp'],
    ['nonsense', 'nonsense', 'container:/golem/work/x', 'URL parse error: nonsense'],
    ['into a system folder', '/small', 'container:/etc/passwd', "is in none of the VM's volumes"],
    ['out of the VM', '/small', 'container:/golem/../../../x', ''],
    ['out of the VM, upwards', 'container:/golem/work/../../../../../../etc/passwd', '/back', ''],
  ])('of %s fails and says why', async (_name, from, to, why) => {
    server.files.set('/small', Buffer.from('small'));
    await vm.sh('echo x > file');
    const address = (text: string): string => (/^\/[^/]*$/.test(text) ? server.url(text) : text);
    const result = await transfer(address(from), address(to));
    expect(result).toMatchObject({ result: 'Error', stdout: null });
    expect(result.message).toMatch(/^Local service error: Transfer error: ./);
    expect(result.message).toContain(why);
    // Of this machine's files nothing is told.
    expect(result.message).not.toMatch(/, \w+ '\//);
    expect(await vm.state()).toEqual({ state: ['Ready', null] });
    expect(await vm.sh('ls /golem/work')).toMatchObject({ stdout: 'file\n' });
  });

  test('keeps the secrets of an address out of its message', async () => {
    const { message } = await transfer(
      server.url('/absent?signature=secret').replace('//', '//user:secret@'),
      '/golem/work/x',
    );
    expect(message).toContain('/absent');
    expect(message).not.toContain('secret');
  });

  test('does not follow symbolic links out of the VM', async () => {
    writeFileSync(join(outside, 'secret'), 'secret');
    await vm.sh(
      `ln -s ${outside}/secret link; ln -s ${outside} folder; ln -s /golem/output/real good; ln -s loop loop`,
    );
    await vm.sh('echo real > /golem/output/real');
    for (const path of ['link', 'folder/secret', 'folder/new', 'loop']) {
      expect(await transfer(`container:/golem/work/${path}`, server.url('/stolen'))).toMatchObject({
        result: 'Error',
      });
    }
    expect(server.files.has('/stolen')).toBe(false);
    server.files.set('/small', Buffer.from('small'));
    expect(await transfer(server.url('/small'), 'container:/golem/work/folder/new')).toMatchObject({
      result: 'Error',
    });
    expect(await transfer('container:/golem/work/good', server.url('/good'))).toMatchObject({ result: 'Ok' });
    expect(server.files.get('/good')?.toString()).toBe('real\n');
  });

  test('ends with its activity', async () => {
    const stuck = createServer();
    await new Promise<void>((resolve) => stuck.listen(0, '127.0.0.1', resolve));
    const asked = new Promise<void>((resolve) => stuck.once('request', () => resolve()));
    const from = `http://127.0.0.1:${(stuck.address() as AddressInfo).port}/`;
    const batchId = await vm.exec([{ transfer: { from, to: 'container:/golem/work/x' } }]);
    const poll = vm.results(batchId, '?timeout=50');
    await asked;
    await vm.call('DELETE');
    expect(await poll).toMatchObject([{ message: expect.stringContaining('Unexpected state') }]);
    stuck.closeAllConnections();
    await new Promise((resolve) => stuck.close(resolve));
  });
});
