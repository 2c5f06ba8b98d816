/** The commands that steer a devnet that runs. */
import { startDevnet, type Devnet } from '../devnet';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { requireBuild, runCli, spawnCli, startCli, type CliRun } from './support/cli';
import { Requestor } from './support/devnet-requestor';

let devnet: Devnet;
let alice: Requestor;
beforeAll(async () => {
  requireBuild();
  devnet = await startDevnet({ providers: [{ name: 'one' }, { name: 'two' }], nodes: [{ name: 'bob' }] });
  alice = new Requestor(devnet.url, devnet.appKey);
});
afterAll(() => devnet.close());

const run = (...args: string[]): Promise<CliRun> =>
  runCli(['devnet', ...args], { env: { DEVNET_ADMIN_URL: devnet.adminUrl } });

/** Exit code 0, and what it prints. */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect([code, stderr]).toEqual([0, '']);
  return stdout.trimEnd();
}

async function refused(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect([code, stdout]).toEqual([2, '']);
  return stderr;
}

describe('golem-temporal devnet fault', () => {
  it('arms what the flags say, lists it, and takes it back', async () => {
    const flags =
      '--node bob --provider two --nth 2 --times 0 --probability 0.5 --seed 7 --status 504 --message no';
    const id = await done(
      'fault',
      'arm',
      'getAgreement',
      'answer',
      ...flags.split(' '),
      '--body',
      '{"a": 1}',
    );
    const more = await done(
      ...['fault', 'arm', 'provider.run', 'fail', '--exit-code', '7', '--message', 'no disk'],
    );
    const others = [
      await done('fault', 'arm', 'provider.invoice', 'tooMuch', '--factor', '3'),
      await done('fault', 'arm', 'provider.negotiate', 'refuse', '--final'),
      await done('fault', 'arm', 'exec', 'answerAfter', '--body', 'plain text'),
      await done('fault', 'arm', 'exec', 'delay', '--sec', '1.5'),
    ];
    expect(devnet.faults.list().map((armed) => [armed.id, armed.fault])).toEqual([
      [
        id,
        {
          ...{ on: 'getAgreement', do: 'answer', node: 'bob', provider: 'two', nth: 2, times: 0 },
          ...{ probability: 0.5, seed: 7, status: 504, message: 'no', body: { a: 1 } },
        },
      ],
      [
        more,
        {
          ...{ on: 'provider.run', do: 'fail', nth: 1, times: 1, probability: 1 },
          ...{ exitCode: 7, message: 'no disk' },
        },
      ],
      ...[
        { on: 'provider.invoice', do: 'tooMuch', factor: 3 },
        { on: 'provider.negotiate', do: 'refuse', isFinal: true },
        { on: 'exec', do: 'answerAfter', body: 'plain text' },
        { on: 'exec', do: 'delay', sec: 1.5 },
      ].map((fault, i) => [others[i], { ...fault, nth: 1, times: 1, probability: 1 }]),
    ]);
    const list = (await done('fault', 'list')).split('\n');
    expect(list).toHaveLength(6);
    expect(list[0]).toMatch(new RegExp(`^${id}  answer on getAgreement  node=bob  .*no match yet$`));
    const path = await done('fault', 'arm', 'GET /registry/*', 'dropBefore');
    expect(devnet.faults.list().at(-1)?.fault).toMatchObject({ on: 'GET /registry/*', do: 'dropBefore' });
    await done('fault', 'clear', path);
    await done('fault', 'clear', id);
    expect(devnet.faults.list().map((armed) => armed.id)).toEqual([more, ...others]);
    await done('fault', 'clear');
    expect(await done('fault', 'list')).toBe('');
  });

  it('lists how often a fault has acted, and could have', async () => {
    await done('fault', 'arm', 'getVersion', 'answer', '--status', '500', '--nth', '2');
    for (const status of [200, 500]) expect((await alice.get('/version/get')).status).toBe(status);
    expect(await done('fault', 'list')).toMatch(/ acted on 1 of 2 matches$/);
    await done('fault', 'clear');
  });

  it('names every operation, with what can happen there', async () => {
    const lines = (await done('fault', 'operations')).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^createAgreement +delay, dropBefore, dropAfter, answer, /),
        expect.stringMatching(/^provider\.run +fail, hang, delay, die$/),
      ]),
    );
  });

  it('says in one line what is wrong with what it was given', async () => {
    expect(await refused('fault', 'arm', 'createAgrement', 'delay')).toBe(
      'golem-temporal: on: there is no "createAgrement"; did you mean "createAgreement"?\n',
    );
    expect(await refused('fault', 'arm', 'provider.run', 'zero')).toBe(
      'golem-temporal: do: "zero" can\'t happen on provider.run; what can: fail, hang, delay, die\n',
    );
    expect(await refused('fault', 'arm', 'createAllocation', 'crash')).toBe(
      'golem-temporal: provider: createAllocation is about no provider: say which one is to crash\n',
    );
    expect(await refused('fault', 'arm', '/a?b', 'delay')).toBe(
      'golem-temporal: on: "/a?b" is more than a path: give it without a query\n',
    );
    expect(await refused('fault', 'arm', 'exec', 'delay', '--provider', 'nobody')).toBe(
      'golem-temporal: no provider is named "nobody"; there are: one, two\n',
    );
    expect(await refused('fault', 'arm', 'createAgreement', 'delay', '--exit-code', '3')).toBe(
      'golem-temporal: exitCode: delay on createAgreement does not use it; it is for: fail\n',
    );
    expect(await refused('fault', 'arm', 'provider.approve', 'refuse', '--final')).toBe(
      'golem-temporal: isFinal: refuse on provider.approve does not use it; it is for: refuse on provider.negotiate\n',
    );
    expect(await refused('fault', 'arm', 'exec', 'delay', '--sec', 'soon')).toContain('it is not a number');
    expect(await refused('fault', 'arm', 'exec')).toContain("missing required argument 'action'");
    expect(await refused('fault', 'clear', 'none')).toBe('golem-temporal: no fault none is armed\n');
    expect(await refused('frobnicate')).toMatch(
      /devnet has no command "frobnicate"; there are: fault, cut, /,
    );
    for (const command of ['restore', 'open', 'effects', 'cut', 'fault list', 'crash one', 'node bob stop'])
      expect(await refused(...command.split(' '), 'extra')).toContain('too many arguments');
    expect(await refused('open', '--admin-url', 'here')).toContain('--admin-url here is no URL');
  });
});

