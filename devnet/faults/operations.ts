/**
 * What a fault can be armed on, and what may happen there: the calls of yagna's REST API, by the names that its client
 * libraries give them, and the steps that a provider takes. The types of `faults.arm` follow from these tables.
 */

/** Route (as registered) by method, to the call's name. The net API has a second path for each of its calls. */
export const CALLS = {
  '/version/get': { GET: 'getVersion' },
  '/me': { GET: 'getIdentity' },
  '/market-api/v1/demands': { GET: 'getDemands', POST: 'subscribeDemand' },
  '/market-api/v1/demands/:id': { DELETE: 'unsubscribeDemand' },
  '/market-api/v1/demands/:id/events': { GET: 'collectOffers' },
  '/market-api/v1/demands/:id/proposals/:proposal': {
    GET: 'getProposalOffer',
    POST: 'counterProposalDemand',
  },
  '/market-api/v1/demands/:id/proposals/:proposal/reject': { POST: 'rejectProposalOffer' },
  '/market-api/v1/offers': { GET: 'getOffers' },
  '/market-api/v1/scan': { POST: 'beginScan' },
  '/market-api/v1/scan/:id': { DELETE: 'endScan' },
  '/market-api/v1/scan/:id/events': { GET: 'collectScan' },
  '/market-api/v1/agreements': { GET: 'listAgreements', POST: 'createAgreement' },
  '/market-api/v1/agreements/:id': { GET: 'getAgreement' },
  '/market-api/v1/agreements/:id/confirm': { POST: 'confirmAgreement' },
  '/market-api/v1/agreements/:id/wait': { POST: 'waitForApproval' },
  '/market-api/v1/agreements/:id/cancel': { POST: 'cancelAgreement' },
  '/market-api/v1/agreements/:id/terminate': { POST: 'terminateAgreement' },
  '/market-api/v1/agreements/:id/terminate/reason': { GET: 'getTerminateAgreementReason' },
  '/market-api/v1/agreementEvents': { GET: 'collectAgreementEvents' },
  '/activity-api/v1/activity': { GET: 'getActivities', POST: 'createActivity' },
  '/activity-api/v1/_monitor': { GET: 'monitorActivities' },
  '/activity-api/v1/activity/:activityId': { DELETE: 'destroyActivity' },
  '/activity-api/v1/activity/:activityId/state': { GET: 'getActivityState' },
  '/activity-api/v1/activity/:activityId/usage': { GET: 'getActivityUsage' },
  '/activity-api/v1/activity/:activityId/agreement': { GET: 'getActivityAgreement' },
  '/activity-api/v1/activity/:activityId/command': { GET: 'getRunningCommand' },
  '/activity-api/v1/activity/:activityId/exec': { POST: 'exec' },
  '/activity-api/v1/activity/:activityId/encrypted': { POST: 'callEncrypted' },
  '/activity-api/v1/activity/:activityId/exec/:batchId': { GET: 'getExecBatchResults' },
  '/payment-api/v1/allocations': { GET: 'getAllocations', POST: 'createAllocation' },
  '/payment-api/v1/allocations/:id': {
    GET: 'getAllocation',
    PUT: 'amendAllocation',
    DELETE: 'releaseAllocation',
  },
  '/payment-api/v1/allocations/:id/orders': { GET: 'getAllocationOrders' },
  '/payment-api/v1/allocations/:id/expenditures': { GET: 'getAllocationExpenditures' },
  '/payment-api/v1/demandDecorations': { GET: 'getDemandDecorations' },
  '/payment-api/v1/requestorAccounts': { GET: 'getRequestorAccounts' },
  '/payment-api/v1/providerAccounts': { GET: 'getProviderAccounts' },
  '/payment-api/v1/batchCycles': { GET: 'getBatchCycles' },
  '/payment-api/v1/batchOrders': { GET: 'getBatchOrders' },
  '/payment-api/v1/batchOrders/:id': { GET: 'getBatchOrder' },
  '/payment-api/v1/debitNotes': { GET: 'getDebitNotes' },
  '/payment-api/v1/debitNotes/:id': { GET: 'getDebitNote' },
  '/payment-api/v1/debitNotes/:id/accept': { POST: 'acceptDebitNote' },
  '/payment-api/v1/debitNotes/:id/reject': { POST: 'rejectDebitNote' },
  '/payment-api/v1/debitNotes/:id/payments': { GET: 'getPaymentsForDebitNote' },
  '/payment-api/v1/debitNoteEvents': { GET: 'getDebitNoteEvents' },
  '/payment-api/v1/invoices': { GET: 'getInvoices' },
  '/payment-api/v1/invoices/:id': { GET: 'getInvoice' },
  '/payment-api/v1/invoices/:id/accept': { POST: 'acceptInvoice' },
  '/payment-api/v1/invoices/:id/reject': { POST: 'rejectInvoice' },
  '/payment-api/v1/invoices/:id/payments': { GET: 'getPaymentsForInvoice' },
  '/payment-api/v1/invoiceEvents': { GET: 'getInvoiceEvents' },
  '/payment-api/v1/payments': { GET: 'getPayments' },
  '/payment-api/v1/payments/status': { GET: 'paymentsStatus' },
  '/payment-api/v1/payments/:id': { GET: 'getPayment' },
  '/net-api/v2/vpn/net': { GET: 'getNetworks', POST: 'createNetwork' },
  '/net-api/v2/vpn/net/:net': { GET: 'getNetwork', DELETE: 'removeNetwork' },
  '/net-api/v2/vpn/net/:net/addresses': { GET: 'getAddresses', POST: 'addAddress' },
  '/net-api/v2/vpn/net/:net/nodes': { GET: 'getNodes', POST: 'addNode' },
  '/net-api/v2/vpn/net/:net/nodes/:node': { DELETE: 'removeNode' },
  '/net-api/v2/vpn/net/:net/tcp/:ip/:port': { GET: 'connectTcp' },
  '/healthcheck': { GET: 'getHealth' },
  '/metrics-api/v1/expose': { GET: 'getMetrics' },
} as const;

