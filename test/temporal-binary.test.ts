import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cachedTemporalPath, findTemporalBinary } from '../cli/temporal-binary';
import { tempDir } from './support/temp-dir';

const folder = tempDir('binary');

/** A new PATH of one folder with these programs, and an empty cache. */
async function machine(name: string, programs: Record<string, string>): Promise<NodeJS.ProcessEnv> {
  const bin = join(folder, name, 'bin');
  await mkdir(bin, { recursive: true });
  for (const [program, script] of Object.entries(programs)) {
    await writeFile(join(bin, program), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, program), 0o755);
  }
  return { PATH: bin, GOLEM_TEMPORAL_CACHE: join(folder, name, 'cache') };
}

/** Stands in for Go: counts its runs and leaves a program where `go install` would. */
const GO = 'echo run >> "${0%/bin/go}/runs"; echo "#!/bin/sh" > "$GOBIN/temporal"';

describe("Temporal's binary", () => {
  test('on PATH is taken as it is', async () => {
    const env = await machine('path', { temporal: 'exit 0' });
    expect(await findTemporalBinary({ env })).toBe(join(folder, 'path', 'bin', 'temporal'));
  });

  test.each([
    ['a cache folder of the user', { XDG_CACHE_HOME: '/some/cache' }, '/some/cache/golem-temporal'],
    ['none', {}, join(homedir(), '.cache', 'golem-temporal')],
    ['an empty one', { XDG_CACHE_HOME: '' }, join(homedir(), '.cache', 'golem-temporal')],
    ['a relative one', { XDG_CACHE_HOME: 'cache' }, join(homedir(), '.cache', 'golem-temporal')],
    ['one of its own that is relative', { GOLEM_TEMPORAL_CACHE: 'mine' }, join(process.cwd(), 'mine')],
    ['an empty one of its own', { GOLEM_TEMPORAL_CACHE: '' }, join(homedir(), '.cache', 'golem-temporal')],
  ])('is kept where the environment says, with %s', (_, env, cache) => {
    expect(cachedTemporalPath(env)).toBe(join(cache, 'bin', 'temporal'));
  });

  test('is built once, also for callers at the same time, and then taken from the cache', async () => {
    const env = await machine('build', { go: GO });
    const found = await Promise.all([1, 2].map(() => findTemporalBinary({ env, download: false })));
    const cached = join(folder, 'build', 'cache', 'bin', 'temporal');
    expect(found).toEqual([cached, cached]);
    expect(await findTemporalBinary({ env, download: false })).toBe(cached);
    expect(await readFile(join(folder, 'build', 'runs'), 'utf8')).toBe('run\n');
  });

  test.each([
    ['a holder of the lock that was killed', 'killed', '4194304'],
    ['an empty lock', 'empty', ''],
    ['a lock that holds no pid', 'garbled', 'x'],
  ])('%s holds nobody up', async (_what, name, content) => {
    const env = await machine(name, { go: GO });
    const cached = cachedTemporalPath(env);
    await mkdir(join(folder, name, 'cache', 'bin'), { recursive: true });
    await writeFile(`${cached}.lock`, content);
    expect(await findTemporalBinary({ env, download: false })).toBe(cached);
  });

  test('where none can be had, the error says what to install', async () => {
    const env = await machine('none', { go: 'echo "go: no network" >&2; exit 1' });
    await expect(findTemporalBinary({ env, download: false })).rejects.toThrow(
      /Install it so that `temporal` is on PATH[^]*build with Go: go: no network/,
    );
  });
});