describe('golem-temporal devnet', () => {
  it('cuts, crashes and freezes, and undoes it', async () => {
    await done('cut', '--node', 'bob', '--provider', 'one');
    await done('crash', 'one');
    await done('freeze', 'two');
    expect(devnet.links.state()).toEqual({
      ...{ cuts: [{ node: 'bob', provider: 'one' }], crashed: ['one'], frozen: ['two'] },
    });
    await done('revive', 'one');
    await done('thaw', 'two');
    expect(devnet.links.state()).toMatchObject({ crashed: [], frozen: [] });
    await done('restore');
    expect(devnet.links.state()).toMatchObject({ cuts: [] });
    const thawed = devnet.effects.next('provider-thawed');
    await done('freeze', 'two', '--sec', '0.1');
    expect(await thawed).toMatchObject({ provider: 'two', cause: 'end of the freeze' });
    const revived = devnet.effects.next('provider-revived');
    await done('crash', 'two', '--sec', '0.1');
    expect(await revived).toMatchObject({ provider: 'two', cause: 'end of the crash' });
  });

  it('kills the VMs of a provider, shuts it down and opens it again', async () => {
    const agreementId = await alice.rent();
    const activityId = await alice.createActivity(agreementId);
    const [mine] = devnet.effects.all(0, ['agreement-approved']).slice(-1);
    const name = mine?.cause.replace('provider ', '') ?? '';
    const killed = devnet.effects.next('activity-destroyed');
    await done('kill-vms', name);
    expect(await killed).toMatchObject({ activityId });
    const ended = devnet.effects.next('agreement-terminated');
    await done('shutdown', name);
    expect(await ended).toMatchObject({ agreementId, reason: { 'golem.provider.code': 'Shutdown' } });
    const offering = async (): Promise<number> => {
      const demandId = await alice.subscribe();
      const offers = await alice.events(demandId, 0);
      await alice.delete(`/market-api/v1/demands/${demandId}`);
      return offers.length;
    };
    expect(await offering()).toBe(1);
    await done('reopen', name);
    expect(await offering()).toBe(2);
    expect(await refused('shutdown', 'three')).toContain('there are: one, two');
  });

  it('stops a node, and starts it elsewhere', async () => {
    expect(await done('node', 'bob', 'stop')).toBe('node bob is stopped');
    expect(devnet.node('bob').running).toBe(false);
    const before = devnet.node('bob').port;
    expect(await done('node', 'bob', 'start', '--port', '0')).toBe(
      `node bob runs at ${devnet.node('bob').url}`,
    );
    expect(devnet.node('bob').port).not.toBe(before);
    await done('node', 'bob', 'restart');
    expect(await refused('node', 'bob', 'leave')).toContain('a node can be told to stop, start, restart');
    expect(await refused('node', 'carol', 'stop')).toContain('there are: requestor, bob');
  });

  it('shows what is open, what happened and what happens', async () => {
    await alice.rent();
    expect((await done('open')).split('\n')).toEqual([
      'allocations: 0, demands: 0, agreements: 1, activities: 0',
      expect.stringMatching(/^agreement [0-9a-f]{64} Approved$/),
    ]);
    expect(await done('effects', '--kind', 'agreement-confirmed,agreement-approved')).toMatch(
      /^ *\d+ +\S+Z +agreement-confirmed +confirmAgreement at node requestor +agreementId=\S+ .*\n.*provider (one|two)/,
    );
    expect(await done('effects', '--kind', 'proposals-collected')).toMatch(
      / offers=1 +drafts=0 +refusals=0$/m,
    );
    expect(await refused('effects', '--kind', 'agreement-aproved')).toBe(
      'golem-temporal: no effect is of the kind "agreement-aproved"; did you mean "agreement-approved"?\n',
    );
    const { seq } = devnet.effects.all().at(-1)!;
    const follow = ['effects', '--follow', '--json', '--after', String(seq), '--admin-url', devnet.adminUrl];
    const following = await startCli(['devnet', ...follow]);
    devnet.links.freeze('two');
    expect(JSON.parse(await following.line(/provider-frozen/))).toMatchObject({ provider: 'two' });
    devnet.links.thaw('two');
    expect(JSON.parse(await following.line(/provider-thawed/))).toMatchObject({ provider: 'two' });
    await following.kill();
  });

  it('says what to start when nobody answers, and when it is somebody else', async () => {
    expect(await runCli(['devnet', 'open', '--admin-url', 'http://127.0.0.1:1'])).toEqual({
      ...{ code: 1, stdout: '' },
      stderr:
        "golem-temporal: no devnet's admin API answers at http://127.0.0.1:1: start one with `golem-temporal devnet`\n",
    });
    const stranger = await runCli(['devnet', 'open', '--admin-url', devnet.url]);
    expect([stranger.code, stranger.stderr]).toEqual([
      1,
      `golem-temporal: what answers at ${devnet.url} is no devnet's admin API\n`,
    ]);
  });
});

