/** The command where Temporal's SDK is not installed: it is a peer, which the devnet does without. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireBuild, runCli, startCli, type CliRun } from './support/cli';
import { tempDir } from './support/temp-dir';

const folder = tempDir('without-temporal');
const NOT_THERE = join(folder, 'not-there.cjs');
const env = { NODE_OPTIONS: `--require ${NOT_THERE}`, YAGNA_APPKEY: 'key' };

beforeAll(async () => {
  requireBuild();
  await writeFile(
    NOT_THERE,
    `const Module = require('node:module');
     const resolve = Module._resolveFilename;
     Module._resolveFilename = (name, ...rest) => {
       if (!name.startsWith('@temporalio/')) return resolve(name, ...rest);
       const stack = 'Require stack:\\n- somewhere';
       throw Object.assign(new Error(\`Cannot find module '\${name}'\\n\${stack}\`), { code: 'MODULE_NOT_FOUND' });
     };`,
  );
});

const run = (...args: string[]): Promise<CliRun> => runCli(args, { env });

test('the devnet starts, is steered and stopped', async () => {
  const devnet = await startCli(['devnet', '--port', '0', '--data', join(folder, 'devnet')], env);
  try {
    const adminUrl = (await devnet.line(/^devnet admin API/)).split(' ').at(-1)!;
    await devnet.line(/^devnet ready/);
    expect(await run('devnet', 'open', '--admin-url', adminUrl)).toEqual({
      ...{ code: 0, stderr: '', stdout: 'allocations: 0, demands: 0, agreements: 0, activities: 0\n' },
    });
  } finally {
    expect(await devnet.stop(60_000)).toEqual({ code: 0, signal: null });
  }
});

test.each([['--help'], ['worker --help'], ['schema job'], ['schema providers']])('%s works', async (args) => {
  expect(await run(...args.split(' '))).toMatchObject({ code: 0, stderr: '' });
});

test.each([['worker'], ['start spec.json'], ['ui'], ['watch x'], ['result x'], ['events x'], ['cancel x']])(
  '%s says in one line what to install',
  async (args) => {
    const { code, stdout, stderr } = await run(...args.split(' '));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^golem-temporal: this command needs Temporal's SDK, and @temporalio\/\w+ is not installed: npm install @temporalio\/activity@1 .*@temporalio\/workflow@1\n$/,
    );
  },
);
