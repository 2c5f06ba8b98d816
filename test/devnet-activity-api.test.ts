import { getEventListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgreementTerms } from '../devnet/contract';
import type { Host } from '../devnet/vm/host';
import { PROVIDER, sh, Vm, VmTestbed, type ScriptEvent } from './support/vm-host';

const UNKNOWN = 'f'.repeat(32);

let bed: VmTestbed;
beforeAll(async () => {
  bed = await VmTestbed.start();
});
afterAll(() => bed.close());

function unreachable(vm: Vm, call: string): object {
  const address = `/net/${PROVIDER}/exeunit/${vm.activityId}/${call}`;
  const message = `GSB error: Remote service at \`${address}\` error: GSB failure: Bad request: endpoint address not found`;
  return { status: 500, contentType: 'application/json', body: { message } };
}

describe('creating an activity', () => {
  test('answers an object with an object and a bare string with a string', async () => {
    const agreementId = bed.agreement();
    const first = await bed.call('POST', '/activity', { agreementId, requestorPubKey: null });
    expect(first).toEqual({
      status: 200,
      contentType: 'application/json',
      body: { activityId: expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
    const vm = new Vm(bed, (first.body as { activityId: string }).activityId);
    await vm.call('DELETE');
    const second = await bed.call('POST', '/activity?timeout=30', JSON.stringify(agreementId));
    expect(second).toMatchObject({ status: 200, body: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(await bed.call('GET', `/activity?agreementId=${agreementId}`)).toEqual({
      status: 200,
      contentType: 'application/json',
      body: [vm.activityId, second.body],
    });
    expect(bed.host.activityIds(agreementId)).toEqual([vm.activityId, second.body]);
    expect(await vm.call('GET', '/agreement')).toMatchObject({ status: 200, body: agreementId });
  });

  test.each([
    [
      'an object without agreement',
      '{}',
      400,
      'Json deserialize error: data did not match any variant of untagged enum CreateActivityJson',
    ],
    [
      'a number as agreement',
      '{"agreementId": 5}',
      400,
      'Json deserialize error: data did not match any variant of untagged enum CreateActivityJson',
    ],
    ['broken JSON', '{', 400, 'Json deserialize error: EOF while parsing an object at line 1 column 1'],
    [
      'no agreement id',
      '{"agreementId": "nonsense"}',
      500,
      { message: 'Service error: Id [nonsense] contains non hexadecimal characters.' },
    ],
    [
      'an unknown agreement',
      `{"agreementId": "${'d'.repeat(64)}"}`,
      404,
      { message: `Not found: ${'d'.repeat(64)}` },
    ],
  ])('refuses %s', async (_name, text, status, body) => {
    expect(await bed.call('POST', '/activity', text)).toEqual({
      status,
      contentType: typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json',
      body,
    });
  });

  test('needs an approved agreement, of the same requestor', async () => {
    const proposal = bed.agreement({ state: 'Proposal' });
    expect(await bed.call('POST', '/activity', { agreementId: proposal })).toMatchObject({
      status: 404,
      body: { message: `Not found: ${proposal}` },
    });
    const ended = bed.agreement({ state: 'Terminated' });
    expect(await bed.call('POST', '/activity', { agreementId: ended })).toMatchObject({
      status: 400,
      body: { message: `Bad request: Agreement ${ended} is not Approved. Current state: Terminated` },
    });
    const foreign = bed.agreement({ requestorId: '0xother' });
    expect(await bed.call('POST', '/activity', { agreementId: foreign })).toMatchObject({ status: 404 });
  });

  test('refuses a second one at the same time, and takes it when the first has gone', async () => {
    const agreementId = bed.agreement();
    const { body } = await bed.call('POST', '/activity', { agreementId });
    const refused = await bed.call('POST', '/activity', { agreementId });
    expect(refused).toMatchObject({
      status: 500,
      body: {
        message: expect.stringMatching(
          /^Service error: Activity [0-9a-f]{32} was abruptly terminated\. Reason: Only single Activity allowed, message: Can't create 2 simultaneous Activities\.$/,
        ),
      },
    });
    await bed.call('DELETE', `/activity/${(body as { activityId: string }).activityId}`);
    expect(await bed.call('POST', '/activity', { agreementId })).toMatchObject({ status: 200 });
  });

  test('one that comes when the requestor waits no more is not listed, but there', async () => {
    const agreementId = bed.agreement({ createSec: 1.2 });
    const created = new Promise<void>((resolve) => {
      const push = bed.created.push.bind(bed.created);
      bed.created.push = (...ids) => {
        resolve();
        return push(...ids);
      };
    });
    expect(await bed.call('POST', '/activity?timeout=0', { agreementId })).toMatchObject({
      status: 408,
      body: { message: 'Timeout' },
    });
    await created;
    expect(await bed.call('GET', `/activity?agreementId=${agreementId}`)).toMatchObject({ body: [] });
    expect(bed.host.activityIds(agreementId)).toHaveLength(1);
    expect(await bed.call('POST', '/activity', { agreementId })).toMatchObject({ status: 500 });
    await bed.host.destroyForAgreement(agreementId, 'test');
  });

  test.each(['3000000', '1e300', 'Infinity'])(
    'is waited for however long that is (timeout=%s)',
    async (timeout) => {
      const agreementId = bed.agreement({ createSec: 0.05 });
      const created = await bed.call('POST', `/activity?timeout=${timeout}`, { agreementId });
      expect(created).toMatchObject({ status: 200 });
      await bed.host.destroyForAgreement(agreementId, 'test');
    },
  );
});

describe('an activity nobody knows', () => {
  test.each([
    ['GET', '/state'],
    ['GET', '/usage'],
    ['GET', '/agreement'],
    ['GET', '/exec/x?timeout=1'],
    ['DELETE', ''],
  ])('%s %s', async (method, path) => {
    expect(await bed.call(method, `/activity/${UNKNOWN}${path}`)).toEqual({
      status: 500,
      contentType: 'application/json',
      body: { message: `DAO error: Not found: agreement id for activity: ${UNKNOWN}` },
    });
  });

  test('has no agreement either', async () => {
    const unknown = 'd'.repeat(64);
    expect(await bed.call('GET', `/activity?agreementId=${unknown}`)).toMatchObject({
      status: 404,
      body: { message: `Not found: ${unknown}` },
    });
  });
});

describe('states', () => {
  test('lead from Initialized over deploy and start to Ready, and to the end', async () => {
    const { body } = await bed.call('POST', '/activity', { agreementId: bed.agreement() });
    const vm = new Vm(bed, (body as { activityId: string }).activityId);
    expect(await vm.state()).toEqual({ state: ['Initialized', null] });
    expect(await vm.usage()).toEqual({ timestamp: expect.any(Number) });
    expect(await vm.sh('echo hi')).toEqual({
      index: 0,
      result: 'Error',
      stdout: null,
      stderr: null,
      message: 'Local service error: State error: Activity is initialized - deploy() command is expected now',
      isBatchFinished: true,
      eventDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/),
    });
    const [deployed] = await vm.script([{ deploy: {} }]);
    expect(deployed?.stdout).toBe(
      '{"valid": {"Ok": ""}, "vols": [{"name": "vol-golem-work", "path": "/golem/work"}, {"name": "vol-golem-output", ' +
        '"path": "/golem/output"}, {"name": "vol-golem-input", "path": "/golem/input"}], "startMode": "empty"}\n',
    );
    expect(await vm.state()).toEqual({ state: ['Deployed', null] });
    await vm.script([{ start: { args: [] } }]);
    expect(await vm.state()).toEqual({ state: ['Ready', null] });
    await vm.untilReady('echo > ready; sleep 600');
    expect(await vm.state()).toEqual({ state: ['Ready', 'Ready'] });
    expect(await vm.call('GET', '/command')).toMatchObject({ status: 500 });
    await vm.call('DELETE');
    expect(await vm.state()).toEqual({ state: ['Terminated', null] });
    expect(await vm.usage()).toEqual({
      currentUsage: [expect.any(Number), expect.any(Number)],
      timestamp: expect.any(Number),
    });
  });

  test('a VM that cannot start says why', async () => {
    const vm = await bed.vm({ startFails: 'no kvm' });
    expect(await vm.script([{ start: {} }])).toMatchObject([
      { result: 'Error', message: 'Runtime error: no kvm' },
    ]);
    expect(await vm.state()).toEqual({ state: ['Deployed', null] });
  });

  test('usage comes in the order of the offer', async () => {
    const vm = await bed.vm({
      usageVector: ['golem.usage.duration_sec', 'golem.usage.gpu_sec', 'golem.usage.cpu_sec'],
    });
    const { currentUsage } = await vm.usage();
    expect(currentUsage).toEqual([expect.any(Number), 0, expect.any(Number)]);
  });
});

describe('scripts', () => {
  test.each([
    ['not json', 'expected ident', 2],
    [
      '[{"bogus":{}}]',
      'unknown variant `bogus`, expected one of `sign`, `deploy`, `start`, `run`, `transfer`, `terminate`',
      9,
    ],
    ['{}', 'invalid type: map, expected a sequence', 0],
    ['[{"run":{"args":[]}}]', 'missing field `entry_point`', 21],
    [
      `[{"transfer":{"from":"a","to":"b","progress":{"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}}}]`,
      'recursion limit exceeded',
      175,
    ],
  ])('%.40s is refused', async (text, complaint, column) => {
    const vm = await bed.vm();
    expect(await vm.call('POST', '/exec', { text })).toEqual({
      status: 400,
      contentType: 'application/json',
      body: { message: `Bad request: Error("${complaint}", line: 1, column: ${column})` },
    });
  });

  test('an exe-unit that fails at one takes nobody with it', async () => {
    const [vm, other] = [await bed.vm(), await bed.vm()];
    const push = bed.effects.push.bind(bed.effects);
    bed.effects.push = () => {
      bed.effects.push = push;
      throw new Error('broken');
    };
    const batchId = await vm.exec([sh('echo never')]);
    expect(await vm.call('GET', `/exec/${batchId}?timeout=0.1&commandIndex=0`)).toMatchObject({
      status: 408,
    });
    expect(bed.destroyed).toContain(vm.activityId);
    expect(bed.log.join()).toContain(`the exe-unit of activity ${vm.activityId} failed: Error: broken`);
    expect(await other.sh('echo still here')).toMatchObject({ stdout: 'still here\n' });
  });

  test('need a text', async () => {
    const vm = await bed.vm();
    expect(await vm.call('POST', '/exec', {})).toEqual({
      status: 400,
      contentType: 'text/plain; charset=utf-8',
      body: 'Json deserialize error: missing field `text` at line 1 column 2',
    });
  });

  test('an empty one has no results, an unknown one is not found', async () => {
    const vm = await bed.vm();
    expect(await vm.results(await vm.exec([]), '?timeout=50')).toEqual([]);
    expect(await vm.call('GET', `/exec/${UNKNOWN}?timeout=50`)).toMatchObject({
      status: 404,
      body: { message: `Not found: batch_id = ${UNKNOWN}` },
    });
  });

  test('queue behind each other', async () => {
    const vm = await bed.vm();
    await vm.sh('mkfifo gate');
    await vm.exec([sh('cat gate; echo first >> order')]);
    const second = await vm.exec([sh('echo second >> order; cat order')]);
    expect(await vm.results(second)).toEqual([]);
    expect(await vm.call('GET', `/exec/${second}?timeout=0.05&commandIndex=0`)).toMatchObject({
      status: 408,
      body: { message: 'Timeout' },
    });
    await vm.release('gate');
    expect(await vm.results(second, '?timeout=50')).toMatchObject([{ stdout: 'first\nsecond\n' }]);
  });
});

describe('results', () => {
  test('wait for the last command, by index for the asked one, and come at once without a timeout', async () => {
    const vm = await bed.vm();
    await vm.sh('mkfifo gate');
    const batchId = await vm.exec([sh('echo one'), sh('cat gate; echo two'), sh('echo three')]);
    const first = await vm.results(batchId, '?timeout=50&commandIndex=0');
    expect(first).toMatchObject([{ index: 0, stdout: 'one\n', isBatchFinished: true }]);
    expect(await vm.results(batchId)).toMatchObject([{ index: 0, stdout: 'one\n', isBatchFinished: false }]);
    expect(await vm.results(batchId, '?timeout=0.05')).toHaveLength(1);
    const whole = vm.results(batchId, '?timeout=50');
    const byIndex = vm.results(batchId, '?timeout=50&commandIndex=1');
    await vm.release('gate');
    expect(await byIndex).toMatchObject([
      { index: 0, stdout: null, isBatchFinished: false },
      { index: 1, stdout: 'two\n', isBatchFinished: true },
    ]);
    expect(await whole).toMatchObject([
      { index: 0, stdout: 'one\n', isBatchFinished: false },
      { index: 1, stdout: 'two\n', isBatchFinished: false },
      { index: 2, stdout: 'three\n', isBatchFinished: true },
    ]);
    expect(await vm.call('GET', `/exec/${batchId}?timeout=0.05&commandIndex=7`)).toMatchObject({
      status: 408,
    });
  });

  test('after a failure the poll lasts its whole timeout, and by index the failure comes at once', async () => {
    const vm = await bed.vm();
    const batchId = await vm.exec([sh('exit 4'), sh('echo never')]);
    const failed = {
      index: 0,
      result: 'Error',
      message: 'ExeScript command exited with code 4',
      isBatchFinished: true,
    };
    expect(await vm.results(batchId, '?timeout=50&commandIndex=0')).toMatchObject([failed]);
    const began = performance.now();
    expect(await vm.results(batchId, '?timeout=0.3')).toMatchObject([failed]);
    // No more exact than the timer that it waits for.
    expect(performance.now() - began).toBeGreaterThan(290);
    expect(await vm.call('GET', `/exec/${batchId}?timeout=0.05&commandIndex=1`)).toMatchObject({
      status: 408,
    });
  });

  test.each([
    ['timeout=abc', 'invalid float literal'],
    ['timeout=-1', 'timeout must not be negative'],
    ['commandIndex=x', 'invalid digit found in string'],
  ])('%s is refused', async (query, complaint) => {
    const vm = await bed.vm();
    expect(await vm.call('GET', `/exec/${await vm.exec([sh('true')])}?${query}`)).toEqual({
      status: 400,
      contentType: 'text/plain; charset=utf-8',
      body: `Query deserialize error: ${complaint}`,
    });
  });
});

describe('the event stream', () => {
  test('tells from when it is opened on what happens', async () => {
    const vm = await bed.vm();
    const capture = { stdout: { stream: { format: 'string' } }, stderr: { stream: {} } };
    const run = (text: string): object => ({ run: { entry_point: '/bin/sh', args: ['-c', text], capture } });
    await vm.sh('mkfifo ready gate2 gate3');
    const batchId = await vm.exec([
      run('echo unheard; echo > ready; cat gate2; echo late; cat gate3; echo err >&2'),
      run('exit 4'),
      run('echo never'),
    ]);
    await readFile(vm.file('/golem/work/ready'));
    const events: ScriptEvent[] = [];
    for await (const event of vm.events(batchId, () => vm.release('gate2'))) {
      events.push(event);
      if (event.kind.stdout !== undefined) await vm.release('gate3');
      if (event.index === 1 && event.kind.finished) break;
    }
    expect(events.map(({ id, index, kind }) => ({ id, index, kind }))).toEqual([
      { id: 0, index: 0, kind: { stdout: 'late\n' } },
      { id: 1, index: 0, kind: { stderr: 'err\n' } },
      { id: 2, index: 0, kind: { finished: { return_code: 0, message: null } } },
      {
        id: 3,
        index: 1,
        kind: {
          started: {
            command: {
              run: {
                entry_point: '/bin/sh',
                args: ['-c', 'exit 4'],
                capture: { stdout: { stream: { format: 'str' } }, stderr: { stream: { format: 'str' } } },
              },
            },
          },
        },
      },
      {
        id: 4,
        index: 1,
        kind: { finished: { return_code: 4, message: 'ExeScript command exited with code 4' } },
      },
    ]);
    expect(events[0]).toMatchObject({
      batch_id: batchId,
      timestamp: expect.stringMatching(/^[\d-]+T[\d:]+\.\d+$/),
    });
    expect(await vm.results(batchId)).toMatchObject([{ stdout: 'unheard\nlate\n', stderr: 'err\n' }, {}]);
  });

  test('of an unknown script is silent but for pings, of an unknown activity an error', async () => {
    const vm = await bed.vm();
    const url = `${bed.baseUrl}/activity/${vm.activityId}/exec/${UNKNOWN}`;
    const abort = new AbortController();
    const response = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: abort.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const { value } = (await response.body?.getReader().read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toBe(':ping\n');
    abort.abort();
    expect(
      await bed.call('GET', `/activity/${UNKNOWN}/exec/x`, undefined, { accept: 'text/event-stream' }),
    ).toMatchObject({
      status: 500,
    });
  });
});

describe('the end of an activity', () => {
  test('cuts its command short, which the waiting poll is told', async () => {
    const vm = await bed.vm();
    const batchId = await vm.untilReady('echo > ready; sleep 600');
    const queued = await vm.exec([sh('echo queued')]);
    const poll = vm.results(batchId, '?timeout=50');
    const queuedPoll = vm.call('GET', `/exec/${queued}?timeout=50`);
    await vm.call('DELETE');
    expect(await poll).toMatchObject([
      {
        result: 'Error',
        message:
          'Local service error: State error: Unexpected state: StatePair(Terminated, None), expected StatePair(Ready, Some(Ready))',
        isBatchFinished: true,
      },
    ]);
    expect(await queuedPoll).toEqual(unreachable(vm, 'GetExecBatchResults'));
    expect(await vm.call('GET', `/exec/${batchId}?timeout=50`)).toEqual(
      unreachable(vm, 'GetExecBatchResults'),
    );
    expect(await vm.call('POST', '/exec', { text: '[{"deploy":{}}]' })).toEqual(unreachable(vm, 'Exec'));
    expect(await vm.call('DELETE')).toEqual({ status: 200, contentType: 'application/json', body: null });
  });

  test('comes with that of the agreement, too', async () => {
    const vm = await bed.vm();
    const batchId = await vm.untilReady('echo > ready; sleep 600');
    const poll = vm.results(batchId, '?timeout=50&commandIndex=0');
    const agreementId = (await vm.call('GET', '/agreement')).body as string;
    await bed.host.destroyForAgreement(agreementId, 'DebitNotesDeadline');
    expect(await poll).toMatchObject([
      {
        message:
          'Local service error: State error: Unexpected state: StatePair(Ready, Some(Terminated)), expected StatePair(Ready, Some(Ready))',
      },
    ]);
    expect(await vm.state()).toEqual({
      state: ['Terminated', null],
      reason:
        'Interrupted by signal: 15: {"batches_done":2,"batches_pending":1,"cmds_done":3,"cmds_pending":1}',
    });
    expect(bed.destroyed.filter((id) => id === vm.activityId)).toHaveLength(1);
    expect(bed.host.liveActivities().map(({ activityId }) => activityId)).not.toContain(vm.activityId);
    await vm.call('DELETE');
    expect(await vm.state()).toEqual({ state: ['Terminated', null] });
  });

  test('is recorded, with what ran', async () => {
    const vm = await bed.vm();
    await vm.sh('exit 1');
    await vm.call('DELETE');
    const effects = bed.effects.filter(({ activityId }) => activityId === vm.activityId);
    expect(effects.map(({ kind, commands, result }) => [kind, commands, result])).toEqual([
      ['activity-created', undefined, undefined],
      ['script-started', ['deploy', 'start'], undefined],
      ['script-finished', ['deploy', 'start'], 'Ok'],
      ['script-started', ['run'], undefined],
      ['script-finished', ['run'], 'Error'],
      ['activity-destroyed', undefined, undefined],
    ]);
  });
});

test('after a restart of the daemon its VMs have ended, and what their scripts had brought is still there', async () => {
  const restarted = await VmTestbed.start();
  try {
    const vm = await restarted.vm();
    const done = await vm.exec([sh('echo kept'), sh('exit 3'), sh('echo never')]);
    const running = await vm.untilReady('echo > ready; sleep 600');
    const before = Number(restarted.host.usage(vm.activityId).durationSec);
    await restarted.shut();
    await restarted.open();
    expect(restarted.destroyed).toEqual([vm.activityId]);
    expect(await vm.state()).toEqual({
      state: ['Terminated', null],
      reason: 'execution aborted',
      errorMessage: 'exit code None',
    });
    const kept = [{ stdout: 'kept\n' }, { result: 'Error', message: 'ExeScript command exited with code 3' }];
    expect(await vm.results(done)).toMatchObject(kept);
    expect(await vm.results(done, '?timeout=50&commandIndex=1')).toMatchObject([{ stdout: null }, kept[1]]);
    for (const query of ['?timeout=50', '?timeout=50&commandIndex=0', '']) {
      const answer = await vm.call('GET', `/exec/${running}${query}`);
      expect(answer).toEqual(unreachable(vm, 'GetExecBatchResults'));
    }
    expect(await vm.call('POST', '/exec', { text: '[]' })).toEqual(unreachable(vm, 'Exec'));
    expect(Number(restarted.host.usage(vm.activityId).durationSec)).toBeGreaterThanOrEqual(before);
    await restarted.shut();
    await restarted.open();
    expect(restarted.destroyed).toHaveLength(1);
    const agreementId = (await vm.call('GET', '/agreement')).body;
    expect(await restarted.call('POST', '/activity', { agreementId })).toMatchObject({ status: 200 });
  } finally {
    await restarted.close();
  }
});

describe('of a client that has gone nothing is left', () => {
  const host = (): Host => bed.host as Host;
  const listeners = (): number => getEventListeners(host().closing.signal, 'abort').length;
  let calls: string[];
  let silent: AgreementTerms;
  let clients: AbortController;
  beforeEach(async () => {
    const vm = await bed.vm();
    const batchId = await vm.exec([sh('true')]);
    const script = `/activity/${vm.activityId}/exec`;
    const { activityId } = await bed.vm();
    silent = [...bed.agreements.values()].at(-1)!;
    silent.reach = 'silent';
    calls = [
      '/_monitor',
      `${script}/${batchId}`,
      `${script}/none`,
      `/activity/${activityId}/state?timeout=1000`,
    ];
    clients = new AbortController();
  });
  afterEach(() => {
    bed.isSlow = false;
    silent.reach = 'up';
  });

  const call = (path: string): Promise<void> =>
    fetch(bed.baseUrl + path, { headers: { accept: 'text/event-stream' }, signal: clients.signal }).then(
      async (response) => void (await response.text()),
      () => undefined,
    );

  test('of streams and of waiting calls', async () => {
    const before = listeners();
    const all = calls.map((path) => call(path).catch(() => undefined));
    while (listeners() < before + 3) await nextTurn();
    clients.abort();
    await Promise.all(all);
    while (listeners() > before || !host().changes.idle) await nextTurn();
  });

  test('when it went before its call was looked at', async () => {
    const before = listeners();
    bed.isSlow = true;
    const all = calls.map(call);
    while (bed.held < calls.length) await nextTurn();
    clients.abort();
    await Promise.all(all);
    while (bed.held > 0) await nextTurn();
    bed.isSlow = false;
    await bed.call('GET', '/activity?agreementId=none');
    expect({ listeners: listeners(), isIdle: host().changes.idle }).toEqual({
      listeners: before,
      isIdle: true,
    });
  });
});