describe('output that goes into a pipe', () => {
  const ARMED = 1500;
  beforeAll(() => {
    for (let n = 0; n < ARMED; n += 1) devnet.faults.arm({ on: 'getHealth', do: 'delay' });
  });
  afterAll(() => devnet.faults.disarmAll());
  const env = (): NodeJS.ProcessEnv => ({ DEVNET_ADMIN_URL: devnet.adminUrl });

  it.each([
    ['effects', '--json', '--kind', 'fault-armed'],
    ['fault', 'list'],
  ])('reaches a slow reader whole: devnet %s', async (...args) => {
    const child = spawnCli(['devnet', ...args], env());
    const ended = once(child, 'close');
    let read = '';
    for await (const piece of child.stdout) {
      read += String(piece);
      // Meanwhile the command waits for its pipe.
      await fetch(`${devnet.adminUrl}/state`);
    }
    expect(Buffer.byteLength(read)).toBeGreaterThan(2 * 65_536);
    expect(
      read
        .trimEnd()
        .split('\n')
        .filter((line) => line.includes('getHealth')),
    ).toHaveLength(ARMED);
    expect(await ended).toEqual([0, null]);
  });

  it('may be closed by its reader before it is read', async () => {
    const child = spawnCli(['devnet', 'effects'], env());
    const [complaints, ended] = [text(child.stderr), once(child, 'close')];
    await once(child.stdout, 'readable');
    child.stdout.destroy();
    expect([await complaints, await ended]).toEqual(['', [0, null]]);
  });
});
