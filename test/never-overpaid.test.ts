/** Providers that ask for too much, through a proxy that changes their documents: they are told no, and why. */
import { Decimal } from 'decimal.js';
import { providerNodeId } from '../devnet/identity';
import { exact, toAmount } from '../model/amount';
import { brokenNetwork } from './support/broken-network';
import type { Gate } from './support/gate';
import { expectAllPaidOnce, since } from './support/proof';
import { NOTHING_OPEN, type World } from './support/world';

const NOTE = /^GET .*\/debitNotes\/[\w-]+$/;
const INVOICE = /^GET .*\/invoices\/[\w-]+$/;
const ACCEPT_NOTE = /^POST .*\/debitNotes\/[\w-]+\/accept$/;
const REJECT_INVOICE = /^POST .*\/invoices\/[\w-]+\/reject$/;
const INVOICE_EVENTS = /^GET .*\/invoiceEvents$/;
const AGREEMENT = /^GET .*\/agreements\/\w+$/;
const TERMINATION = /^GET .*\/terminate\/reason$/;

const CHEAP = 'cheap';
const PROVIDERS = [
  { name: CHEAP, pricing: { start: '0', cpuPerHour: '0.01', envPerHour: '0.01' } },
  { name: 'dear', pricing: { start: '0.01', cpuPerHour: '0.2', envPerHour: '0.1' } },
];

let world: World;
let gate: Gate;
let began: number;

const proxy = brokenNetwork(
  {
    devnet: { paymentCycleSec: 0.1, providers: PROVIDERS },
  },
  (network) => {
    ({ world, gate, began } = network);
  },
);

interface Note {
  totalAmountDue: string;
  usageCounterVector: unknown;
  agreementId: string;
  activityId: string;
}
interface Invoice {
  invoiceId: string;
  agreementId: string;
  amount: string;
  status: string;
}

/** To the 18 decimals that can be paid. */
const times = (amount: string, factor: number): string => new Decimal(amount).times(factor).toFixed(18);

/** A job on the cheap provider with a debit note each second. */
const JOB = {
  image: 'golem/alpine:latest',
  budget: '1',
  demand: { midAgreementDebitNoteIntervalSec: 1, debitNotesAcceptanceTimeoutSec: 60 },
};

/** A task that waits until the gate is open. */
const waits = (): object => ({ commands: [gate.command] });

/** Waits until there were so many of a kind. */
async function effects(kind: string, count: number): Promise<void> {
  let after = began;
  for (let n = 0; n < count; n++) after = (await world.effect(kind, after)).seq;
}

async function failures(jobId: string): Promise<string[]> {
  const { events } = await world.golem.events(jobId);
  return events.filter(({ name }) => name === 'PaymentFailed').map(({ details }) => String(details.reason));
}

