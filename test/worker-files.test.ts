/** Files that a worker serves to VMs: addresses for one file and one use, and jobs that read and write by them. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { withoutPasses } from '../activities/worker-files';
import { startFileServer, type FileServer } from '../worker/file-server';
import { SECRET_FILE } from '../worker/signed-paths';
import { tempDir } from './support/temp-dir';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const SOON = Date.now() + 3_600_000;

describe('the server', () => {
  const folder = tempDir('files');
  const outside = tempDir('outside');
  let server: FileServer;
  beforeAll(async () => {
    mkdirSync(join(folder, 'in'));
    writeFileSync(join(folder, 'in', 'a b?.txt'), 'hello');
    server = await startFileServer({ folder, port: 0, maxBytes: 1000 });
  });
  afterAll(() => server.close());

  const put = (url: string, body: string) => fetch(url, { method: 'PUT', body });
  const status = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;

  test('gives a file to who has its address, and parts of it', async () => {
    const url = server.sign('/in/a b?.txt', 'GET', SOON);
    expect(await (await fetch(url)).text()).toBe('hello');
    const part = await fetch(url, { headers: { range: 'bytes=1-2' } });
    expect([part.status, await part.text()]).toEqual([206, 'el']);
  });

  test('takes a file whole, makes its folders, and replaces what was there', async () => {
    const url = server.sign('/out/deep/x.bin', 'PUT', SOON);
    expect((await put(url, 'one')).status).toBe(201);
    expect((await put(url, 'two')).status).toBe(201);
    expect(readFileSync(join(folder, 'out', 'deep', 'x.bin'), 'utf8')).toBe('two');
    expect(readdirSync(join(folder, 'out', 'deep'))).toEqual(['x.bin']);
  });

  test('takes no more than it may, and leaves nothing of it', async () => {
    expect((await put(server.sign('/big/x', 'PUT', SOON), 'x'.repeat(1001))).status).toBe(413);
    const chunks = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(400));
      },
    });
    const init: RequestInit & { duplex: 'half' } = { method: 'PUT', body: chunks, duplex: 'half' };
    await fetch(server.sign('/big/y', 'PUT', SOON), init).catch(() => undefined);
    expect(readdirSync(join(folder, 'big'))).toEqual([]);
  });

  test('an address is good for its file, its use and its time alone', async () => {
    const url = server.sign('/in/a b?.txt', 'GET', SOON);
    writeFileSync(join(folder, 'in', 'other.txt'), 'other');
    expect(await status(url.replace('a%20b%3F', 'other'))).toBe(404);
    expect((await put(url, 'mine now')).status).toBe(404);
    expect(await status(server.sign('/in/other.txt', 'PUT', SOON))).toBe(404);
    expect(await status(server.sign('/in/other.txt', 'GET', Date.now() - 1000))).toBe(404);
    const later = server
      .sign('/in/other.txt', 'GET', Date.now() - 1000)
      .replace(/golem-files\/[0-9a-z]+\./, 'golem-files/zzzzzz.');
    expect(await status(later)).toBe(404);
    expect(await status(`${server.url}/in/other.txt`)).toBe(404);
    expect(await status(server.url)).toBe(404);
  });

  test('no path leads out of the folder, nor to its secret', async () => {
    symlinkSync('/etc', join(folder, 'etc'));
    symlinkSync('/etc/hostname', join(folder, 'in', 'hostname'));
    const signed = (path: string) => server.sign(path, 'GET', SOON);
    for (const path of ['/../etc/hostname', '/in/../../etc/hostname', '/etc/hostname', '/in/hostname'])
      expect(await status(signed(path))).toBe(404);
    expect(await status(signed(`/${SECRET_FILE}`))).toBe(404);
    expect((await put(server.sign('/etc/golem-temporal-test', 'PUT', SOON), 'x')).status).toBe(404);
    expect((await put(server.sign(`/${SECRET_FILE}`, 'PUT', SOON), 'x')).status).toBe(404);
    expect(statSync(join(folder, SECRET_FILE)).mode & 0o077).toBe(0);
    symlinkSync(outside, join(folder, 'beyond'));
    symlinkSync(join(outside, 'none'), join(folder, 'nowhere'));
    for (const path of ['/beyond/made/x', '/nowhere/made/x'])
      expect((await put(server.sign(path, 'PUT', SOON), 'x')).status).toBe(404);
    expect(readdirSync(outside)).toEqual([]);
  });

  test('at its start nothing is left of what a killed worker was taking; what another takes stays', async () => {
    mkdirSync(join(folder, 'deep'), { recursive: true });
    const parts = ['.x.0123456789ab.part', '.y.0123456789ab.part', 'z.part'].map((name) =>
      join(folder, 'deep', name),
    );
    for (const part of parts) writeFileSync(part, 'x');
    const [left = '', , own = ''] = parts;
    for (const old of [left, own]) utimesSync(old, 0, 0);
    await (await startFileServer({ folder, port: 0 })).close();
    expect(readdirSync(join(folder, 'deep')).sort()).toEqual(['.y.0123456789ab.part', 'z.part']);
  });

  test('another that serves the folder, or one after a restart, takes its addresses', async () => {
    const other = await startFileServer({ folder, port: 0 });
    try {
      const url = server.sign('/in/a b?.txt', 'GET', SOON).replace(server.url, other.url);
      expect(await (await fetch(url)).text()).toBe('hello');
    } finally {
      await other.close();
    }
  });

  test('says what is wrong with where it is to be', async () => {
    const port = Number(new URL(server.url).port);
    await expect(startFileServer({ folder, port })).rejects.toThrow(/port \d+ is taken.*--files-listen/);
    await expect(startFileServer({ folder: join(folder, 'none') })).rejects.toThrow(/is no folder/);
  });

  test('what quotes an address is told without what makes it good', () => {
    const url = server.sign('/in/x', 'GET', SOON);
    expect(withoutPasses(`GET ${url}: 500`)).toBe(`GET ${server.url}/golem-files/***/in/x: 500`);
  });
});

describe('a job', () => {
  const folder = tempDir('job-files');
  let world: World;
  beforeAll(async () => {
    writeFileSync(join(folder, 'words.txt'), 'to be or not to be');
    world = await startWorld({ workerArgs: ['--files', folder, '--files-listen', '127.0.0.1:0'] });
  });
  afterAll(() => world.close());

  const SPEC = { image: 'golem/alpine:latest', budget: '1' };

  test('reads from the folder and writes to it, and no address gets into a history', async () => {
    const { jobId } = await world.golem.startJob({
      ...SPEC,
      tasks: [
        {
          commands: [
            { transfer: { from: 'files:/words.txt', to: '/golem/input/words.txt' } },
            'wc -w < /golem/input/words.txt > /golem/output/count',
            { transfer: { from: '/golem/output/count', to: 'files:/counts/words' } },
          ],
        },
      ],
    });
    expect((await world.golem.result(jobId)).state).toBe('done');
    expect(readFileSync(join(folder, 'counts', 'words'), 'utf8').trim()).toBe('6');
    await world.golem.settled(jobId);
    for (const id of [jobId, `${jobId}/rental/1`]) {
      const history = await world.client.workflow.getHandle(id).fetchHistory();
      const payloads = [...JSON.stringify(history).matchAll(/"data":"([^"]*)"/g)];
      const told = payloads.map(([, data = '']) => Buffer.from(data, 'base64').toString()).join('\n');
      expect(told.includes('files:/counts/words')).toBe(true);
      expect(told.includes('golem-files')).toBe(false);
    }
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });

  test('whose provider complains of an address shows none that is still good', async () => {
    const { jobId } = await world.golem.startJob({
      ...SPEC,
      tasks: [
        {
          maxAttempts: 1,
          commands: [{ transfer: { from: 'files:/none.txt', to: '/golem/input/none.txt' } }],
        },
      ],
    });
    const { tasks } = await world.golem.result(jobId);
    expect(tasks[0]).toMatchObject({ state: 'failed', failure: { type: 'CommandFailed' } });
    expect(JSON.stringify(tasks)).toContain('none.txt');
    expect(JSON.stringify(tasks)).not.toMatch(/golem-files\/[^*]/);
    await world.golem.settled(jobId);
  });
});

test('a worker that serves nothing refuses a job that reads its files, before it rents anything', async () => {
  const world = await startWorld();
  try {
    const tasks = [{ commands: [{ transfer: { from: 'files:/x', to: '/golem/input/x' } }] }];
    const { jobId } = await world.golem.startJob({ image: 'golem/alpine:latest', budget: '1', tasks });
    await expect(world.golem.result(jobId)).rejects.toThrow(
      /FilesNotServed: tasks\[0\]\.commands\[0\]\.transfer\.from: files:\/x: the worker serves no files.*--files/,
    );
    expect(await world.effects('demand-created')).toEqual([]);
  } finally {
    await world.close();
  }
});
