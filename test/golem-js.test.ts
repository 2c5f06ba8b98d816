/**
 * golem-js, as npm has it, rents from the devnet: the devnet is a Golem network to others, too, not only to us. It runs
 * in a process of its own, which must come to its end by itself.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startDevnet, type Devnet } from '../devnet';
import { tempDir } from './support/temp-dir';

/** A line of test/support/golem-js-requestor.mjs. */
interface Line {
  event?: string;
  agreement?: string;
  provider?: string;
  providerId?: string;
  draft?: boolean;
  amount?: string;
  error?: string;
  stdout?: string;
  streaming?: string;
  [field: string]: unknown;
}

interface Effect {
  kind: string;
  agreementId?: string;
  amount?: string;
}

const dataDir = tempDir('golem-js');
let devnet: Devnet;
beforeAll(async () => {
  devnet = await startDevnet({ dataDir, paymentCycleSec: 0 });
});
afterAll(() => devnet.close());

async function runGolemJs(mode: 'oneOf' | 'manyOf'): Promise<Line[]> {
  const child = spawn(process.execPath, [join(__dirname, 'support', 'golem-js-requestor.mjs'), mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: dataDir,
    env: {
      PATH: process.env.PATH,
      YAGNA_API_URL: devnet.url,
      YAGNA_APPKEY: devnet.appKey,
      GOLEM_REGISTRY_URL: `${devnet.url}/registry`,
    },
  });
  try {
    const exited = once(child, 'exit');
    const lines: Line[] = [];
    let streaming = '';
    for await (const text of createInterface(child.stdout)) {
      const line = JSON.parse(text) as Line;
      lines.push(line);
      streaming = line.streaming ?? streaming;
      // Only now golem-js is known to listen: the end of a stream is not told again either.
      if (line.streamed === 'tick')
        writeFileSync(join(dataDir, 'vms', streaming, 'root/golem/work/stop'), '');
    }
    expect(await exited).toEqual([0, null]);
    expect(lines.filter(({ error }) => error !== undefined)).toEqual([]);
    return lines;
  } finally {
    child.kill('SIGKILL');
  }
}

/** The named events are all there, and each comes first after the one before it came first. */
function expectOrder(lines: Line[], order: string[]): void {
  const names = lines.map(({ event, draft }) => (draft ? `${event} (draft)` : event));
  const firsts = order.map((name) => ({ name, at: names.indexOf(name) }));
  expect(firsts.filter(({ at }) => at < 0)).toEqual([]);
  expect([...firsts].sort((a, b) => a.at - b.at).map(({ name }) => name)).toEqual(order);
}

async function admin<T>(path: string): Promise<T> {
  return (await (await fetch(`${devnet.adminUrl}/${path}`)).json()) as T;
}

async function expectNothingOpen(): Promise<void> {
  expect(await admin('open')).toEqual({
    counts: { allocations: 0, demands: 0, agreements: 0, activities: 0 },
    allocations: [],
    demands: [],
    agreements: [],
    activities: [],
  });
}

describe('golem-js on the devnet', () => {
  test('oneOf rents, runs, streams, stops and pays, in the order of the guide', async () => {
    const lines = await runGolemJs('oneOf');
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
    const effects = await admin<Effect[]>('effects');
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
    await expectNothingOpen();
  });

  test('manyOf rents from three providers at once, and pays each', async () => {
    const before = (await admin<Effect[]>('effects')).length;
    const lines = await runGolemJs('manyOf');
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
    const effects = (await admin<Effect[]>('effects')).slice(before);
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
      const kinds = effects.filter(({ agreementId }) => agreementId === agreement).map(({ kind }) => kind);
      for (const kind of ['agreement-approved', 'agreement-terminated', 'invoice-accepted']) {
        expect(kinds.filter((one) => one === kind)).toHaveLength(1);
      }
    }
    await expectNothingOpen();
  });
});
