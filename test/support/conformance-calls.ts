/**
 * Every call of yagna's OpenAPI files, and those that only the recordings have, with the status of a plain good call; and
 * where that is another one than the file says, the reason. In the order in which one requestor can make them all.
 */
import type { Requestor } from './devnet-requestor';
import { NetworkTest, SERVERS, VMS_HAVE_NODE } from './virtual-network';

/** Ids that calls have given, by the names that later paths use. */
export type Given = Record<string, string>;

export interface Call {
  /** Method and path, with names of {@link Given} in braces. */
  call: string;
  status: number;
  /** Why not the file's status; absent for calls as the file has them. */
  because?: string;
  /** It asks for a WebSocket. */
  isUpgrade?: true;
  body?(given: Given): unknown;
  /** What later calls need, of this one's answer or of what follows from it. */
  // The wire's shape is what the test is about; each looks at what it needs.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  keep?(json: any, requestor: Requestor, given: Given): Given | Promise<Given>;
}

const REALLY = 'yagna really answers this';
const REQUESTORS_ONLY = 'the devnet serves requestors only';
const NO_SUCH_ROUTE = 'yagna really has no such route';
const UNSUPPORTED = 'yagna supports no such thing';
const NOBODY_THERE = 'nobody answers this on the provider';
const SESSION = 'conformance';

const chosen = { 'golem.com.payment.chosen-platform': 'erc20-holesky-tglm' };
const accepting = (amount: string) => (given: Given) => ({
  totalAmountAccepted: given[amount],
  allocationId: given['allocation'],
});
const rejecting = (): unknown => ({
  rejectionReason: 'BAD_SERVICE',
  totalAmountAccepted: '0',
  message: 'bad',
});
const reason = (): unknown => ({ message: 'no more' });
const provider = (call: string, body = true): Call => ({
  ...{ call, status: 501, because: REQUESTORS_ONLY, ...(body && { body: () => ({}) }) },
});

const IDENTITY: Call[] = [
  { call: 'GET /version/get', status: 200 },
  { call: 'GET /me', status: 200 },
];

const MONEY_FIRST: Call[] = [
  {
    call: 'POST /payment-api/v1/allocations',
    status: 201,
    body: () => ({ totalAmount: '5', paymentPlatform: 'erc20-holesky-tglm' }),
    keep: async (json, requestor) => ({
      allocation: json.allocationId,
      otherAllocation: await requestor.allocate('1'),
    }),
  },
  { call: 'GET /payment-api/v1/allocations', status: 200 },
  { call: 'GET /payment-api/v1/allocations/{allocation}', status: 200 },
  { call: 'PUT /payment-api/v1/allocations/{allocation}', status: 200, body: () => ({ totalAmount: '6' }) },
  { call: 'DELETE /payment-api/v1/allocations/{otherAllocation}', status: 200 },
  { call: 'GET /payment-api/v1/requestorAccounts', status: 200 },
  { call: 'GET /payment-api/v1/providerAccounts', status: 200 },
  { call: 'GET /payment-api/v1/demandDecorations?allocationIds={allocation}', status: 200 },
];

const MARKET: Call[] = [
  {
    call: 'POST /market-api/v1/demands',
    status: 201,
    body: ({ terms = '' }) => JSON.parse(terms),
    keep: (json) => ({ demand: json }),
  },
  { call: 'GET /market-api/v1/demands', status: 200 },
  {
    call: 'GET /market-api/v1/demands/{demand}/events?timeout=5&maxEvents=10',
    status: 200,
    keep: (json) => ({ offer: json[0].proposal.proposalId, otherOffer: json[1].proposal.proposalId }),
  },
  { call: 'GET /market-api/v1/demands/{demand}/proposals/{offer}', status: 200 },
  {
    call: 'POST /market-api/v1/demands/{demand}/proposals/{offer}',
    status: 200,
    because: REALLY,
    body: ({ terms = '' }) => {
      const demand = JSON.parse(terms) as { properties: object };
      return { ...demand, properties: { ...demand.properties, ...chosen } };
    },
    keep: async (_json, requestor, { demand = '' }) => {
      const [event] = await requestor.events(demand);
      return { draft: event.proposal.proposalId };
    },
  },
  { call: 'POST /market-api/v1/demands/{demand}/proposals/{otherOffer}/reject', status: 204, body: reason },
  {
    call: 'POST /market-api/v1/demands/{demand}/propertyQuery/1',
    status: 404,
    because: NO_SUCH_ROUTE,
    body: () => ({}),
  },
  {
    call: 'POST /market-api/v1/agreements',
    status: 200,
    because: REALLY,
    body: ({ draft }) => ({ proposalId: draft, validTo: new Date(Date.now() + 600_000).toISOString() }),
    keep: (json) => ({ agreement: json }),
  },
  { call: 'GET /market-api/v1/agreements', status: 200 },
  { call: 'GET /market-api/v1/agreements/{agreement}', status: 200 },
  { call: `POST /market-api/v1/agreements/{agreement}/confirm?appSessionId=${SESSION}`, status: 204 },
  { call: 'POST /market-api/v1/agreements/{agreement}/wait?timeout=5', status: 204 },
  { call: 'GET /market-api/v1/agreementEvents?timeout=5', status: 200 },
  {
    call: 'POST /market-api/v1/agreements/{pendingAgreement}/cancel',
    status: 200,
    because: REALLY,
    body: reason,
  },
  { call: 'DELETE /market-api/v1/demands/{demand}', status: 204 },
  {
    call: 'POST /market-api/v1/scan',
    status: 201,
    body: () => ({ type: 'offer' }),
    keep: (json) => ({ scan: json }),
  },
  { call: 'GET /market-api/v1/scan/{scan}/events?timeout=5', status: 200 },
  { call: 'DELETE /market-api/v1/scan/{scan}/events', status: 404, because: NO_SUCH_ROUTE },
  { call: 'DELETE /market-api/v1/scan/{scan}', status: 204, because: 'the route that yagna really has' },
  { call: 'GET /market-api/v1/offers', status: 200 },
  provider('POST /market-api/v1/offers'),
  provider('DELETE /market-api/v1/offers/{demand}', false),
  provider('GET /market-api/v1/offers/{demand}/events', false),
  provider('POST /market-api/v1/offers/{demand}/propertyQuery/1'),
  provider('GET /market-api/v1/offers/{demand}/proposals/{offer}', false),
  provider('POST /market-api/v1/offers/{demand}/proposals/{offer}'),
  provider('POST /market-api/v1/offers/{demand}/proposals/{offer}/reject'),
  provider('POST /market-api/v1/agreements/{agreement}/approve', false),
  provider('POST /market-api/v1/agreements/{agreement}/reject'),
];

