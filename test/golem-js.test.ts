/**
 * golem-js, as npm has it, rents from the devnet: the devnet is a Golem network to others, too, not only to us. What
 * ends a rental early is in golem-js-ends.test.ts.
 */
import { startDevnet, type Devnet, type EffectKind } from '../devnet';
import { errorsOf, expectNothingOpen, expectOrder, runGolemJs, stopCommand } from './support/golem-js';
import { tempDir } from './support/temp-dir';
import { noNamespaces, withNamespaces } from './support/virtual-network';

const dataDir = tempDir('golem-js');
let devnet: Devnet;
beforeAll(async () => {
  devnet = await startDevnet({ dataDir, paymentCycleSec: 0 });
});
afterAll(() => devnet.close());

describe('golem-js on the devnet', () => {
  test('oneOf rents, runs, streams, stops and pays, in the order of the guide', async () => {
    // golem-js refuses a note that it decides after the invoice: each has a poll of its own.
    devnet.faults.arm({ on: 'provider.invoice', do: 'delay', sec: 1 });
    const lines = await runGolemJs(devnet, 'oneOf', async ({ line }) => {
      const { streaming } = (await line((each) => each.streaming !== undefined)) ?? {};
      // Only now golem-js is known to listen: the end of a stream is not told again either.
      await line(({ streamed }) => streamed === 'tick');
      stopCommand(dataDir, streaming);
    });
    expect(errorsOf(lines)).toEqual([]);
    expect(
      lines.filter(({ event, streaming, streamed }) => !event && !streaming && streamed !== 'tick'),
    ).toEqual([
      { stdout: 'hello\n', stderr: 'err\n', result: 'Ok' },
      { batch: [null, 'one\n'] },
      { result: 'Error', message: 'ExeScript command exited with code 3' },
      { streamed: 'end' },
    ]);
    expectOrder(lines, [
      'connected',
      'allocationCreated',
      'demandSubscriptionStarted',
      'offerProposalReceived',
      'offerProposalReceived (draft)',
      'agreementApproved',
      'activityCreated',
      'scriptSent',
      'scriptExecuted',
      'batchResultsReceived',
      'exeUnitInitialized',
      'batchEventsReceived',
      'activityDestroyed',
      'invoiceReceived',
      'invoiceAccepted',
      'allocationReleased',
      'disconnected',
    ]);
    // What golem-js hears from another of its polls, or does on the side.
    expectOrder(lines, ['offerProposalReceived', 'offerCounterProposalSent', 'agreementApproved']);
    expectOrder(lines, ['agreementApproved', 'demandSubscriptionStopped', 'allocationReleased']);
    expectOrder(lines, ['activityDestroyed', 'agreementTerminated', 'allocationReleased']);
    expectOrder(lines, ['exeUnitInitialized', 'debitNoteReceived', 'debitNoteAccepted', 'invoiceReceived']);
    const effects = devnet.effects.all();
    expectOrder(
      effects.map(({ kind }) => ({ event: kind })),
      [
        'allocation-created',
        'demand-created',
        'proposal-countered',
        'agreement-created',
        'agreement-confirmed',
        'agreement-approved',
        'activity-created',
        'script-started',
        'script-finished',
        'activity-destroyed',
        'debit-note-issued',
        'agreement-terminated',
        'invoice-issued',
        'invoice-accepted',
        'allocation-released',
      ],
    );
    const invoice = lines.find(({ event }) => event === 'invoiceAccepted');
    expect(Number(invoice?.amount)).toBeGreaterThan(0);
    expect(lines.find(({ event }) => event === 'debitNoteAccepted')?.amount).toBe(invoice?.amount);
    expectNothingOpen(devnet);
  });

  test('manyOf rents from three providers at once, and pays each', async () => {
    const before = devnet.effects.all().length;
    const lines = await runGolemJs(devnet, 'manyOf');
    expect(errorsOf(lines)).toEqual([]);
    const tasks = lines.filter(({ stdout }) => stdout !== undefined);
    expect(tasks.map(({ stdout }) => stdout).sort()).toEqual(['task 1\n', 'task 2\n', 'task 3\n']);
    expect(new Set(tasks.map(({ providerId }) => providerId)).size).toBe(3);
    expectOrder(lines, [
      'allocationCreated',
      'demandSubscriptionStarted',
      'offerProposalReceived',
      'offerProposalReceived (draft)',
      'agreementApproved',
      'activityCreated',
      'activityDestroyed',
      'agreementTerminated',
      'demandSubscriptionStopped',
      'allocationReleased',
    ]);
    const agreements = new Set(
      lines.flatMap(({ event, agreement }) => (event === 'activityCreated' ? [agreement] : [])),
    );
    expect(agreements.size).toBe(3);
    const effects = devnet.effects.all(before);
    for (const agreement of agreements) {
      // Not with the agreement's own events: of several that come with one poll golem-js tells the last.
      expectOrder(
        lines.filter((line) => line.agreement === agreement),
        [
          'activityCreated',
          'scriptSent',
          'scriptExecuted',
          'batchResultsReceived',
          'exeUnitInitialized',
          'activityDestroyed',
          'invoiceReceived',
          'invoiceAccepted',
        ],
      );
      const its = effects.filter((effect) => 'agreementId' in effect && effect.agreementId === agreement);
      const kinds = its.map(({ kind }) => kind);
      for (const kind of ['agreement-approved', 'agreement-terminated', 'invoice-accepted']) {
        expect(kinds.filter((one) => one === kind)).toHaveLength(1);
      }
    }
    expectNothingOpen(devnet);
  });

  test('manyOf with more tasks than the providers have room for does them all, one after the other', async () => {
    const crowded = await startDevnet({ providers: [{ name: 'one' }, { name: 'two' }], paymentCycleSec: 0 });
    try {
      const lines = await runGolemJs(crowded, 'contention');
      const tasks = lines.flatMap(({ stdout }) => stdout ?? []).sort();
      expect(tasks).toEqual([1, 2, 3, 4, 5, 6].map((number) => `task ${number}\n`));
      let open = 0;
      let most = 0;
      for (const { kind } of crowded.effects.all(0, ['agreement-approved', 'agreement-terminated'])) {
        open += kind === 'agreement-approved' ? 1 : -1;
        most = Math.max(most, open);
      }
      expect([most, open]).toEqual([2, 0]);
      const of = (kind: EffectKind): number => crowded.effects.all(0, [kind]).length;
      expect(of('invoice-settled')).toBe(of('agreement-approved'));
      expectNothingOpen(crowded);
    } finally {
      await crowded.close();
    }
  });

  test('a batch gives its results at its end or one by one, and ends where a command fails', async () => {
    const lines = await runGolemJs(devnet, 'batches');
    expect(lines.filter(({ event }) => event === undefined)).toEqual([
      {
        ended: [
          ['Ok', null],
          ['Ok', '42\n'],
          ['Error', null],
          // What golem-js gives for a command that never ran.
          ['Error', null],
        ],
      },
      {
        streamed: [
          [0, 'Ok', 'one\n', null],
          [1, 'Ok', null, 'two\n'],
          [2, 'Ok', 'three\n', null],
        ],
      },
    ]);
    expectNothingOpen(devnet);
  });

  // Without namespaces two servers cannot have the same port, nor VMs addresses.
  withNamespaces(`VMs of a network are reached by proxies and WebSockets${noNamespaces}`, async () => {
    const small = await startDevnet({ providers: [{ name: 'one' }, { name: 'two' }], paymentCycleSec: 0 });
    try {
      const lines = await runGolemJs(small, 'network');
      expect(errorsOf(lines)).toEqual([]);
      expect(lines.filter(({ event }) => event === undefined)).toEqual([
        { proxied: [true, true, true] },
        { answered: 'hello' },
        { ips: ['192.168.0.2', '192.168.0.3'], neighbour: 'neighbour' },
        { closed: 1006 },
      ]);
      const opened = small.effects.all(0, ['tcp-opened']).map(({ provider, port }) => [provider, port]);
      expect(opened.map(([, port]) => port)).toEqual([8080, 8080, 8080, 8080]);
      expect(new Set(opened.map(([provider]) => provider)).size).toBe(2);
      expect(small.effects.all(0, ['tcp-closed'])).toHaveLength(4);
      expectNothingOpen(small);
    } finally {
      await small.close();
    }
  });
});
