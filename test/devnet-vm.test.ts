import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { freePort } from '../cli/free-port';
import { tellsSignals } from '../devnet/vm/launch';
import { availableNamespaces } from '../devnet/vm/namespaced-machine';
import type { VmHostSettings } from '../devnet/vm';
import { burn, PROVIDER, REQUESTOR, sh, Vm, VmTestbed } from './support/vm-host';
import { VMS_HAVE_NODE } from './support/virtual-network';

type Isolation = 'private' | 'plain';
const isolations: Isolation[] = availableNamespaces() ? ['private', 'plain'] : ['plain'];

/** What test/support/vm-daemon.ts prints. */
interface DaemonReport {
  activityId: string;
  batchId: string;
  running: string;
  cpuSec: string;
}

describe.each(isolations)('a VM of the devnet (%s)', (isolation) => {
  let bed: VmTestbed;
  beforeAll(async () => {
    bed = await VmTestbed.start(settings(isolation));
  });
  afterAll(() => bed.close());

  test('says at the start how isolated its commands are', () => {
    expect(bed.log.join()).toMatch(isolation === 'plain' ? /unisolated/ : /private mounts/);
  });

  test('runs programs and gives their output as asked for', async () => {
    const vm = await bed.vm();
    const capture = (mode: object): object => ({
      run: {
        entry_point: '/bin/sh',
        args: ['-c', "printf 'abc\\377'; echo e >&2"],
        capture: { stdout: mode },
      },
    });
    const [none, text, binary, head, tail, both, part] = await vm.script([
      { run: { entry_point: '/bin/sh', args: ['-c', 'echo unheard'] } },
      capture({ atEnd: { format: 'string' } }),
      capture({ atEnd: { format: 'binary' } }),
      capture({ atEnd: { head: 2 } }),
      capture({ atEnd: { tail: 2, format: 'bin' } }),
      capture({ atEnd: { headTail: 2, format: 'bin' } }),
      capture({ atEnd: { part: { head: 2 }, format: 'str' } }),
    ]);
    expect(none).toMatchObject({ result: 'Ok', stdout: null, stderr: null, message: null });
    expect(text).toMatchObject({ stdout: 'abc\u00ff', stderr: null });
    expect(binary?.stdout).toEqual([97, 98, 99, 255]);
    expect(head?.stdout).toBe('ab');
    expect(tail?.stdout).toEqual([99, 255]);
    expect(both?.stdout).toEqual([97, 255]);
    expect(part?.stdout).toBe('abc\u00ff');
  });

  test('keeps a bounded amount of a flood of output', async () => {
    const vm = await bed.vm();
    const { stdout, result } = await vm.sh('head -c 12000000 /dev/zero | tr "\\0" x');
    expect(result).toBe('Ok');
    expect(stdout).toHaveLength(8 * 1024 * 1024);
  });

  test('gives megabytes of mixed output whole, by Latin-1 where it is no UTF-8, as recorded', async () => {
    const vm = await bed.vm();
    const { stdout } = await vm.sh("printf '\\377\\376bin'; head -c 3000000 /dev/zero | tr '\\0' x");
    expect(stdout).toHaveLength(3_000_005);
    expect(String(stdout).slice(0, 8)).toBe('\u00ff\u00febinxxx');
  });

  const afterSignal = (signal: number): number =>
    isolation === 'private' && tellsSignals() ? signal : 128 + signal;

  test('tells exit codes as programs give them, and signals, of which stderr says nothing', async () => {
    const vm = await bed.vm();
    for (const [text, code] of [
      ['exit 255', 255],
      ['/golem/work', 126],
      ['exec /no/such/program', 127],
      ['exit 137', 137],
      ['exit 139', 139],
      ['kill -SEGV $$', afterSignal(11)],
      ['kill -KILL $$', afterSignal(9)],
    ] as const) {
      const { result, message, stderr } = await vm.sh(text);
      expect([text, result, message]).toEqual([text, 'Error', `ExeScript command exited with code ${code}`]);
      if (code !== 126 && code !== 127) expect([text, stderr]).toEqual([text, null]);
    }
    expect(await vm.state()).toEqual({ state: ['Ready', null] });
  });

  test('ends programs that ignore signals, or have stopped, with the activity', async () => {
    const vm = await bed.vm();
    const mark = `7${process.pid}${isolations.indexOf(isolation)}`;
    await vm.untilReady(
      `trap '' TERM HUP INT; sleep ${mark}1 & kill -STOP $!; echo > ready; sleep ${mark}2; sleep ${mark}3`,
    );
    expect(await vm.call('DELETE')).toMatchObject({ status: 200 });
    expect(commandLines().filter((line) => line.includes(mark))).toEqual([]);
  });

  test('inherits nothing of the environment', async () => {
    const vm = await bed.vm();
    process.env.DEVNET_TEST_SECRET = 'must stay outside';
    try {
      const { stdout } = await vm.sh('env');
      expect(stdout).toMatch(/^PATH=/m);
      expect(stdout).not.toMatch(/SECRET|npm_|NODE_|JEST_/);
    } finally {
      delete process.env.DEVNET_TEST_SECRET;
    }
  });

  test('has its own /golem, which other VMs do not see', async () => {
    const [one, other] = await Promise.all([bed.vm(), bed.vm()]);
    await one.sh('echo of one > /golem/work/file; echo here > beside');
    expect(await one.sh('cat /golem/work/file /golem/work/beside; ls /golem')).toMatchObject({
      stdout: 'of one\nhere\ninput\noutput\nwork\n',
    });
    expect(await other.sh('cat /golem/work/file')).toMatchObject({
      result: 'Error',
      message: 'ExeScript command exited with code 1',
    });
    expect(await other.sh('ls -a /golem/work')).toMatchObject({ stdout: '.\n..\n' });
  });

  test('ends the script at a failing command, and takes another', async () => {
    const vm = await bed.vm();
    const results = await vm.script([
      sh('echo one'),
      sh('echo two; echo why >&2; exit 3'),
      sh('touch three'),
    ]);
    expect(results).toMatchObject([
      { index: 0, result: 'Ok', stdout: 'one\n', isBatchFinished: false },
      {
        index: 1,
        result: 'Error',
        stdout: 'two\n',
        stderr: 'why\n',
        message: 'ExeScript command exited with code 3',
        isBatchFinished: true,
      },
    ]);
    expect(await vm.state()).toEqual({ state: ['Ready', null] });
    expect(await vm.sh('ls')).toMatchObject({ result: 'Ok', stdout: null });
    expect(await vm.script([{ run: { entry_point: '/no/such/bin', args: [] } }])).toMatchObject([
      { message: 'ExeScript command exited with code 127' },
    ]);
  });

  test('survives a program that kills its own process group', async () => {
    const vm = await bed.vm();
    expect(await vm.sh('kill 0')).toMatchObject({
      message: `ExeScript command exited with code ${afterSignal(15)}`,
    });
    expect(await vm.sh('kill -9 $$')).toMatchObject({
      message: `ExeScript command exited with code ${afterSignal(9)}`,
    });
    expect(await vm.sh('echo alive')).toMatchObject({ stdout: 'alive\n' });
  });

  test('does not wait for what a command leaves running in the background', async () => {
    const vm = await bed.vm();
    expect(await vm.sh('sleep 600 & echo started')).toMatchObject({ result: 'Ok', stdout: 'started\n' });
  });

  test('shows the CPU time of a command while it runs and after it has ended', async () => {
    const vm = await bed.vm();
    const [idle] = (await vm.usage()).currentUsage ?? [];
    expect(idle).toBeLessThan(0.1);
    await vm.untilReady(`${burn(1)}; ${burn(1)}; echo > ready; sleep 600`);
    const [running = 0, durationSec = 0] = (await vm.usage()).currentUsage ?? [];
    expect(running).toBeGreaterThanOrEqual(1.95);
    expect(running).toBeLessThan(2.5);
    expect(durationSec).toBeGreaterThanOrEqual(running * 0.9);
    await vm.call('DELETE');
    const [final = 0] = (await vm.usage()).currentUsage ?? [];
    expect(final).toBeGreaterThanOrEqual(running);
    expect(Number(bed.host.usage(vm.activityId).cpuSec)).toBe(final);
    expect((await vm.usage()).currentUsage).toEqual((await vm.usage()).currentUsage);
  });

  test.each([1, 2])(
    'counts the CPU time of commands that are over, up to what %i threads can use',
    async (cpuThreads) => {
      const vm = await bed.vm({ cpuThreads });
      await vm.sh(`${burn(0.3)} & ${burn(0.3)}; wait`);
      const [cpuSec = 0, durationSec = 0] = (await vm.usage()).currentUsage ?? [];
      expect(cpuSec).toBeGreaterThanOrEqual(Math.min(0.55, cpuThreads * durationSec));
      expect(cpuSec).toBeLessThanOrEqual(cpuThreads * durationSec);
    },
  );

  test('leaves no process and no file behind when it is destroyed', async () => {
    const vm = await bed.vm();
    const mark = `9${process.pid}${isolations.indexOf(isolation)}`;
    await vm.untilReady(
      `sleep ${mark}1 & (setsid sleep ${mark}2 >/dev/null 2>&1 &); echo x > /golem/output/file;
       mkdir -p closed/to/all; touch closed/to/all/file; chmod 000 closed/to/all closed/to; chmod 444 closed;
       echo > ready; sleep ${mark}3`,
    );
    expect(commandLines().some((line) => line.includes(`sleep ${mark}`))).toBe(true);
    expect(await vm.call('DELETE')).toEqual({ status: 200, contentType: 'application/json', body: null });
    expect(commandLines().filter((line) => line.includes(mark))).toEqual([]);
    expect(readdirSync(join(bed.dataDir, 'vms'))).not.toContain(vm.activityId);
    expect(bed.destroyed).toContain(vm.activityId);
  });

  test('is stopped by `terminate`, and deployed afresh after it', async () => {
    const vm = await bed.vm();
    const [, stopped] = await vm.script([sh('echo x > file'), { terminate: {} }]);
    expect(stopped).toMatchObject({ result: 'Ok' });
    expect(await vm.state()).toEqual({ state: ['Initialized', null] });
    expect(await vm.sh('echo x')).toMatchObject({
      message: 'Local service error: State error: Activity is initialized - deploy() command is expected now',
    });
    await vm.script([{ deploy: {} }, { start: {} }]);
    expect(await vm.sh('ls')).toMatchObject({ result: 'Ok', stdout: null });
  });

  const noNode = VMS_HAVE_NODE ? '' : ' (skipped because VMs do not see this node)';
  (VMS_HAVE_NODE ? test : test.skip)(`is reached by its address in a virtual network${noNode}`, async () => {
    const net = { id: 'some', ip: '192.168.0.0', mask: '255.255.255.0', nodeIp: '192.168.0.2', nodes: {} };
    const vm = await bed.vm(
      {},
      { net: [net, { ...net, id: 'other', ip: '10.0.0.0/8', nodeIp: '10.1.2.3' }] },
    );
    const port = await freePort();
    const server = `require("net").createServer((socket) => socket.end("hello")).listen(${port}, () => console.log("up"))`;
    await vm.sh(`mkfifo up; '${process.execPath}' -e '${server}' >up & head -1 up`);
    const { signal } = new AbortController();
    for (const [network, ip] of [
      ['some', '192.168.0.2'],
      ['other', '10.1.2.3'],
    ] as const) {
      const found = bed.host.vmAt(network, PROVIDER.toUpperCase().replace('X', 'x'), ip);
      expect(found?.activityId).toBe(vm.activityId);
      const socket = await found?.connect(port, signal);
      expect(socket && (await text(socket))).toBe('hello');
      await expect(found?.connect(1, signal)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await expect(found?.connect(port, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
    }
    expect(bed.host.vmAt('some', PROVIDER, '10.1.2.3')).toBeUndefined();
    expect(bed.host.vmAt('some', REQUESTOR, '192.168.0.2')).toBeUndefined();
    await vm.call('DELETE');
    expect(bed.host.vmAt('some', PROVIDER, '192.168.0.2')).toBeUndefined();
  });

  // Without namespaces there is no one process that is the VM, and all processes see each other.
  if (isolation === 'private') {
    test('sees its own processes only, and cannot signal any other', async () => {
      const [one, other] = await Promise.all([bed.vm(), bed.vm()]);
      await one.untilReady('echo > ready; sleep 600');
      const { stdout } = await other.sh('cat /proc/[0-9]*/cmdline | tr "\\0" " "; kill -9 -1');
      expect(stdout).not.toMatch(/sleep 600|jest|node/);
      expect(await one.state()).toEqual({ state: ['Ready', 'Ready'] });
    });

    test('cannot change what it shares with this machine', async () => {
      const vm = await bed.vm();
      expect(await vm.sh('touch /usr/devnet-was-here')).toMatchObject({ result: 'Error' });
      expect(await vm.sh(`ls ${process.cwd()}`)).toMatchObject({ result: 'Error' });
    });

    const shared = '/opt';
    (isWritable(shared) ? test : test.skip)(
      "shows nothing of the devnet's own files, wherever they are",
      async () => {
        const dataDir = mkdtempSync(join(shared, 'devnet-vm-test-'));
        const inShared = await VmTestbed.start({}, dataDir);
        try {
          const [one, other] = await Promise.all([inShared.vm(), inShared.vm()]);
          await one.sh('echo secret > file');
          expect(await one.sh('cat /golem/work/file')).toMatchObject({ stdout: 'secret\n' });
          expect(await other.sh(`find ${dataDir}`)).toMatchObject({ stdout: `${dataDir}\n` });
        } finally {
          await inShared.close();
        }
      },
    );

    test('one that dies is Terminated, and its scripts stay unanswered', async () => {
      const vm = await bed.vm();
      const batchId = await vm.untilReady('echo > ready; sleep 600');
      const poll = vm.call('GET', `/exec/${batchId}?timeout=0.2&commandIndex=0`);
      process.kill(firstProcessOf(vm.activityId), 'SIGKILL');
      expect(await poll).toMatchObject({ status: 408, body: { message: 'Timeout' } });
      expect(await vm.state()).toEqual({
        state: ['Terminated', null],
        reason: 'execution aborted',
        errorMessage: 'exit code None',
      });
      expect(bed.destroyed).toContain(vm.activityId);
      expect(await vm.call('GET', `/exec/${batchId}?timeout=9`)).toMatchObject({ status: 500 });
      const agreementId = (await vm.call('GET', '/agreement')).body;
      expect(await bed.call('POST', '/activity', { agreementId })).toMatchObject({ status: 200 });
      expect(await vm.call('DELETE')).toMatchObject({ status: 200 });
      expect(await vm.state()).toEqual({ state: ['Terminated', null] });
    });
  }

  test('ends with a daemon that is killed; what its scripts had brought is there afterwards', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'devnet-vm-killed-'));
    const mark = `8${process.pid}${isolations.indexOf(isolation)}`;
    const daemon = spawn(
      process.execPath,
      [
        '-r',
        join(__dirname, 'support', 'typescript.js'),
        join(__dirname, 'support', 'vm-daemon.ts'),
        isolation,
        dataDir,
        mark,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      const [line] = (await once(daemon.stdout, 'data')) as [Buffer];
      const { activityId, batchId, running, cpuSec } = JSON.parse(line.toString()) as DaemonReport;
      expect(commandLines().some((text) => text.includes(mark))).toBe(true);
      daemon.kill('SIGKILL');
      await once(daemon, 'exit');
      await untilNoCommandHas(mark);
      await untilNoCommandHas(activityId);
      expect(readdirSync(join(dataDir, 'vms'))).toEqual([]);

      const again = await VmTestbed.start(settings(isolation), dataDir);
      try {
        expect(again.destroyed).toEqual([activityId]);
        const vm = new Vm(again, activityId);
        again.agreement();
        expect(await vm.state()).toEqual({
          state: ['Terminated', null],
          reason: 'execution aborted',
          errorMessage: 'exit code None',
        });
        expect(await vm.results(batchId)).toMatchObject([{ result: 'Ok', stdout: 'kept\n' }]);
        expect(await vm.call('GET', `/exec/${running}?timeout=9&commandIndex=0`)).toMatchObject({
          status: 500,
        });
        expect(Number(again.host.usage(activityId).cpuSec)).toBeGreaterThanOrEqual(Number(cpuSec));
        expect(readdirSync(dataDir)).not.toContain('vms');
      } finally {
        await again.shut();
      }
    } finally {
      daemon.kill('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});

function settings(isolation: Isolation): VmHostSettings {
  return isolation === 'plain' ? { isolation } : {};
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Of all processes, but for zombies. */
function commandLines(): string[] {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'stat=,args='], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => !line.startsWith('Z') && !line.includes('vm-daemon'));
}

/** The first process in a VM's namespaces, a shell that was given the VM's directory. */
function firstProcessOf(activityId: string): number {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,comm=,args='], { encoding: 'utf8' }).split('\n');
  const line = lines.find(
    (text) => /^ *\d+ sh /.test(text) && text.includes(activityId) && !text.includes('holder'),
  );
  return Number(line?.trim().split(' ')[0]);
}

/** A process that is not ours tells nobody of its end. */
async function untilNoCommandHas(mark: string): Promise<void> {
  while (commandLines().some((line) => line.includes(mark))) await nextTurn();
}
