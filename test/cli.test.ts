import type { Child } from '../cli/child-process';
import { startDevnet } from '../devnet';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireBuild, runCli, startCli } from './support/cli';
import { Requestor } from './support/devnet-requestor';
import { tempDir } from './support/temp-dir';
import { temporalAddress } from './support/temporal';

beforeAll(requireBuild);
const folder = tempDir('cli');

/** One line to stderr, nothing to stdout. */
function expectRefusal(
  run: { code: number | null; stdout: string; stderr: string },
  code: number,
  line: RegExp,
): void {
  expect(run.stderr.trim().split('\n')).toHaveLength(1);
  expect(run.stderr).toMatch(line);
  expect(run).toMatchObject({ code, stdout: '' });
}

describe('golem-temporal', () => {
  test('tells its version and its commands', async () => {
    expect((await runCli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = await runCli(['--help']);
    expect(help.code).toBe(0);
    for (const command of ['worker', 'devnet', 'start', 'watch', 'result', 'events', 'cancel', 'schema']) {
      expect(help.stdout).toContain(`  ${command}`);
    }
  });

  test('a command it does not have, or without its argument, ends with code 2', async () => {
    expect(await runCli(['frobnicate'])).toMatchObject({ code: 2, stdout: '' });
    expect(await runCli(['start'])).toMatchObject({ code: 2, stdout: '' });
    expect(await runCli(['devnet', '--port', 'http'])).toMatchObject({ code: 2, stdout: '' });
    for (const args of [
      ['frobnicate'],
      ['--frob'],
      ['devnet', '--port', 'http'],
      ['devnet', 'node', 'a', 'b'],
    ])
      expect((await runCli(args)).stderr).toMatch(/^golem-temporal: .*\n\(see golem-temporal.* --help\)\n$/);
  });

  test('a spec file that is not there or not JSON is refused in one line, before Temporal is asked', async () => {
    const env = { TEMPORAL_ADDRESS: '127.0.0.1:1' };
    expectRefusal(await runCli(['start', join(folder, 'none.json')], { env }), 2, /there is no such file/);
    expectRefusal(
      await runCli(['start', '-'], { env, input: '{\n  "image": x' }),
      2,
      /standard input is not JSON: line 2, column 12: invalid symbol/,
    );
    expectRefusal(
      await runCli(['start', '-'], { env, input: '[]' }),
      2,
      /must hold one object, in YAML or JSON/,
    );
  });

  test('without Temporal it says what to start', async () => {
    const input = JSON.stringify({ image: 'golem/alpine:latest', budget: '1', tasks: ['true'] });
    const run = await runCli(['start', '-'], { env: { TEMPORAL_ADDRESS: '127.0.0.1:1' }, input });
    expectRefusal(run, 1, /no Temporal server answers at 127\.0\.0\.1:1: start one with/);
  });

  test('what no worker would take is refused before Temporal is asked, by its name and with what to do', async () => {
    const env = { TEMPORAL_ADDRESS: '127.0.0.1:1', YAGNA_APPKEY: 'key' };
    const key = join(folder, 'key.json');
    const { stdout } = await runCli(['key', key]);
    const to = stdout.trim();
    const rent = ['rent', '--image', 'golem/alpine:latest', '--budget', '1'];
    const grant = ['grant', 'x', to, '--may', 'all', '--key', key];
    const refused: [string[], RegExp][] = [
      [['rent', '--image', 'a b', '--budget', '-1'], /InvalidJobSpec:\nbudget: .*\nimage: .*\nCorrect the/],
      [[...rent, '--id', 'a/b c'], /no spaces and slashes/],
      [[...rent, '--id', ''], /an id has letters, digits/],
      [[...rent, '--task-queue', ''], /'--task-queue <name>' argument '' is invalid\. it is empty/],
      [['worker', '--task-queue', ' '], /'--task-queue <name>' argument ' ' is invalid/],
      [['exec', '', '--', 'ls'], /for argument 'rental'\. it is empty/],
      [['detach', ''], /invalid for argument 'rental'/],
      [['watch', ''], /invalid for argument 'id'/],
      [['grant'], /missing required argument 'rental'/],
      [['revoke'], /missing required argument 'rental'/],
      [['revoke', 'x', to], /required option '--key <file>' not specified/],
      [
        [...grant, '--until', 'yesterday'],
        /a duration, .* such as 2h, or a time such as 2030-01-31T12:00:00Z/,
      ],
      [
        [...grant, '--until', '2026-12-01'],
        /a duration, .* such as 2h, or a time such as 2030-01-31T12:00:00Z/,
      ],
      [['key', ''], /no file is named for the private key/],
      [['key', join(folder, 'no', 'key.json')], /cannot write .*: its folder is not there/],
      [['key', join(key, 'in')], /cannot write .*: what it is to be in is no folder/],
      [
        ['worker', '--files-listen', '0.0.0.0:7480'],
        /--files-listen says how .*: name the folder with --files/,
      ],
      [
        ['worker', '--files-url', 'https://a.example'],
        /--files-url says how .*: name the folder with --files/,
      ],
    ];
    await Promise.all(
      refused.map(async ([args, complaint]) => {
        const run = await runCli(args, { env });
        expect([args, run]).toEqual([
          args,
          { code: 2, stdout: '', stderr: expect.stringMatching(complaint) as string },
        ]);
      }),
    );
    const avoid = join(folder, 'no', 'avoid.jsonl');
    const worker = { ...env, YAGNA_API_URL: 'http://127.0.0.1:1', TEMPORAL_ADDRESS: temporalAddress() };
    expectRefusal(
      await runCli(['worker', '--avoid', avoid], { env: worker }),
      2,
      /avoid\.jsonl: its folder is not there/,
    );
  });

  test('a worker that has no yagna says what to set, before it polls', async () => {
    const env = { TEMPORAL_ADDRESS: temporalAddress(), YAGNA_APPKEY: '', GOLEM_CONNECTIONS: '' };
    expectRefusal(await runCli(['worker'], { env }), 2, /no yagna to work with: set YAGNA_APPKEY/);
  });

  test('a worker without Temporal, or in a namespace that is none, says so as the other commands do', async () => {
    const yagna = { YAGNA_APPKEY: 'key', YAGNA_API_URL: 'http://127.0.0.1:1' };
    const nowhere = { ...yagna, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    expectRefusal(
      await runCli(['worker'], { env: nowhere }),
      1,
      /no Temporal server answers at 127\.0\.0\.1:1/,
    );
    const none = { ...yagna, TEMPORAL_ADDRESS: temporalAddress(), TEMPORAL_NAMESPACE: 'none' };
    expectRefusal(await runCli(['worker'], { env: none }), 2, /Temporal has no namespace none/);
    const noUrl = { ...yagna, TEMPORAL_ADDRESS: temporalAddress(), YAGNA_API_URL: '127.0.0.1:7465' };
    expectRefusal(
      await runCli(['worker'], { env: noUrl }),
      2,
      /YAGNA_API_URL and YAGNA_APPKEY: url: must be/,
    );
  });

  test('a worker whose yagna does not answer or refuses the key says so at once, and is ready all the same', async () => {
    const devnet = await startDevnet({ providers: [{ name: 'one' }] });
    let worker: Child | undefined;
    try {
      const env = { TEMPORAL_ADDRESS: temporalAddress(), YAGNA_API_URL: devnet.url, YAGNA_APPKEY: 'wrong' };
      const said = new Promise<string>((resolve) => {
        void startCli(['worker', '--task-queue', 'trouble'], env, resolve).then((child) => (worker = child));
      });
      expect(await said).toMatch(
        /WARN connection default: yagna at .* refuses the app key \(401\): Invalid application key/,
      );
      await worker?.line(/^worker ready/);
    } finally {
      await worker?.stop();
      await devnet.close();
    }
  });

  test('an id that no job has ends with code 2', async () => {
    const env = { TEMPORAL_ADDRESS: temporalAddress() };
    for (const command of ['watch', 'result', 'events', 'cancel']) {
      expectRefusal(await runCli([command, 'no-such-job'], { env }), 2, /there is no job no-such-job/);
    }
  });

  test('the schemas of a job and of a file of providers are JSON', async () => {
    const { stdout } = await runCli(['schema', 'job']);
    expect(JSON.parse(stdout)).toMatchObject({
      type: 'object',
      required: expect.arrayContaining(['image', 'budget']),
    });
    const providers = await runCli(['schema', 'providers']);
    expect(JSON.parse(providers.stdout)).toHaveProperty('anyOf');
    expectRefusal(await runCli(['schema', 'frob']), 2, /there is no schema of frob/);
  });

  describe('devnet', () => {
    test('prints one ready line, warns on stderr, and ends cleanly when told to', async () => {
      const warnings: string[] = [];
      const args = ['devnet', '--port', '0', '--data', join(folder, 'devnet'), '--app-key', 'secret'];
      const devnet = await startCli(args, {}, (line) => void warnings.push(line));
      const line = await devnet.line(/ready/);
      expect(line).toMatch(/^devnet ready at http:\/\/127\.0\.0\.1:\d+, app key secret$/);
      const url = line.split(/[ ,]/)[3]!;
      const page = (await devnet.line(/^devnet page at/)).split(' ').at(-1)!;
      expect(await (await fetch(page)).text()).toContain('<title>Golem devnet</title>');
      expect((await fetch(`${url}/me`)).status).toBe(401);
      expect((await fetch(`${url}/me`, { headers: { authorization: 'Bearer secret' } })).status).toBe(200);

      const port = new URL(url).port;
      const second = (...flags: string[]): ReturnType<typeof runCli> =>
        runCli(['devnet', '--data', join(folder, 'second'), ...flags]);
      const inUse = (flag: string): RegExp =>
        new RegExp(`port ${port} is in use, perhaps by a devnet that runs already: .* with ${flag}$`, 'm');
      // Its own port is named, also where that of its admin API is taken too.
      expectRefusal(await second('--port', port, '--admin-port', new URL(page).port), 2, inUse('--port'));
      expectRefusal(await second('--port', '0', '--admin-port', port), 2, inUse('--admin-port'));
      expectRefusal(await second('--port', '0', '--node', `bob:${port}`), 2, inUse('--node'));
      expect(await devnet.stop(60_000)).toEqual({ code: 0, signal: null });
      expect(warnings).toEqual([
        expect.stringMatching(/run on this machine, (with private mounts|unisolated)/),
      ]);
    });

    test('says in one line why it cannot use an address or a folder', async () => {
      const file = join(folder, 'file');
      await writeFile(file, '');
      const run = (...args: string[]): ReturnType<typeof runCli> =>
        runCli(['devnet', '--port', '0', ...args]);
      const data = ['--data', join(folder, 'unused')];
      expectRefusal(
        await run(...data, '--host', '203.0.113.7'),
        2,
        /--host 203\.0\.113\.7: it is no address of/,
      );
      expectRefusal(await run(...data, '--host', 'no such host'), 2, /cannot listen on --host no such host/);
      expectRefusal(await run('--data', file), 2, /--data \S+ cannot be used: it is a file/);
      expectRefusal(await run('--data', join(file, 'in')), 2, /it is a file, or lies in one/);
      expectRefusal(await run('--data', '/proc/foo/bar'), 2, /--data \/proc\/foo\/bar cannot be used/);
    });

    test('starts with the keys, money, images, rounds of offers and memory that its flags say', async () => {
      const providers = join(folder, 'one.json');
      await writeFile(providers, JSON.stringify([{ name: 'one' }]));
      const devnet = await startCli([
        ...['devnet', '--port', '0', '--data', join(folder, 'flags'), '--providers', providers],
        ...['--app-key', 'first', '--app-key', 'second', '--node', 'bob:0:bobs'],
        ...['--funds', '2.5', '--payment-cycle', '0', '--rebroadcast', '0.2', '--retention', '0.1'],
        ...['--image', 'me/renderer:v2', '--image', 'me/tool'],
      ]);
      const bob = (await devnet.line(/^node bob at/)).split(/[ ,]/)[3]!;
      const adminUrl = (await devnet.line(/^devnet admin API/)).split(' ').at(-1)!;
      const ready = await devnet.line(/ready/);
      expect(ready).toMatch(/, app keys first, second$/);
      const url = ready.split(/[ ,]/)[3]!;
      const requestors = [new Requestor(url, 'first', adminUrl), new Requestor(url, 'second')];
      for (const requestor of [...requestors, new Requestor(bob, 'bobs')]) {
        const { json } = await requestor.post('/payment-api/v1/allocations', { totalAmount: '3' });
        expect(json.availableFunds).toBe('2.5');
      }
      const [first] = requestors as [Requestor, Requestor];
      for (const [tag, status] of [
        ['me/renderer:v2', 200],
        ['me/tool', 200],
        ['me/other', 404],
      ] as const)
        expect([tag, (await first.get(`/registry/v1/image/info?tag=${tag}`)).status]).toEqual([tag, status]);

      // Refused, but not for good, and offered to again in the next round.
      const demandId = await first.subscribe();
      const [offer] = await first.events(demandId);
      const nowhere = { 'golem.com.payment.chosen-platform': undefined };
      const refusal = await first.negotiate(demandId, offer.proposal.proposalId as string, nowhere);
      expect(refusal.eventType).toBe('ProposalRejectedEvent');
      expect(await first.events(demandId)).toMatchObject([{ eventType: 'ProposalEvent' }]);
      let oldest: { seq: number };
      do [oldest] = await first.admin('/effects');
      while (oldest!.seq === 1);
      expect(await devnet.stop(60_000)).toEqual({ code: 0, signal: null });
    });

    test.each([
      [['--funds', '-1'], /'--funds <glm>' argument '-1' is invalid\. an amount of GLM/],
      [['--funds', '1e3'], /an amount of GLM, 0 or more, with up to 18 decimals/],
      [['--funds', '1000000001'], /funds: give a decimal from 0 to 1000000000/],
      [['--retention', 'long'], /'--retention <sec>' argument 'long' is invalid\. a number of seconds/],
      [['--rebroadcast', '-1'], /'--rebroadcast <sec>' argument '-1' is invalid\. a number of seconds/],
      [
        ['--image', 'renderer'],
        /'--image <tag>' argument 'renderer' is invalid\. an image is given as user\/name/,
      ],
      [['--app-key', ''], /an app key is not empty/],
      [['--node', 'bob:0:'], /an app key is not empty/],
    ])('refuses %s', async (flags, complaint) => {
      const run = await runCli(['devnet', '--port', '0', '--data', join(folder, 'unused'), ...flags]);
      expect(run).toMatchObject({ code: 2, stdout: '' });
      expect(run.stderr.split('\n')[0]).toMatch(complaint);
    });

    test('lists the mistakes in a providers file', async () => {
      const file = join(folder, 'providers.json');
      await writeFile(file, JSON.stringify([{ name: 'a', cores: 3 }]));
      const run = await runCli(['devnet', '--port', '0', '--providers', file, '--data', join(folder, 'bad')]);
      expect(run).toMatchObject({ code: 2, stdout: '' });
      expect(run.stderr).toContain('providers[0].cores: no such setting');
    });

    test.each([
      ['', 'it is a folder'],
      ['none.json', 'there is no such file'],
      ['comma.json', 'it is not JSON: line 3, column 1: value expected'],
    ])('says what is wrong with a providers file that cannot be read: %s', async (name, reason) => {
      await writeFile(join(folder, 'comma.json'), '[\n  { "name": "a" },\n]\n');
      const file = join(folder, name);
      const run = await runCli(['devnet', '--port', '0', '--providers', file, '--data', join(folder, 'bad')]);
      expect(run).toEqual({
        ...{ code: 2, stdout: '' },
        stderr: `golem-temporal: ${file} cannot be used:\n  ${reason}\n`,
      });
    });
  });
});
