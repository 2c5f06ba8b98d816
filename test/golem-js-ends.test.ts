/** golem-js when a rental does not go as planned: who ends it, what the program hears, and that all is paid. */
import { join } from 'node:path';
import { startDevnet, type Devnet, type ProviderConfig } from '../devnet';
import {
  commandStarted,
  errorsOf,
  expectNothingOpen,
  expectOrder,
  runGolemJs,
  stopCommand,
} from './support/golem-js';
import { tempDir } from './support/temp-dir';

const folder = tempDir('golem-js-ends');

/** A devnet with one provider, which takes debit notes to be accepted within a second. */
async function onDevnet(
  provider: Partial<ProviderConfig>,
  test: (devnet: Devnet, dataDir: string) => Promise<void>,
): Promise<void> {
  const dataDir = join(folder, String(Math.random()));
  const providers = [{ name: 'one', minAcceptTimeoutSec: 1, ...provider }];
  const devnet = await startDevnet({ dataDir, providers, paymentCycleSec: 0 });
  try {
    await test(devnet, dataDir);
  } finally {
    await devnet.close();
  }
}

describe('golem-js on the devnet', () => {
  test('accepts the debit notes that come while a command runs', async () => {
    await onDevnet({}, async (devnet, dataDir) => {
      const lines = await runGolemJs(devnet, 'debitNotes', async () => {
        const { activityId } = await commandStarted(devnet);
        let accepted = 0;
        for (let n = 0; n < 3; n++)
          accepted = (await devnet.effects.next('debit-note-accepted', accepted)).seq;
        stopCommand(dataDir, activityId);
      });
      expect(errorsOf(lines)).toEqual([]);
      expectOrder(lines, ['debitNoteReceived', 'debitNoteAccepted', 'activityDestroyed', 'invoiceAccepted']);
      const kinds = devnet.effects.all().map(({ kind }) => kind);
      expect(kinds.lastIndexOf('script-finished')).toBeGreaterThan(kinds.indexOf('debit-note-accepted'));
      const [terminated] = devnet.effects.all(0, ['agreement-terminated']);
      expect(terminated?.terminator).toBe('Requestor');
      expectNothingOpen(devnet);
    });
  });

  test('hears that a provider has ended an idle agreement, and pays for what there was', async () => {
    await onDevnet({ idleLimitSec: 3 }, async (devnet) => {
      const lines = await runGolemJs(devnet, 'idle');
      expect(lines.find(({ terminatedBy }) => terminatedBy)).toMatchObject({
        terminatedBy: 'Provider',
        reason: 'No activity created within 3s',
        state: 'Terminated',
      });
      expectOrder(lines, ['agreementTerminated', 'invoiceAccepted', 'allocationReleased']);
      expectNothingOpen(devnet);
    });
  });

  test('loses its VM when its acceptances of debit notes do not get through', async () => {
    await onDevnet({}, async (devnet) => {
      devnet.faults.arm({ on: 'acceptDebitNote', do: 'answer', status: 500, times: 0 });
      const lines = await runGolemJs(devnet, 'cutShort', async (program) => {
        const ended = await devnet.effects.next('agreement-terminated', 0);
        expect(ended).toMatchObject({
          ...{ terminator: 'Provider', cause: 'provider one' },
          reason: { 'golem.provider.code': 'DebitNotesDeadline' },
        });
        await program.line(({ failure }) => failure !== undefined);
        devnet.faults.disarmAll();
        program.tell();
      });
      expect(lines.find(({ failure }) => failure)).toMatchObject({ failure: 'Error' });
      expectOrder(lines, ['agreementTerminated', 'invoiceAccepted']);
      // Which of its polls golem-js hears of first is open.
      expectOrder(lines, ['errorAcceptingDebitNote']);
      expectNothingOpen(devnet);
    });
  });

  test('stops while a command runs: the command is interrupted, the rest is as ever', async () => {
    await onDevnet({}, async (devnet) => {
      const lines = await runGolemJs(devnet, 'stop', async (program) => {
        await commandStarted(devnet);
        program.tell();
      });
      expect(errorsOf(lines)).toEqual([
        expect.objectContaining({ why: 'Execution of script has been aborted' }),
      ]);
      const finished = devnet.effects.all(0, ['script-finished']).at(-1);
      expect(finished).toMatchObject({ commands: ['run'], result: 'Error' });
      const [terminated] = devnet.effects.all(0, ['agreement-terminated']);
      expect(terminated).toMatchObject({ terminator: 'Requestor' });
      expectOrder(lines, ['activityDestroyed', 'invoiceAccepted', 'allocationReleased']);
      expectNothingOpen(devnet);
    });
  });

  test('fails a command whose VM has died, and pays for what there was', async () => {
    await onDevnet({}, async (devnet) => {
      const lines = await runGolemJs(devnet, 'cutShort', async (program) => {
        await commandStarted(devnet);
        devnet.links.killVms('one');
        await program.line(({ failure }) => failure !== undefined);
        program.tell();
      });
      expect(lines.find(({ failure }) => failure)?.why).toContain('endpoint address not found');
      expectOrder(lines, ['errorGettingBatchResults', 'invoiceAccepted', 'allocationReleased']);
      expectNothingOpen(devnet);
    });
  });

  test('fails a command whose provider has crashed, and never hears of a bill', async () => {
    await onDevnet({}, async (devnet) => {
      const lines = await runGolemJs(devnet, 'unbilled', async (program) => {
        await commandStarted(devnet);
        devnet.links.crash('one');
        await program.line(({ failure }) => failure !== undefined);
        devnet.links.revive('one');
        program.tell();
      });
      expect(lines.find(({ failure }) => failure)?.why).toContain('endpoint address not found');
      const [lost] = devnet.effects.all(0, ['activity-destroyed']);
      expect(lost?.cause).toBe('crash of provider one');
      expect(lines.find(({ unbilled }) => unbilled)).toBeDefined();
      expect(devnet.effects.all(0, ['invoice-issued'])).toEqual([]);
    });
  });

  test('gives up, when told to, on a market without offers and on a command', async () => {
    await onDevnet({}, async (devnet) => {
      const withheld = devnet.faults.arm({ on: 'provider.offer', do: 'withhold', times: 0 });
      // golem-js gives up before it has heard of its demand.
      devnet.faults.arm({ on: 'subscribeDemand', do: 'delayAfter', sec: 1 });
      const lines = await runGolemJs(devnet, 'abort', async (program) => {
        await withheld.hit();
        program.tell();
        await devnet.effects.next('allocation-released', 0);
        devnet.faults.disarmAll();
        await commandStarted(devnet);
        program.tell();
      });
      expect(lines.filter(({ event }) => event === undefined)).toEqual([
        expect.objectContaining({ why: 'The signing of the agreement has been aborted' }),
        { waiting: 'no more' },
        expect.objectContaining({ why: 'Execution of script has been aborted' }),
      ]);
      expectOrder(lines, ['allocationReleased', 'activityCreated', 'activityDestroyed', 'invoiceAccepted']);
      // golem-js leaves the demand behind that it has given up on.
      expect(devnet.open().counts).toEqual({ allocations: 0, demands: 1, agreements: 0, activities: 0 });
    });
  });
});