describe('a debit note', () => {
  /** The cheap provider's notes are changed; the job then ends elsewhere, and only honest invoices are paid. */
  async function isRefused(change: (note: Note) => void): Promise<{ reason: string; jobId: string }> {
    const changed = new Set<string>();
    const cheater = new Set<string>();
    let isAtWork = false;
    void gate.visitor().then(() => (isAtWork = true));
    proxy.rewrite<Note>(NOTE, (note, { path }) => {
      // An agreement that ends before the task is there ends without it.
      if (!isAtWork) return;
      const [first] = cheater;
      if (first === undefined) cheater.add(note.agreementId);
      if (!cheater.has(note.agreementId)) return;
      changed.add(path);
      change(note);
    });
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: [waits()] });
    const terminated = await world.effect('agreement-terminated', began);
    gate.open();
    const result = await world.golem.result(jobId);
    expect(result.state).toBe('done');
    expect(result.tasks[0]?.attempts).toMatchObject([
      { provider: { name: CHEAP }, agreementId: terminated.agreementId, state: 'lost' },
      { provider: { name: 'dear' }, state: 'done' },
    ]);
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
    for (const path of changed) expect(proxy.calls).not.toContain(`POST ${path}/accept`);
    const [reason = ''] = await failures(jobId);
    return { reason, jobId };
  }

  test('that asks for more than its usage costs is not accepted, and its agreement ends', async () => {
    const { reason } = await isRefused((note) => {
      note.totalAmountDue = times(note.totalAmountDue, 1.01);
    });
    expect(reason).toMatch(/^debit note refused: it asks for .* but its usage costs/);
  });

  test('that claims more time than has passed is not accepted, whatever it asks for', async () => {
    const { reason } = await isRefused((note) => {
      note.usageCounterVector = [0, 100_000];
    });
    expect(reason).toMatch(/claims golem.usage.duration_sec 100000, but only/);
  });

  test.each([
    ['nothing', null],
    ['words', ['much', 'more']],
    ['holes', [null, null]],
    ['an object', { cpu: 1 }],
    ['less than nothing', [-1, -1]],
    ['too few counters', [1]],
  ])('whose usage is %s is not accepted', async (_what, usage) => {
    const { reason } = await isRefused((note) => {
      note.usageCounterVector = usage;
    });
    expect(reason).toMatch(/^debit note refused: /);
  });

  test('for a VM that is not ours is not accepted', async () => {
    const { reason } = await isRefused((note) => {
      note.activityId = 'f'.repeat(32);
    });
    expect(reason).toMatch(/an activity that the job does not know/);
  });

  test('refused once, its provider gets no more of the job', async () => {
    let first: string | undefined;
    proxy.rewrite<Note>(
      NOTE,
      (note) => {
        note.totalAmountDue = times(note.totalAmountDue, 2);
      },
      { when: ({ path }) => path === (first ??= path) },
    );
    const { jobId } = await world.golem.startJob({
      ...JOB,
      providers: { max: 1 },
      tasks: [waits(), 'echo two', 'echo three'],
    });
    await world.effect('agreement-terminated', began);
    gate.open();
    const result = await world.golem.result(jobId);
    const done = result.tasks.map(({ attempts }) => attempts.at(-1)?.provider.name);
    expect(done).toEqual(['dear', 'dear', 'dear']);
    await world.golem.settled(jobId);
    expect((await since(world, began)).count('agreement-approved')).toBe(2);
  });

  interface Halves {
    demand: { properties: Record<string, unknown> };
    offer: { properties: Record<string, unknown> };
  }
  const INTERVAL = 'golem.com.scheme.payu.debit-note.interval-sec?';

  // As far as the worker can see; the provider sends one each second.
  test.each<[string, (halves: Halves) => void]>([
    ['than both sides signed', ({ offer }) => (offer.properties[INTERVAL] = 60)],
    [
      'than was asked for, which its draft left out,',
      ({ demand, offer }) => {
        demand.properties[INTERVAL] = 60;
        delete offer.properties[INTERVAL];
      },
    ],
  ])('that comes sooner %s ends the agreement with the reason of the protocol', async (_what, sign) => {
    proxy.rewrite<Halves>(AGREEMENT, (agreement) => void sign(agreement));
    const { jobId } = await world.golem.startJob({
      ...JOB,
      tasks: [{ ...waits(), maxAttempts: 1 }],
    });
    const { reason } = await world.effect('agreement-terminated', began);
    expect(reason).toMatchObject({ 'golem.requestor.code': 'TooManyDebitNotes' });
    await world.golem.result(jobId);
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
  });
});

test('debit notes in the rhythm agreed are all accepted', async () => {
  const { jobId } = await world.golem.startJob({ ...JOB, tasks: [waits()] });
  await effects('debit-note-accepted', 3);
  gate.open();
  expect((await world.golem.result(jobId)).state).toBe('done');
  await world.golem.settled(jobId);
  const all = await expectAllPaidOnce(world, began);
  expect(all.count('debit-note-accepted')).toBe(all.count('debit-note-issued'));
  expect(all.count('agreement-approved')).toBe(1);
  expect(await failures(jobId)).toEqual([]);
});

test('a debit note whose acceptance hangs does not delay those of other providers', async () => {
  let hanging: string | undefined;
  const held = proxy.hold(ACCEPT_NOTE, { when: ({ path }) => path === (hanging ??= path) });
  const { jobId } = await world.golem.startJob({ ...JOB, providers: { max: 2 }, tasks: [waits(), waits()] });
  await held.reached;
  const since = Date.now();
  await effects('debit-note-accepted', 3);
  // One decision takes up to 45 s.
  expect(Date.now() - since).toBeLessThan(20_000);
  held.release();
  gate.open();
  expect((await world.golem.result(jobId)).state).toBe('done');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  await expectAllPaidOnce(world, began);
});