const ACTIVITY: Call[] = [
  {
    call: 'POST /activity-api/v1/activity',
    status: 200,
    because: REALLY,
    body: ({ agreement }) => ({ agreementId: agreement }),
    keep: (json) => ({ activity: json.activityId }),
  },
  { call: 'GET /activity-api/v1/activity?agreementId={agreement}', status: 200, because: 'not in the file' },
  {
    call: 'POST /activity-api/v1/activity/{activity}/exec',
    status: 200,
    body: () => ({ text: JSON.stringify([{ deploy: {} }, { start: {} }]) }),
    keep: (json) => ({ batch: json }),
  },
  { call: 'GET /activity-api/v1/activity/{activity}/exec/{batch}?timeout=20', status: 200 },
  { call: 'GET /activity-api/v1/activity/{activity}/agreement', status: 200 },
  { call: 'GET /activity-api/v1/activity/{activity}/state', status: 200 },
  { call: 'GET /activity-api/v1/activity/{activity}/usage', status: 200 },
  { call: 'GET /activity-api/v1/activity/{activity}/command', status: 500, because: NOBODY_THERE },
  {
    call: 'POST /activity-api/v1/activity/{activity}/encrypted',
    status: 500,
    because: NOBODY_THERE,
    body: () => 'x',
  },
  provider('PUT /activity-api/v1/activity/{activity}/state'),
  provider('GET /activity-api/v1/events', false),
  { call: 'DELETE /activity-api/v1/activity/{activity}?timeout=20', status: 200 },
];

const ENDING: Call[] = [
  {
    call: 'POST /market-api/v1/agreements/{agreement}/terminate',
    status: 200,
    because: REALLY,
    body: reason,
    keep: async (_json, requestor) => {
      const { debitNoteId } = await requestor.firstEvent('debitNote', SESSION);
      const { invoiceId } = await requestor.firstEvent('invoice', SESSION);
      const note = await requestor.get(`/payment-api/v1/debitNotes/${debitNoteId}`);
      const invoice = await requestor.get(`/payment-api/v1/invoices/${invoiceId}`);
      return {
        ...{ note: debitNoteId, noteAmount: note.json.totalAmountDue },
        ...{ invoice: invoiceId, invoiceAmount: invoice.json.amount },
      };
    },
  },
  {
    call: 'GET /market-api/v1/agreements/{agreement}/terminate/reason',
    status: 200,
    because: 'POST in the file',
  },
  {
    call: 'POST /market-api/v1/agreements/{agreement}/terminate/reason',
    status: 404,
    because: NO_SUCH_ROUTE,
  },
];