type Routes = typeof CALLS;
export type CallName = { [Route in keyof Routes]: Routes[Route][keyof Routes[Route]] }[keyof Routes];

const ROUTES = Object.entries<Record<string, CallName>>(CALLS);
export const CALL_NAMES: readonly CallName[] = ROUTES.flatMap(([, methods]) => Object.values(methods));

const BY_ROUTE = new Map(ROUTES);

/** Undefined for a route that is none of yagna's for requestors. */
export function callName(method: string, route: string | undefined): CallName | undefined {
  return BY_ROUTE.get(route?.replace(/^\/net-api\/v1/, '/net-api/v2/vpn') ?? '')?.[method];
}

const ROUTE_TO_A_PROVIDER =
  /\/(net\/:net\/tcp|proposals\/:proposal|(agreements|debitNotes|invoices)\/:id|activity\/:activityId)/;
const ABOUT_A_PROVIDER: ReadonlySet<string> = new Set<CallName>([
  ...ROUTES.filter(([route]) => ROUTE_TO_A_PROVIDER.test(route)).flatMap(([, methods]) =>
    Object.values(methods),
  ),
  // By an id in the body or query.
  ...(['createAgreement', 'createActivity', 'getActivities'] as const),
]);

/** Whether a call may be about a provider: it names an agreement, activity, proposal, debit note, invoice or VM. */
export function isAboutProvider(call: string): boolean {
  return ABOUT_A_PROVIDER.has(call);
}

/** What may happen to a call, or to any other request. */
export const CALL_ACTIONS = [
  'delay',
  'dropBefore',
  'dropAfter',
  'answer',
  'answerAfter',
  'delayAfter',
  'stopNode',
  'restartNode',
  'restartNodeAfter',
  'cut',
  'crash',
  'freeze',
  'killVms',
] as const;
export type CallAction = (typeof CALL_ACTIONS)[number];

const ON_PROVIDER: readonly string[] = ['cut', 'crash', 'freeze', 'killVms'] satisfies CallAction[];

/** Whether an action happens to a provider: the one that the call is about, or one that the fault names. */
export function happensToProvider(action: string): boolean {
  return ON_PROVIDER.includes(action);
}

/** What a provider does, and what may go wrong with it. */
export const PROVIDER_STEPS = {
  offer: ['withhold', 'delay'],
  negotiate: ['refuse', 'withhold', 'delay', 'dearer'],
  approve: ['refuse', 'withhold', 'delay'],
  createActivity: ['refuse', 'loseAnswer', 'delay'],
  destroyActivity: ['delay'],
  deploy: ['fail', 'hang', 'delay'],
  start: ['fail', 'hang', 'delay'],
  run: ['fail', 'hang', 'delay', 'die'],
  transfer: ['fail', 'hang', 'delay'],
  debitNote: [
    'withhold',
    'twice',
    'tooMuch',
    'impossibleUsage',
    'lessThanBefore',
    'payable',
    'tooOften',
    'otherAgreement',
  ],
  invoice: ['withhold', 'twice', 'tooMuch', 'zero', 'noteAfter', 'delay'],
} as const;

export type ProviderStep = keyof typeof PROVIDER_STEPS;
export type StepAction<Step extends ProviderStep = ProviderStep> = (typeof PROVIDER_STEPS)[Step][number];

export const STEP_NAMES = Object.keys(PROVIDER_STEPS) as ProviderStep[];