/** What a provider dates, dated by a clock that is off by so many seconds. */
function datesOff(bySec: number): void {
  const moved = (date: string): string => new Date(Date.parse(date) + bySec * 1000).toISOString();
  proxy.rewrite<{ approvedDate?: string }>(AGREEMENT, (agreement) => {
    if (agreement.approvedDate) agreement.approvedDate = moved(agreement.approvedDate);
  });
  proxy.rewrite<{ timestamp: string }>(NOTE, (note) => void (note.timestamp = moved(note.timestamp)));
  proxy.rewrite<{ timestamp: string }>(
    INVOICE,
    (invoice) => void (invoice.timestamp = moved(invoice.timestamp)),
  );
}

test.each([60, -60])('an honest provider whose clock is off by %i s is paid', async (bySec) => {
  datesOff(bySec);
  const { jobId } = await world.golem.startJob({
    ...JOB,
    // Less than the notes claim in the end.
    tolerance: { usageSec: 1, usageRatio: 0 },
    tasks: [waits()],
  });
  await effects('debit-note-accepted', 3);
  gate.open();
  expect((await world.golem.result(jobId)).state).toBe('done');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  await expectAllPaidOnce(world, began);
  expect(await failures(jobId)).toEqual([]);
});

test('what payable debit notes have paid, the invoice does not pay again', async () => {
  const { jobId } = await world.golem.startJob({
    ...JOB,
    // Notes are payable so often, and a provider that is not paid so soon ends the agreement: a busy machine needs a while.
    demand: { ...JOB.demand, midAgreementPaymentTimeoutSec: 6 },
    tasks: [waits()],
  });
  await effects('paid', 2);
  gate.open();
  expect((await world.golem.result(jobId)).state).toBe('done');
  const { money } = await world.golem.settled(jobId);
  const all = await expectAllPaidOnce(world, began);
  // yagna writes all decimals, however many are zeros.
  expect(money.paid).toBe(toAmount(exact(all.of('invoice-accepted')[0]?.amount ?? '')));
});

