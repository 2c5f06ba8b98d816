/** What reconcile plans for one job that nobody looks after: how much is reserved for it, and what is left as it is. */
import type { JobRecord } from '../activities/job-records';
import { Bills } from '../activities/orphan-bills';
import { planOf, type OrphanGroup } from '../activities/orphan-group';
import type { Agreement, DebitNote, Invoice, Yagna } from '../activities/yagna';

const MADE = '2026-01-01T00:00:00.000Z';
const ENDED = '2026-01-01T01:00:00.000Z';

const agreement = (agreementId: string): Agreement => ({
  ...{
    agreementId,
    state: 'Terminated',
    validTo: '2026-01-02T00:00:00Z',
    timestamp: MADE,
    approvedDate: MADE,
  },
  demand: { demandId: 'd', requestorId: '0x1', properties: {}, constraints: '()', timestamp: MADE },
  offer: { offerId: 'o', providerId: '0x2', properties: {}, constraints: '()', timestamp: MADE },
});

const base = {
  ...{ issuerId: '0x2', recipientId: '0x1', payeeAddr: '0x2', payerAddr: '0x1', timestamp: ENDED },
  paymentPlatform: 'erc20-holesky-tglm',
};

const invoice = (agreementId: string, amount: string, status: Invoice['status'] = 'RECEIVED'): Invoice => ({
  ...{ ...base, invoiceId: `invoice of ${agreementId}`, agreementId, amount, status },
  ...{ activityIds: ['vm'], paymentDueDate: ENDED },
});

const note = (agreementId: string, totalAmountDue: string, activityId = 'vm'): DebitNote => ({
  ...{ ...base, debitNoteId: totalAmountDue, agreementId, activityId, totalAmountDue, status: 'ACCEPTED' },
  usageCounterVector: [],
});

interface Known {
  budget?: string;
  invoices: Invoice[];
  notes?: DebitNote[];
}

async function plan({ budget, invoices, notes = [] }: Known) {
  const ever = [...new Set([...invoices, ...notes].map(({ agreementId }) => agreementId))].map(agreement);
  const yagna = {
    now: () => Date.parse('2026-06-01T00:00:00Z'),
    invoices: async () => invoices,
    debitNotes: async () => notes,
    terminationReason: async () => undefined,
  } as unknown as Yagna; // as much of it as a plan asks
  const record: JobRecord = { jobUuid: 'uuid', jobId: 'job', isAlive: false, freeJobId: 'job' };
  if (budget !== undefined) {
    const money = {
      amount: budget,
      network: 'holesky',
      driver: 'erc20',
      token: 'tglm',
      onLow: 'finish' as const,
    };
    const terms = { budget: money, platform: base.paymentPlatform, expirationSec: 1800, invoiceWaitSec: 60 };
    const tolerance = { usageSec: 10, usageRatio: 0.05 };
    record.settlement = {
      terms: { ...terms, tolerance, requestLifetimeMs: 1, allocationLifeSec: 1 } as never,
    };
  }
  const undecided = invoices.filter(({ status }) => status === 'RECEIVED');
  const holdings = {
    ...{ demands: [], agreements: [] },
    invoices: undecided.map((each) => ({ invoice: each, agreement: agreement(each.agreementId) })),
  };
  const group: OrphanGroup = { record, holdings, allocations: [], ever };
  const signal = new AbortController().signal;
  const bills = await Bills.read(yagna, MADE, signal);
  const installation = { connection: 'default', owner: 'us', requestLifetimeMs: 1, allocationLifeSec: 60 };
  const { revival, left, cleanUp } = await planOf(yagna, group, bills, installation, signal);
  return { amount: revival?.adopt.amount, left: Object.fromEntries(left), cleanUp, revival };
}

test('what an undecided invoice asks for is reserved, and no more', async () => {
  expect(await plan({ budget: '1', invoices: [invoice('a', '0.25')] })).toMatchObject({
    ...{ amount: '0.25', left: {}, cleanUp: false },
    revival: { invoiceWaitSec: 60, adopt: { overdue: [] } },
  });
});

test('an invoice for more than is left of the budget is left as it is', async () => {
  const invoices = [invoice('paid', '0.9', 'SETTLED'), invoice('late', '0.2')];
  const planned = await plan({ budget: '1', invoices });
  expect(planned.revival).toBeUndefined();
  expect(planned.cleanUp).toBe(false);
  expect(planned.left).toEqual({
    'invoice of late': "it asks for more than the 0.1 GLM left of the job's budget",
  });
});

test('several invoices are taken as far as the budget goes', async () => {
  const invoices = [invoice('a', '0.6'), invoice('b', '0.5'), invoice('c', '0.4')];
  const planned = await plan({ budget: '1', invoices });
  expect(planned.amount).toBe('1');
  expect(Object.keys(planned.left)).toEqual(['invoice of b']);
});

test('what was accepted by debit notes is in the invoice, and counts once', async () => {
  const notes = [note('a', '0.3'), note('a', '0.8'), note('a', '0.1', 'second vm')];
  const planned = await plan({ budget: '1', invoices: [invoice('a', '1')], notes });
  // Of the budget 0.1 is left, and it asks for just that beyond its notes.
  expect(planned).toMatchObject({ amount: '0.1', left: {} });
});

test('where nobody knows the budget any more, what is owed is reserved', async () => {
  const planned = await plan({ invoices: [invoice('a', '2'), invoice('b', '3', 'ACCEPTED')] });
  expect(planned).toMatchObject({
    amount: '2',
    revival: {
      platform: 'erc20-holesky-tglm',
      budget: { amount: '2', driver: 'erc20', network: 'holesky', token: 'tglm', onLow: 'finish' },
    },
  });
});

test('an agreement whose invoice is long overdue is not waited for again', async () => {
  const planned = await plan({
    budget: '1',
    invoices: [invoice('a', '0.1')],
    notes: [note('silent', '0.2')],
  });
  expect(planned.revival?.adopt.overdue).toEqual(['silent']);
});