const MONEY: Call[] = [
  { call: 'GET /payment-api/v1/debitNoteEvents?timeout=5', status: 200 },
  { call: 'GET /payment-api/v1/debitNotes', status: 200 },
  { call: 'GET /payment-api/v1/debitNotes/{note}', status: 200 },
  {
    call: 'POST /payment-api/v1/debitNotes/{note}/reject',
    status: 501,
    because: UNSUPPORTED,
    body: rejecting,
  },
  { call: 'POST /payment-api/v1/debitNotes/{note}/accept', status: 200, body: accepting('noteAmount') },
  { call: 'GET /payment-api/v1/debitNotes/{note}/payments', status: 501, because: UNSUPPORTED },
  { call: 'GET /payment-api/v1/invoiceEvents?timeout=5', status: 200 },
  { call: 'GET /payment-api/v1/invoices', status: 200 },
  { call: 'GET /payment-api/v1/invoices/{invoice}', status: 200 },
  { call: 'POST /payment-api/v1/invoices/{otherInvoice}/reject', status: 200, body: rejecting },
  {
    call: 'POST /payment-api/v1/invoices/{invoice}/accept',
    status: 200,
    body: accepting('invoiceAmount'),
    keep: async (_json, requestor) => {
      await requestor.firstEvent('invoice', SESSION, 'SETTLED');
      const payments = await requestor.get('/payment-api/v1/payments');
      const orders = await requestor.get('/payment-api/v1/batchOrders');
      return { payment: payments.json[0].paymentId, order: orders.json[0].id };
    },
  },
  { call: 'GET /payment-api/v1/invoices/{invoice}/payments', status: 200 },
  { call: 'GET /payment-api/v1/payments', status: 200 },
  { call: 'GET /payment-api/v1/payments/{payment}', status: 200 },
  { call: 'GET /payment-api/v1/payments/status', status: 200 },
  {
    call: 'GET /payment-api/v1/payments/signed',
    status: 404,
    because: 'recorded: taken for the id of a payment',
  },
  { call: 'GET /payment-api/v1/allocations/{allocation}/orders', status: 200, because: 'not in the file' },
  {
    call: 'GET /payment-api/v1/allocations/{allocation}/expenditures',
    status: 200,
    because: 'not in the file',
  },
  { call: 'GET /payment-api/v1/batchOrders', status: 200, because: 'not in the file' },
  { call: 'GET /payment-api/v1/batchOrders/{order}', status: 200, because: 'not in the file' },
  { call: 'GET /payment-api/v1/batchCycles', status: 200, because: 'not in the file' },
  { call: 'GET /payment-api/v1/status', status: 404, because: NO_SUCH_ROUTE },
  provider('POST /payment-api/v1/debitNotes'),
  provider('POST /payment-api/v1/debitNotes/{note}/send', false),
  provider('POST /payment-api/v1/debitNotes/{note}/cancel', false),
  provider('POST /payment-api/v1/invoices'),
  provider('POST /payment-api/v1/invoices/{invoice}/send', false),
  provider('POST /payment-api/v1/invoices/{invoice}/cancel', false),
];

const NODE = '0xabababababababababababababababababababab';
const networks = (base: string, because?: string): Call[] => [
  {
    call: `POST ${base}/net`,
    status: 200,
    because,
    body: () => ({ ip: '192.168.0.0/24' }),
    keep: async (json, requestor) => {
      const network = new NetworkTest(requestor, json.id, base);
      await network.vm('192.168.0.2', VMS_HAVE_NODE ? { 8080: SERVERS.echo } : {});
      return { network: network.networkId };
    },
  },
  { call: `GET ${base}/net`, status: 200, because },
  { call: `GET ${base}/net/{network}`, status: 200, because },
  { call: `GET ${base}/net/{network}/addresses`, status: 200, because },
  { call: `POST ${base}/net/{network}/addresses`, status: 200, because, body: () => ({ ip: '192.168.0.9' }) },
  { call: `GET ${base}/net/{network}/nodes`, status: 200, because },
  {
    call: `POST ${base}/net/{network}/nodes`,
    status: 200,
    because,
    body: () => ({ id: NODE, ip: '192.168.0.7' }),
  },
  { call: `DELETE ${base}/net/{network}/nodes/${NODE}`, status: 200, because },
  { call: `GET ${base}/net/{network}/tcp`, status: 404, because: NO_SUCH_ROUTE },
  {
    call: `GET ${base}/net/{network}/tcp/192.168.0.2/8080`,
    // A port on which nobody listens, where there is nobody who could.
    status: VMS_HAVE_NODE ? 101 : 400,
    because,
    isUpgrade: true,
  },
  { call: `DELETE ${base}/net/{network}`, status: 200, because },
];

const REST: Call[] = [
  { call: 'GET /healthcheck', status: 200, because: 'not in a file' },
  { call: 'GET /metrics-api/v1/expose', status: 200, because: 'not in a file' },
  provider('POST /gsb-api/v1/services'),
  provider('GET /gsb-api/v1/services/x', false),
  provider('DELETE /gsb-api/v1/services/x', false),
];

export const CALLS: readonly Call[] = [
  ...IDENTITY,
  ...MONEY_FIRST,
  ...MARKET,
  ...ACTIVITY,
  ...ENDING,
  ...MONEY,
  ...networks('/net-api/v1'),
  ...networks('/net-api/v2/vpn', 'the path that client libraries use'),
  ...REST,
];