describe('an invoice', () => {
  test('above what the agreement can have cost is rejected with the reason, and not paid', async () => {
    // Nor do dates help that would make it cost so much.
    datesOff(-86_400);
    proxy.rewrite<{ eventDate: string }>(TERMINATION, (termination) => {
      termination.eventDate = new Date(Date.now() + 86_400_000).toISOString();
    });
    const asked = proxy.rewrite<Invoice>(INVOICE, (invoice) => {
      invoice.amount = times(invoice.amount, 1000);
    });
    const rejected = proxy.watch(REJECT_INVOICE);
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: ['sleep 1'] });
    expect((await world.golem.result(jobId)).state).toBe('done');
    const settlement = await world.golem.settled(jobId);
    expect(settlement.state).toBe('unpaid');
    expect(settlement.agreements).toMatchObject([{ state: 'rejected' }]);
    expect(asked.hits.length).toBeGreaterThan(0);
    expect(rejected.hits.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      {
        rejectionReason: 'INCORRECT_AMOUNT',
        message: expect.stringMatching(/it asks for .* cost at most/) as string,
      },
    ]);
    expect(await failures(jobId)).toMatchObject([expect.stringMatching(/it asks for/)]);
    expect((await since(world, began)).count('invoice-accepted')).toBe(0);
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });

  test('below what was accepted by debit notes is rejected: something is wrong', async () => {
    proxy.rewrite<Invoice>(INVOICE, (invoice) => {
      invoice.amount = times(invoice.amount, 0.1);
    });
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: [waits()] });
    await effects('debit-note-accepted', 1);
    gate.open();
    await world.golem.result(jobId);
    expect((await world.golem.settled(jobId)).state).toBe('unpaid');
    expect(await failures(jobId)).toMatchObject([expect.stringMatching(/less than the .* accepted before/)]);
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });

  test('that never comes is not waited for for ever, and the budget is given back', async () => {
    proxy.rewrite<object[]>(/^GET .*\/invoice(Event)?s$/, () => []);
    const { jobId } = await world.golem.startJob({ ...JOB, invoiceWaitSec: 2, tasks: ['echo done'] });
    await world.golem.result(jobId);
    const settlement = await world.golem.settled(jobId);
    expect(settlement).toMatchObject({ state: 'unpaid', agreements: [{ state: 'unpaid' }] });
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });

  test('that no event tells of is found before it is given up, and paid', async () => {
    const asked = proxy.rewrite<{ eventType: string }[]>(INVOICE_EVENTS, (events) =>
      events.filter(({ eventType }) => eventType !== 'InvoiceReceivedEvent'),
    );
    const hidden = proxy.rewrite<object[]>(/^GET .*\/invoices$/, () => []);
    const { jobId } = await world.golem.startJob({ ...JOB, invoiceWaitSec: 12, tasks: ['echo done'] });
    await world.golem.result(jobId);
    const settlement = world.client.workflow.getHandle(`${jobId}/settlement`);
    const phase = async () => (await settlement.query<{ phase: string }>('progress')).phase;
    for (let n = 1; (await phase()) !== 'settling'; n++) await asked.hit(n);
    hidden.stop();
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
  });

  test('after the accepted one is not paid', async () => {
    // A second event, and the first invoice once more under another id.
    const SECOND = '11111111-2222-4333-8444-555555555555';
    let first: Invoice | undefined;
    const ours: { agreementId?: string } = {};
    proxy.rewrite<Invoice>(INVOICE, (invoice) => {
      // Those of the jobs before may be asked for, too: whose they are is not known without.
      if (invoice.agreementId === ours.agreementId)
        first ??= { ...invoice, invoiceId: SECOND, status: 'RECEIVED' };
    });
    proxy.rewrite<object[]>(INVOICE_EVENTS, (events) =>
      events.flatMap((event) => {
        const again = { ...event, invoiceId: SECOND };
        return (event as { eventType: string }).eventType === 'InvoiceReceivedEvent'
          ? [event, again]
          : [event];
      }),
    );
    const second = `/payment-api/v1/invoices/${SECOND}`;
    proxy.answer(new RegExp(`^GET ${second}$`), 200, () => first, { times: Infinity });
    const rejected = proxy.answer(new RegExp(`^POST ${second}/reject`), 200, () => null, { times: Infinity });
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: ['sleep 1'] });
    ours.agreementId = (await world.effect('agreement-approved', began)).agreementId;
    await world.golem.result(jobId);
    await rejected.hit();
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    await expectAllPaidOnce(world, began);
    expect(proxy.calls).not.toContain(`POST ${second}/accept`);
    expect(await failures(jobId)).toEqual(['the agreement has an accepted invoice already']);
  });
});

describe('a budget that is used up', () => {
  test('by an earlier job of the same id is not the budget of this one', async () => {
    const { jobId } = await world.golem.startJob({ ...JOB, tasks: [waits()] });
    await gate.visitor();
    const money = { budget: '1', reserved: '1', accepted: '1', paid: '0', platform: '' };
    await world.client.workflow.getHandle(jobId).signal('golemSettlementUpdate', {
      ...{ jobUuid: 'earlier', seq: 1_000_000, phase: 'failed', money, refusedProviders: [] },
      failure: { type: 'BudgetExhausted', message: 'nothing is left', at: new Date().toISOString() },
    });
    gate.open();
    expect((await world.golem.result(jobId)).state).toBe('done');
    expect((await world.golem.settled(jobId)).state).toBe('settled');
  });

  test('ends the job, which says so; what does not fit is not paid', async () => {
    const { jobId } = await world.golem.startJob({
      ...JOB,
      // A start costs 0.01; the first debit note tells of more than what is left pays, however little the VM has run by then.
      budget: '0.0100001',
      providers: { deny: [providerNodeId(CHEAP)] },
      tasks: [waits()],
    });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'BudgetExhausted' });
    const settlement = await world.golem.settled(jobId);
    expect(settlement.state).toBe('unpaid');
    expect(settlement.money.paid).toBe('0');
    expect(await world.open()).toEqual(NOTHING_OPEN);
  });

  test('by the start of a VM alone rents none', async () => {
    const { jobId } = await world.golem.startJob({
      ...JOB,
      budget: '0.001',
      providers: { deny: [providerNodeId(CHEAP)] },
      tasks: [waits()],
    });
    await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'BudgetExhausted' });
    expect((await world.golem.settled(jobId)).state).toBe('settled');
    expect((await since(world, began)).count('agreement-created')).toBe(0);
  });
});
