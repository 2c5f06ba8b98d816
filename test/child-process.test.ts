import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startChild } from '../cli/child-process';
import { tempDir } from './support/temp-dir';

const folder = tempDir('child');

/** One that has ended and waits for its parent to notice counts as gone. */
function isAlive(pid: number): boolean {
  const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
  return state !== '' && !state.startsWith('Z');
}

/** A process that is not ours tells nobody of its end. */
async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
}

describe('child processes', () => {
  test('give their lines and their exit code', async () => {
    const lines: string[] = [];
    const child = await startChild('/bin/sh', ['-c', 'echo one; echo two; exit 3'], {
      onStdout: (line) => lines.push(line),
    });
    expect(await child.line(/^two$/)).toBe('two');
    expect(await child.exited).toEqual({ code: 3, signal: null });
    expect(lines).toEqual(['one', 'two']);
  });

  test('one that ends before the awaited line says why', async () => {
    const child = await startChild('/bin/sh', ['-c', 'echo no such port >&2; exit 1']);
    await expect(child.line(/ready/)).rejects.toThrow(/exit code 1\s+no such port/);
  });

  test('stop ends one that ignores SIGTERM, with all it started', async () => {
    const child = await startChild('/bin/sh', ['-c', "trap '' TERM; sleep 1000 & echo $!; wait; wait"]);
    const grandchild = Number(await child.line(/^\d+$/));
    await child.stop(50);
    expect(child.running).toBe(false);
    await untilGone(grandchild);
  });

  test('a parent that is killed with SIGKILL leaves none behind', async () => {
    // The parent is a process of its own that starts a child and prints its pid.
    const source = join(__dirname, '..', 'cli', 'child-process.ts');
    const program = `
      const { transformFileSync } = require('@swc/core');
      const module_ = { exports: {} };
      const { code } = transformFileSync(${JSON.stringify(source)}, { module: { type: 'commonjs' }, jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, swcrc: false });
      new Function('module', 'exports', 'require', code)(module_, module_.exports, require);
      module_.exports.startChild('/bin/sh', ['-c', 'echo $$ > pid; mkfifo gone; echo started; read _ < gone'], { cwd: ${JSON.stringify(folder)} })
        .then((child) => child.line(/started/).then(() => console.log(String(child.pid))));
      setInterval(() => {}, 1000);
    `;
    const parent = spawn(process.execPath, ['-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: join(__dirname, '..'),
    });
    const closed = once(parent, 'close');
    const [output] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(output.toString());
    const wasAlive = isAlive(pid);
    parent.kill('SIGKILL');
    await closed;
    expect(wasAlive).toBe(true);
    await untilGone(pid);
  });
});
