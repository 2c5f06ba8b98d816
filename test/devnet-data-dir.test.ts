/** The folder of a devnet's state: never shared, and nothing left of a start that failed or a process that just ended. */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DataDirError, startDevnet } from '../devnet';
import { requireBuild, runCli, startCli } from './support/cli';
import { withDevnet } from './support/devnet-requestor';
import { tempDir } from './support/temp-dir';

const folder = tempDir('data-dir');
beforeAll(requireBuild);

it('is for one devnet at a time', async () => {
  const dataDir = join(folder, 'taken');
  const first = await startDevnet({ dataDir });
  await expect(startDevnet({ dataDir })).rejects.toThrow(DataDirError);
  const second = await runCli(['devnet', '--port', '0', '--data', dataDir]);
  expect(second).toMatchObject({ code: 2, stdout: '' });
  expect(second.stderr).toBe(
    `golem-temporal: ${dataDir} is in use by another devnet: stop that one, or give this one another folder, with --data\n`,
  );
  expect(first.open().counts.allocations).toBe(0);
  await first.close();
  await (await startDevnet({ dataDir })).close();
});

it('holds all of the state in its one file when the devnet has ended', async () => {
  const dataDir = join(folder, 'whole');
  const devnet = await startDevnet({ dataDir });
  await devnet.close();
  const log = statSync(join(dataDir, 'devnet.sqlite-wal'), { throwIfNoEntry: false });
  expect(log?.size ?? 0).toBe(0);
});

it('is named when its state cannot be read, and left as it is', async () => {
  const dataDir = join(folder, 'broken');
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'devnet.sqlite'), 'something else '.repeat(1000));
  await expect(startDevnet({ dataDir })).rejects.toThrow(/broken holds a broken devnet\.sqlite/);
  expect(readdirSync(dataDir)).toContain('devnet.sqlite');
});

describe('--fresh', () => {
  it('begins with nothing, also where the state is broken', async () => {
    const dataDir = join(folder, 'used');
    await withDevnet({ dataDir }, async (requestor) => {
      await requestor.allocate();
    });
    mkdirSync(join(dataDir, 'vms', 'left'), { recursive: true });
    await withDevnet({ dataDir }, async (_requestor, devnet) => {
      expect(devnet.open().counts.allocations).toBe(1);
      const taken = await runCli(['devnet', '--port', '0', '--data', dataDir, '--fresh']);
      expect([taken.code, taken.stderr]).toEqual([2, expect.stringContaining('in use by another devnet')]);
      expect(devnet.open().counts.allocations).toBe(1);
    });
    const fresh = await startCli(['devnet', '--port', '0', '--data', dataDir, '--fresh']);
    const adminUrl = (await fresh.line(/^devnet admin API/)).split(' ').at(-1)!;
    expect(await (await fetch(`${adminUrl}/effects`)).json()).toMatchObject([
      { seq: 1, kind: 'node-started' },
    ]);
    expect(await fresh.stop(60_000)).toEqual({ code: 0, signal: null });

    writeFileSync(join(dataDir, 'devnet.sqlite'), 'something else '.repeat(1000));
    await withDevnet({ dataDir, fresh: true }, async (_requestor, devnet) => {
      expect(devnet.open().counts.allocations).toBe(0);
      await Promise.resolve();
    });
    await withDevnet({ dataDir: join(folder, 'none', 'yet'), fresh: true }, () => Promise.resolve());
  });

  it.each([
    ['other files beside it', ['devnet.sqlite', 'notes.txt'], 'notes.txt'],
    ['VMs of somebody', ['vms'], 'vms'],
    ['other files only', ['a'], 'a'],
  ])('touches nothing where there are %s', async (_what, names, named) => {
    const dataDir = join(folder, names.join('-'));
    mkdirSync(dataDir);
    for (const name of names) writeFileSync(join(dataDir, name), '');
    const refused = await runCli(['devnet', '--port', '0', '--data', dataDir, '--fresh']);
    expect(refused).toEqual({
      ...{ code: 2, stdout: '' },
      stderr: `golem-temporal: ${dataDir} is not emptied, for ${named} may be no devnet's: give another folder, with --data\n`,
    });
    expect(readdirSync(dataDir)).toEqual(names);
  });
});

it('does not stay when a start fails that would have made it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dataDir = join(folder, 'never', 'there');
  await expect(startDevnet({ dataDir, port })).rejects.toThrow(/EADDRINUSE/);
  expect(existsSync(dataDir)).toBe(false);

  const bad = join(folder, 'bad.json');
  writeFileSync(bad, '[{}]');
  const busy = ['--port', String(port), '--admin-port', '0'];
  for (const flags of [busy, ['--port', '0', '--providers', bad]]) {
    const outer = join(folder, 'outer');
    expect((await runCli(['devnet', ...flags, '--data', join(outer, 'inner')])).code).toBe(2);
    expect(existsSync(outer)).toBe(false);
  }
  server.close();
});

it('goes with a process that ends without closing its devnet, when it was temporary', async () => {
  const temp = join(folder, 'temp');
  mkdirSync(temp);
  const program = `
    require(${JSON.stringify(join(__dirname, '..', 'dist', 'devnet'))})
      .startDevnet({ providers: [{ name: 'one' }] })
      .then(() => { console.log(require('node:fs').readdirSync(${JSON.stringify(temp)}).length); process.exit(3); });`;
  const child = spawn(process.execPath, ['-e', program], { env: { ...process.env, TMPDIR: temp } });
  const [[printed], [code]] = await Promise.all([once(child.stdout, 'data'), once(child, 'exit')]);
  expect([String(printed), code]).toEqual(['1\n', 3]);
  expect(readdirSync(temp)).toEqual([]);
});

it('is taken back in order when the command is told to end while it starts', async () => {
  const temp = join(folder, 'interrupted');
  const dataDir = join(temp, 'data');
  mkdirSync(dataDir, { recursive: true });
  const watcher = watch(dataDir);
  const begun = once(watcher, 'change');
  const devnet = await startCli(['devnet', '--port', '0', '--data', dataDir], { TMPDIR: temp });
  await begun;
  watcher.close();
  expect(await devnet.stop(60_000)).toEqual({ code: 0, signal: null });
  expect(readdirSync(temp)).toEqual(['data']);
});
