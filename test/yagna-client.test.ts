/** The one place that speaks HTTP to yagna, against recorded answers of a real one. */
import { Connections, toFailure, YagnaError, type Yagna } from '../activities/yagna';
import {
  recording,
  respond,
  respondAsRecorded,
  startFakeYagna,
  type Exchange,
  type FakeYagna,
  type SeenRequest,
} from './support/recorded-yagna';

const APP_KEY = 'a-key-that-must-not-show';
let fake: FakeYagna;
let yagna: Yagna;

beforeEach(async () => {
  fake = await startFakeYagna();
  yagna = new Connections({ YAGNA_APPKEY: APP_KEY, YAGNA_API_URL: fake.url }).get();
});
afterEach(() => fake.close());

/** The n-th exchange of a recording that fits. */
function find(file: string, method: string, path: RegExp, fits: Partial<Exchange> = {}, n = 0): Exchange {
  const found = recording(file).filter(
    (exchange) =>
      exchange.method === method &&
      path.test(exchange.path) &&
      Object.entries(fits).every(
        ([key, value]) => JSON.stringify(exchange[key as keyof Exchange]) === JSON.stringify(value),
      ),
  )[n];
  if (found === undefined)
    throw new Error(`${file} has no ${method} ${String(path)} ${JSON.stringify(fits)}`);
  return found;
}

/** Makes a call that yagna answers as recorded, and checks that it went where the recorded one went. */
async function replay<T>(
  exchange: Exchange,
  call: (parts: string[]) => Promise<T>,
): Promise<{ result: T; request: SeenRequest }> {
  fake.answer = (_, response) => respondAsRecorded(response, exchange);
  const parts = exchange.path.split('/').slice(3);
  let result: T;
  try {
    result = await call(parts);
  } finally {
    const request = fake.requests.at(-1);
    expect([request?.method, request?.path]).toEqual([exchange.method, exchange.path]);
    expect(request?.headers.authorization).toBe(`Bearer ${APP_KEY}`);
  }
  const request = fake.requests.at(-1);
  if (request === undefined) throw new Error('no request was made');
  return { result, request };
}

async function failing(promise: Promise<unknown>): Promise<YagnaError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof YagnaError)) throw new Error(`no YagnaError but ${String(error)}`);
  return error;
}

describe('version and identity', () => {
  test('are read', async () => {
    const version = find('a1_auth_version_identity_net', 'GET', /version/);
    expect((await replay(version, () => yagna.version())).result).toBe('0.17.6-nightly');
    const me = find('a1_auth_version_identity_net', 'GET', /\/me$/, { status: 200 });
    expect((await replay(me, () => yagna.me())).result).toEqual({
      identity: '0x1fe3a5dc71ccb473347ebdb21d9cffdbfe44283d',
      name: 'autoconfigured',
    });
  });

  test('a refused key is a failure that no retry can help, and is not shown', async () => {
    const refused = find('a1_auth_version_identity_net', 'GET', /\/me$/, {
      responseBody: 'Invalid application key',
    });
    const error = await failing(replay(refused, () => yagna.me()));
    expect(error).toMatchObject({ kind: 'unauthorized', status: 401, detail: 'Invalid application key' });
    expect(toFailure(error)).toMatchObject({ type: 'YagnaUnauthorized', nonRetryable: true });
    expect(JSON.stringify(error) + error.message + String(error.stack)).not.toContain(APP_KEY);
  });
});

