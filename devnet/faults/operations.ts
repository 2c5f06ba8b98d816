/**
 * Names of what a fault can be armed on: the calls of yagna's REST API, by the names that its client libraries give
 * them, and the steps that a provider takes.
 */

/** The net API has two paths for each call. */
const NET_BASE = '/net-api/v2/vpn';

/** Route (as registered) by method, to the call's name. */
export const CALLS: Record<string, Record<string, string>> = {
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
  [`${NET_BASE}/net`]: { GET: 'getNetworks', POST: 'createNetwork' },
  [`${NET_BASE}/net/:net`]: { GET: 'getNetwork', DELETE: 'removeNetwork' },
  [`${NET_BASE}/net/:net/addresses`]: { GET: 'getAddresses', POST: 'addAddress' },
  [`${NET_BASE}/net/:net/nodes`]: { GET: 'getNodes', POST: 'addNode' },
  [`${NET_BASE}/net/:net/nodes/:node`]: { DELETE: 'removeNode' },
  '/healthcheck': { GET: 'getHealth' },
  '/metrics-api/v1/expose': { GET: 'getMetrics' },
};

export const CALL_NAMES: readonly string[] = Object.values(CALLS).flatMap((methods) =>
  Object.values(methods),
);

/** Undefined for a route that is none of yagna's. */
export function callName(method: string, route: string | undefined): string | undefined {
  return route === undefined ? undefined : CALLS[route.replace(/^\/net-api\/v1/, NET_BASE)]?.[method];
}

/** What a provider does, and what may go wrong with it. */
export const PROVIDER_STEPS = {
  offer: ['withhold', 'delay'],
  negotiate: ['refuse', 'withhold', 'delay'],
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
    'otherAgreement',
  ],
  invoice: ['withhold', 'twice', 'tooMuch', 'zero', 'noteAfter', 'delay'],
} as const;

export type ProviderStep = keyof typeof PROVIDER_STEPS;

export const STEP_NAMES = Object.keys(PROVIDER_STEPS) as ProviderStep[];