describe('allocations', () => {
  test('a list is complete: no maxItems is sent', async () => {
    const list = find('a2_allocations', 'GET', /allocations$/, { note: 'list (order, fields)' });
    const { result, request } = await replay(list, () => yagna.allocations());
    expect(request.query).toEqual({});
    expect(result).toHaveLength((list.responseBody as unknown[]).length);
    expect(Object.keys(result[0] ?? {}).sort()).toEqual(
      [
        'address',
        'allocationId',
        'paymentPlatform',
        'remainingAmount',
        'spentAmount',
        'timeout',
        'timestamp',
        'totalAmount',
      ].sort(),
    );
  });

  test('a new one keeps its timeout to the microsecond', async () => {
    const created = find('c1_full_flow', 'POST', /allocations$/);
    const sent = created.requestBody as { totalAmount: string; paymentPlatform: string; timeout: string };
    const { result, request } = await replay(created, () =>
      yagna.createAllocation({ ...sent, address: '0xus' }),
    );
    expect(request.body).toEqual({ ...sent, address: '0xus', makeDeposit: false });
    expect(request.query).toEqual({});
    expect(result).toMatchObject({ totalAmount: '5', timeout: '2026-11-22T05:53:28.114085Z' });
  });

  test("too little money is a bad request in yagna's own words", async () => {
    const refused = find('a2_allocations', 'POST', /allocations$/, {
      status: 400,
      contentType: 'application/problem+json',
    });
    const error = await failing(
      replay(refused, () =>
        yagna.createAllocation({ totalAmount: '100000', paymentPlatform: 'p', address: '0x', timeout: 'x' }),
      ),
    );
    expect(error).toMatchObject({ kind: 'badRequest', status: 400, certainlyNoEffect: true });
    expect(error.detail).toMatch(/Insufficient funds to create the allocation/);
    expect(toFailure(error, { badRequest: 'BudgetNotReserved' })).toMatchObject({
      type: 'BudgetNotReserved',
    });
  });

  test('a foreign address is a server error that says why', async () => {
    const refused = find('a4_allocation_foreign_address', 'POST', /allocations$/);
    const error = await failing(
      replay(refused, () =>
        yagna.createAllocation({ totalAmount: '1', paymentPlatform: 'p', address: '0x', timeout: 'x' }),
      ),
    );
    expect(error.kind).toBe('server');
    expect(error.detail).toMatch(/not found in active accounts/);
  });

  test('one that is released is undefined, and releasing it again is a success', async () => {
    const missing = find('c3_invoice_payment', 'GET', /allocations\/[^/]+$/, { status: 404 });
    expect((await replay(missing, ([, id]) => yagna.allocation(id ?? ''))).result).toBeUndefined();
    for (const status of [200, 404, 410]) {
      const exchange = find('a2_allocations', 'DELETE', /allocations\//, { status });
      await replay(exchange, ([, id]) => yagna.releaseAllocation(id ?? ''));
    }
  });

  test('decorations are read for one allocation', async () => {
    const exchange = find('c1_full_flow', 'GET', /demandDecorations/);
    const id = exchange.query?.allocationIds ?? '';
    const { result, request } = await replay(exchange, () => yagna.demandDecorations(id));
    expect(request.query).toEqual({ allocationIds: id });
    expect(result.constraints).toContain('(golem.com.payment.protocol.version>1)');
    expect(result.properties).toHaveLength(2);
  });

  test('amending below what is spent is a bad request', async () => {
    const exchange = find('a2_allocations', 'PUT', /allocations\//, { status: 200 });
    const { result } = await replay(exchange, ([, id]) =>
      yagna.amendAllocation(id ?? '', { totalAmount: '3' }),
    );
    expect(result.totalAmount).toBe('3');
    const refused = find('a2_allocations', 'PUT', /allocations\//, { status: 400 });
    const call = replay(refused, ([, id]) => yagna.amendAllocation(id ?? '', { totalAmount: '-1' }));
    expect((await failing(call)).kind).toBe('badRequest');
  });
});

describe('debit notes and invoices', () => {
  test('events of every kind are asked for', async () => {
    const settled = find('c3_invoice_payment', 'GET', /invoiceEvents$/, {
      note: 'with X-Requestor-Events header',
    });
    const { result, request } = await replay(settled, () =>
      yagna.invoiceEvents({
        afterTimestamp: '2026-11-22T04:54:37.647839Z',
        timeoutSec: -1,
        appSessionId: 's',
      }),
    );
    expect(result.map((event) => event.eventType)).toEqual([
      'InvoiceReceivedEvent',
      'InvoiceAcceptedEvent',
      'InvoiceSettledEvent',
    ]);
    expect(request.headers['x-requestor-events']).toBe('RECEIVED,ACCEPTED,REJECTED,SETTLED,CANCELLED,FAILED');
    expect(request.query).toEqual({
      timeout: '0',
      afterTimestamp: '2026-11-22T04:54:37.647839Z',
      maxEvents: '100',
      appSessionId: 's',
    });
    const notes = find('c2_debit_notes', 'GET', /debitNoteEvents$/, { status: 200 });
    const query = { afterTimestamp: '2026-11-22T04:53:27.114043Z', timeoutSec: 30 };
    const read = await replay(notes, () => yagna.debitNoteEvents(query));
    expect(read.result.length).toBeGreaterThan(5);
    expect(read.request.headers['x-requestor-events']).toContain('SETTLED');
  });

  test('a debit note has its amount as text and its counters', async () => {
    const exchange = find('c2_debit_notes', 'GET', /debitNotes\/[^/]+$/, { status: 200 });
    const { result } = await replay(exchange, ([, id]) => yagna.debitNote(id ?? ''));
    expect(result).toMatchObject({
      totalAmountDue: '0.001450487635200000',
      usageCounterVector: [0.496092, 7.004392176],
      status: 'RECEIVED',
    });
    expect(result?.paymentDueDate).toBeUndefined();
  });

  test('an invoice, and one that yagna does not know', async () => {
    const exchange = find('c3_invoice_payment', 'GET', /invoices\/[^/]+$/, { status: 200 });
    const { result } = await replay(exchange, ([, id]) => yagna.invoice(id ?? ''));
    expect(result).toMatchObject({ amount: '0.013705257582600000', status: 'RECEIVED' });
    const missing = find('a3_documents_empty', 'GET', /invoices\/nonsense$/);
    expect((await replay(missing, () => yagna.invoice('nonsense'))).result).toBeUndefined();
  });

  test.each([
    ['1.4504876352E-3', '0.0014504876352'],
    ['0E-18', '0'],
    ['-0e5', '0'],
    ['25e+1', '250'],
    ['0.001450487635200000', '0.001450487635200000'],
    // What is beyond all bounds is not written out, and stays what nobody pays.
    ['1e999999999', '9'.repeat(60)],
    ['-1e99999999999999999999', `-${'9'.repeat(60)}`],
    ['1e-999999999', `0.${'0'.repeat(59)}1`],
  ])('the amount %s is read as %s', async (written, amount) => {
    const exchange = find('c2_debit_notes', 'GET', /debitNotes\/[^/]+$/, { status: 200 });
    const responseBody = { ...(exchange.responseBody as object), totalAmountDue: written };
    const { result } = await replay({ ...exchange, responseBody }, ([, id]) => yagna.debitNote(id ?? ''));
    expect(result?.totalAmountDue).toBe(amount);
  });

  test('lists are complete: no maxItems is sent', async () => {
    const notes = find('c2_debit_notes', 'GET', /debitNotes$/);
    const read = await replay(notes, () => yagna.debitNotes());
    expect([read.result.length, read.request.query]).toEqual([7, {}]);
    const invoices = find('c3_invoice_payment', 'GET', /invoices$/);
    const after = { afterTimestamp: '2026-11-22T04:00:00Z' };
    const { result, request } = await replay(invoices, () => yagna.invoices(after));
    expect([result.length, request.query]).toEqual([2, after]);
  });

  test('accepting, and accepting again, succeeds', async () => {
    for (const note of ['accept', 'accept twice']) {
      const exchange = find('c3_invoice_payment', 'POST', /accept$/, { note });
      const { request } = await replay(exchange, ([, id]) =>
        yagna.acceptInvoice(id ?? '', '0.013705257582600000', 'b979da1b-0491-4627-9fa2-419b81a308e9'),
      );
      expect(request.body).toEqual(exchange.requestBody);
    }
    const note = find('c2_debit_notes', 'POST', /accept$/, { status: 200 });
    await replay(note, ([, id]) => yagna.acceptDebitNote(id ?? '', '1', 'allocation'));
  });

  test.each([
    ['wrong amount', /^Invalid amount accepted/],
    ['tiny allocation', /^Not enough funds/],
    ['released allocation', /^Allocation .* not found/],
  ])('accepting with %s says why not', async (note, words) => {
    const exchange = find('c3_invoice_payment', 'POST', /accept$/, { note });
    const error = await failing(replay(exchange, ([, id]) => yagna.acceptInvoice(id ?? '', '1', 'a')));
    expect(error).toMatchObject({ kind: 'badRequest', certainlyNoEffect: true });
    expect(error.detail).toMatch(words);
  });

  test('an invoice is rejected with a reason, unless it is accepted', async () => {
    const rejection = {
      rejectionReason: 'INCORRECT_AMOUNT',
      totalAmountAccepted: '0',
      message: 'no',
    } as const;
    const exchange = find('e3_provider_terminates', 'POST', /reject$/, { status: 200 });
    const { request } = await replay(exchange, ([, id]) => yagna.rejectInvoice(id ?? '', rejection));
    expect(request.body).toEqual(exchange.requestBody);
    const refused = find('c3_invoice_payment', 'POST', /reject$/, { note: 'reject accepted' });
    const error = await failing(replay(refused, ([, id]) => yagna.rejectInvoice(id ?? '', rejection)));
    expect(error).toMatchObject({ kind: 'badRequest', detail: 'Invoice accepted' });
  });
});

describe('demands and proposals', () => {
  test('a demand is subscribed, listed with its properties, and unsubscribed twice', async () => {
    const created = find('c1_full_flow', 'POST', /demands$/);
    const demand = created.requestBody as { properties: Record<string, unknown>; constraints: string };
    const { result, request } = await replay(created, () => yagna.subscribeDemand(demand));
    expect(result).toBe(created.responseBody);
    expect(request.body).toEqual(demand);
    const list = find('b1_market_demands', 'GET', /demands$/, { status: 200 }, 1);
    const demands = (await replay(list, () => yagna.demands())).result;
    expect(demands).toHaveLength((list.responseBody as unknown[]).length);
    for (const status of [204, 404]) {
      const exchange = find('b1_market_demands', 'DELETE', /demands\//, { status });
      await replay(exchange, ([, id]) => yagna.unsubscribeDemand(id ?? ''));
    }
  });

  test('offers, and a rejection of our counter-proposal', async () => {
    const offers = find('c1_full_flow', 'GET', /events$/);
    const poll = { timeoutSec: 10, maxEvents: 10 };
    const { result, request } = await replay(offers, ([, id]) => yagna.demandEvents(id ?? '', poll));
    expect(request.query).toEqual({ timeout: '10', maxEvents: '10' });
    expect(result[0]).toMatchObject({
      eventType: 'ProposalEvent',
      proposal: {
        state: 'Initial',
        properties: { 'golem.com.pricing.model.linear.coeffs': [0.0001, 0.0002, 0] },
      },
    });
    const busy = find('b3_provider_busy', 'GET', /events$/, { note: 'expect ProposalRejected' });
    const rejected = await replay(busy, ([, id]) => yagna.demandEvents(id ?? '', { timeoutSec: 15 }));
    expect(rejected.result).toMatchObject([
      {
        eventType: 'ProposalRejectedEvent',
        proposalId: expect.stringMatching(/^R-/) as string,
        reason: {
          message: 'No capacity available. Reached Agreements limit: 1',
          'golem.proposal.rejection.is-final': false,
        },
      },
    ]);
  });

  test('events of unknown kinds are skipped', async () => {
    const offers = find('c1_full_flow', 'GET', /events$/);
    const odd = { ...offers, responseBody: [{ eventType: 'PropertyQueryEvent', queryId: 'q' }] };
    const { result } = await replay(odd, ([, id]) => yagna.demandEvents(id ?? '', { timeoutSec: 1 }));
    expect(result).toEqual([]);
  });

  test('a demand that yagna forgot is not found', async () => {
    const gone = find('f3_requestor_restart', 'GET', /events$/, { status: 404 });
    const error = await failing(replay(gone, ([, id]) => yagna.demandEvents(id ?? '', { timeoutSec: 0 })));
    expect(error.kind).toBe('notFound');
    expect(toFailure(error, { notFound: 'AgreementEnded' })).toMatchObject({ type: 'AgreementEnded' });
  });

  test('a proposal is countered once', async () => {
    const counter = find('c1_full_flow', 'POST', /proposals\/[^/]+$/);
    const body = counter.requestBody as { properties: Record<string, unknown>; constraints: string };
    const call = ([, demandId, , proposalId]: string[]) =>
      yagna.counterProposal(demandId ?? '', proposalId ?? '', body);
    const { result, request } = await replay(counter, call);
    expect(result).toBe(counter.responseBody);
    expect(request.body).toEqual(body);
    const second = find('b2_proposals_agreements', 'POST', /proposals\/[^/]+$/, { status: 410 });
    expect((await failing(replay(second, call))).kind).toBe('gone');
  });
});

describe('agreements', () => {
  test('are created, confirmed and waited for', async () => {
    const created = find('c1_full_flow', 'POST', /agreements$/);
    const body = created.requestBody as { proposalId: string; validTo: string };
    const { result, request } = await replay(created, () =>
      yagna.createAgreement(body.proposalId, body.validTo),
    );
    expect([result, request.body]).toEqual([created.responseBody, body]);
    const confirmed = find('c1_full_flow', 'POST', /confirm$/);
    const confirm = await replay(confirmed, ([, id]) => yagna.confirmAgreement(id ?? '', 'yg-flow'));
    expect(confirm.request.query).toEqual({ appSessionId: 'yg-flow' });
    const waited = find('c1_full_flow', 'POST', /wait$/);
    const wait = await replay(waited, ([, id]) => yagna.waitForApproval(id ?? '', 15));
    expect([wait.result, wait.request.query]).toEqual(['Approved', { timeout: '15' }]);
  });

  test('a second one for the same proposal is a conflict', async () => {
    const exchange = find('b2_proposals_agreements', 'POST', /agreements$/, { status: 409 });
    expect((await failing(replay(exchange, () => yagna.createAgreement('R-1', 'x')))).kind).toBe('conflict');
  });

  test.each([
    ['wait 3s no answer', 'timeout'],
    ['expect Rejected', { rejected: 'Rejected' }],
    ['wait after cancel', { ended: 'Cancelled' }],
    ['wait expired', { ended: expect.stringMatching(/expired/) as string }],
  ])('waiting: %s', async (note, outcome) => {
    const exchange = find('e1_agreement_edges', 'POST', /wait$/, { note });
    const { result } = await replay(exchange, ([, id]) => yagna.waitForApproval(id ?? '', 3));
    expect(result).toEqual(outcome);
  });

  test('are read with both sides, and undefined when unknown', async () => {
    const exchange = find('c1_full_flow', 'GET', /agreements\/[^/]+$/);
    const { result } = await replay(exchange, ([, id]) => yagna.agreement(id ?? ''));
    expect(result).toMatchObject({
      state: 'Approved',
      appSessionId: 'yg-flow',
      demand: { properties: { 'golem.com.payment.chosen-platform': 'erc20-holesky-tglm' } },
      offer: { providerId: '0x1e34baec996c448814b48eb4fbd908bea004da61' },
    });
    const missing = find('b2_proposals_agreements', 'GET', /agreements\/[^/]+$/, { status: 404 });
    expect((await replay(missing, ([, id]) => yagna.agreement(id ?? ''))).result).toBeUndefined();
  });

  test('are listed by session and state', async () => {
    const exchange = find('b2_proposals_agreements', 'GET', /agreements$/, {
      query: { appSessionId: 'yg-sess-1' },
    });
    const { result, request } = await replay(exchange, () => yagna.agreements({ appSessionId: 'yg-sess-1' }));
    expect(request.query).toEqual({ appSessionId: 'yg-sess-1' });
    expect(result).toMatchObject([{ role: 'Requestor', id: expect.any(String) as string }]);
  });

  test('ending one twice is a success, ending one that is not approved is not', async () => {
    const reason = { message: 'done', 'golem.requestor.code': 'Cancelled' };
    const end = ([, id]: string[]) => yagna.terminateAgreement(id ?? '', reason);
    const ended = find('b2_proposals_agreements', 'POST', /terminate$/, { status: 200 });
    const { result, request } = await replay(ended, end);
    expect([result, request.body]).toEqual(['terminated', reason]);
    for (const note of ['terminate after expiry', 'terminate rejected']) {
      const exchange = find('e1_agreement_edges', 'POST', /terminate$/, { note });
      expect((await replay(exchange, end)).result).toBe('alreadyEnded');
    }
    const again = find('b2_proposals_agreements', 'POST', /terminate$/, { status: 410 });
    expect((await replay(again, end)).result).toBe('alreadyEnded');
    const pending = find('e1_agreement_edges', 'POST', /terminate$/, { note: 'terminate Pending' });
    expect((await failing(replay(pending, end))).kind).toBe('gone');
    const proposal = find('b2_proposals_agreements', 'POST', /terminate$/, { status: 409 });
    expect((await failing(replay(proposal, end))).kind).toBe('conflict');
  });

  test('one whose provider is away is not ended, and can be tried again', async () => {
    const exchange = find('f2_provider_node_down', 'POST', /terminate$/, { status: 500 });
    const call = replay(exchange, ([, id]) => yagna.terminateAgreement(id ?? '', { message: 'x' }));
    const error = await failing(call);
    expect(error).toMatchObject({ kind: 'gone', status: 500 });
    expect(toFailure(error)).toMatchObject({ type: 'YagnaUnavailable', nonRetryable: false });
  });

  test('a pending one is cancelled', async () => {
    const exchange = find('e1_agreement_edges', 'POST', /cancel$/, { status: 200 });
    const cancel = ([, id]: string[]) => yagna.cancelAgreement(id ?? '', { message: 'changed my mind' });
    expect((await replay(exchange, cancel)).request.body).toEqual({ message: 'changed my mind' });
    const late = find('e1_agreement_edges', 'POST', /cancel$/, { note: 'cancel after expiry' });
    expect((await failing(replay(late, cancel))).kind).toBe('gone');
  });

  test("the provider's reason for ending is read, with its code", async () => {
    const exchange = find('e3_provider_terminates', 'GET', /terminate\/reason$/);
    const { result } = await replay(exchange, ([, id]) => yagna.terminationReason(id ?? ''));
    expect(result).toMatchObject({
      terminator: 'Provider',
      reason: { 'golem.provider.code': 'DebitNotesDeadline' },
    });
    const none = find('e1_agreement_edges', 'GET', /terminate\/reason$/, { note: 'reason of cancelled' });
    expect((await replay(none, ([, id]) => yagna.terminationReason(id ?? ''))).result).toBeUndefined();
  });

  test('events of all sessions', async () => {
    const exchange = find('c3_invoice_payment', 'GET', /agreementEvents$/);
    const { result, request } = await replay(exchange, () =>
      yagna.agreementEvents({ afterTimestamp: '2026-11-22T04:53:27.114043Z', timeoutSec: 0 }),
    );
    expect(request.query).toEqual({
      timeout: '0',
      afterTimestamp: '2026-11-22T04:53:27.114043Z',
      maxEvents: '100',
    });
    expect(result.map((event) => event.eventType)).toEqual([
      'AgreementApprovedEvent',
      'AgreementTerminatedEvent',
    ]);
  });
});

describe('Golem activities', () => {
  const activityId = (parts: string[]) => parts[1] ?? '';

  test('one is created, listed and belongs to its agreement', async () => {
    const created = find('c1_full_flow', 'POST', /activity$/, { note: 'create' });
    const { result, request } = await replay(created, () => yagna.createGolemActivity('an-agreement', 30));
    expect(result).toBe('c86434a554064bd8b3528364bd8bedb9');
    expect([request.body, request.query]).toEqual([{ agreementId: 'an-agreement' }, { timeout: '30' }]);
    const list = find('c1_full_flow', 'GET', /activity$/);
    const listed = await replay(list, () => yagna.golemActivities('an-agreement'));
    expect([listed.result, listed.request.query]).toEqual([[result], { agreementId: 'an-agreement' }]);
    const belongs = find('c1_full_flow', 'GET', /agreement$/);
    const agreementId = (await replay(belongs, (parts) => yagna.activityAgreement(activityId(parts)))).result;
    expect(agreementId).toBe(belongs.responseBody);
  });

  test('an unknown agreement has none; a yagna without that call is told apart', async () => {
    const unknown = find('e2_activity_edges', 'GET', /activity$/, { status: 404 });
    expect((await replay(unknown, () => yagna.golemActivities('d'))).result).toEqual([]);
    const noCall = { ...unknown, responseBody: null };
    expect((await failing(replay(noCall, () => yagna.golemActivities('d')))).kind).toBe('notFound');
  });

  test('a silent provider is a timeout whose effect is unknown', async () => {
    const exchange = find('f2_provider_node_down', 'POST', /activity$/, { status: 408 });
    const error = await failing(replay(exchange, () => yagna.createGolemActivity('a', 3)));
    expect(error).toMatchObject({ kind: 'timeout', certainlyNoEffect: false });
  });

  test('a second one at a time is refused in words', async () => {
    const exchange = find('e2_activity_edges', 'POST', /activity$/, { status: 500 });
    const error = await failing(replay(exchange, () => yagna.createGolemActivity('a', 3)));
    expect(error).toMatchObject({
      kind: 'server',
      detail: expect.stringMatching(/Only single Activity allowed/) as string,
    });
  });

  test('state and usage, also of one that has ended and of one nobody knows', async () => {
    const running = find('c1_full_flow', 'GET', /state$/, { note: 'while running' });
    const state = (parts: string[]) => yagna.golemActivityState(activityId(parts));
    expect((await replay(running, state)).result?.state).toEqual(['Ready', 'Ready']);
    const ended = find('e3_provider_terminates', 'GET', /state$/);
    expect((await replay(ended, state)).result).toMatchObject({
      state: ['Terminated', null],
      reason: expect.stringMatching(/^Interrupted by signal/) as string,
    });
    const unknown = find('e2_activity_edges', 'GET', /state$/, { status: 500 });
    expect((await replay(unknown, state)).result).toBeUndefined();
    const early = find('c1_full_flow', 'GET', /usage$/);
    const usage = (parts: string[]) => yagna.golemActivityUsage(activityId(parts));
    expect((await replay(early, usage)).result).toEqual({ timestamp: 1795323208 });
    const late = find('c3_invoice_payment', 'GET', /usage$/);
    expect((await replay(late, usage)).result?.currentUsage).toEqual([1.006692, 58.005344884]);
  });

  test('destroying is a success when it is gone or unknown, not when the provider is silent', async () => {
    const destroy = (parts: string[]) => yagna.destroyGolemActivity(activityId(parts));
    await replay(find('c3_invoice_payment', 'DELETE', /activity\/\w+$/), destroy);
    await replay(find('c3_invoice_payment', 'DELETE', /activity\/\w+$/, { note: 'destroy twice' }), destroy);
    await replay(find('e2_activity_edges', 'DELETE', /activity\/\w+$/, { status: 500 }), destroy);
    const gone = find('c3_invoice_payment', 'POST', /exec$/, { note: 'exec after destroy' });
    const deleted = find('c3_invoice_payment', 'DELETE', /activity\/\w+$/);
    await replay({ ...deleted, status: 500, responseBody: gone.responseBody }, destroy);
    const silent = find('f2_provider_node_down', 'DELETE', /activity\/\w+$/, { status: 408 });
    expect((await failing(replay(silent, destroy))).kind).toBe('timeout');
  });
});

describe('an empty answer does not say that there is no such thing', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['an allocation', () => yagna.allocation('x')],
    ['what was spent from one', () => yagna.spentFrom('x')],
    ['a debit note', () => yagna.debitNote('x')],
    ['an invoice', () => yagna.invoice('x')],
    ['an agreement', () => yagna.agreement('x')],
    ['the end of an agreement', () => yagna.terminationReason('x')],
    ['the state of a Golem activity', () => yagna.golemActivityState('x')],
    ['its usage', () => yagna.golemActivityUsage('x')],
    ['its agreement', () => yagna.activityAgreement('x')],
    ['the Golem activities of an agreement', () => yagna.golemActivities('x')],
  ])('%s', async (_, call) => {
    fake.answer = (_request, response) => respond(response, 200);
    const error = await failing(call());
    expect(error).toMatchObject({
      kind: 'incompatible',
      detail: expect.stringMatching(/is missing$/) as string,
    });
  });
});

describe('scripts', () => {
  const results = (query: { timeoutSec?: number; commandIndex?: number }) => (parts: string[]) =>
    yagna.batchResults(parts[1] ?? '', parts[3] ?? '', query);

  test('are sent as text', async () => {
    const exchange = find('c1_full_flow', 'POST', /exec$/, { note: 'deploy+start' });
    const { result, request } = await replay(exchange, (parts) =>
      yagna.exec(parts[1] ?? '', [{ deploy: {} }, { start: { args: [] } }]),
    );
    expect(result).toBe('d8b68bb83f2149d2b9648c7ef8d0f00f');
    expect(JSON.parse((request.body as { text: string }).text)).toEqual([
      { deploy: {} },
      { start: { args: [] } },
    ]);
  });

  test('are certainly not started in a VM that is gone', async () => {
    const exchange = find('c3_invoice_payment', 'POST', /exec$/, { note: 'exec after destroy' });
    const error = await failing(replay(exchange, (parts) => yagna.exec(parts[1] ?? '', [])));
    expect(error).toMatchObject({ kind: 'gone', status: 500, certainlyNoEffect: true });
  });

  test('results so far are read without waiting', async () => {
    const exchange = find('c1_full_flow', 'GET', /exec\/\w+$/, { note: 'all' });
    const { result, request } = await replay(exchange, results({}));
    expect(request.query).toEqual({});
    expect(result).toMatchObject([
      { index: 0, result: 'Ok', stderr: null, message: null },
      { index: 1, result: 'Ok', stdout: null, isBatchFinished: true },
    ]);
  });

  test('a command is waited for by its index, and a wait that ends is no error', async () => {
    const ended = find('c1_full_flow', 'GET', /exec\/\w+$/, { note: 'commandIndex=1' });
    const { result, request } = await replay(ended, results({ timeoutSec: 30, commandIndex: 1 }));
    expect(request.query).toEqual({ timeout: '30', commandIndex: '1' });
    expect(result).toHaveLength(2);
    const late = find('c1_full_flow', 'GET', /exec\/\w+$/, { note: 'commandIndex out of range' });
    expect((await replay(late, results({ timeoutSec: 2, commandIndex: 7 }))).result).toBe('timeout');
  });

  test("a failed command carries yagna's message", async () => {
    const exchange = find('c1_full_flow', 'GET', /exec\/\w+$/, { note: 'failure' });
    expect((await replay(exchange, results({ timeoutSec: 30 }))).result).toMatchObject([
      { result: 'Error', message: 'ExeScript command exited with code 3' },
    ]);
  });

  test('output in bytes becomes text, with what is no UTF-8 replaced', async () => {
    const exchange = recording('e2_activity_edges').find((one) =>
      JSON.stringify(one.responseBody ?? null).includes('[97,98,99,255]'),
    );
    if (exchange === undefined) throw new Error('the recording has no binary output');
    expect((await replay(exchange, results({ timeoutSec: 30 }))).result).toMatchObject([
      { stdout: 'abc\uFFFD' },
    ]);
  });

  test('an unknown script is not found, a VM that is gone says so', async () => {
    const unknown = find('c1_full_flow', 'GET', /exec\/\w+$/, { status: 404 });
    expect((await failing(replay(unknown, results({ timeoutSec: 1 })))).kind).toBe('notFound');
    const gone = find('c3_invoice_payment', 'GET', /exec\/\w+$/, { status: 500 });
    expect((await failing(replay(gone, results({ timeoutSec: 1 })))).kind).toBe('gone');
  });
});
