/**
 * A requestor program as a user of golem-js writes it: `golem-js-requestor.mjs PROGRAM`, one of golem-js-programs.mjs,
 * with YAGNA_API_URL, YAGNA_APPKEY and GOLEM_REGISTRY_URL in its environment. Prints what happens, one JSON object a
 * line, and ends by itself.
 */
import { createInterface } from 'node:readline';
import { GolemNetwork } from '@golem-sdk/golem-js';
import * as programs from './golem-js-programs.mjs';

const silent = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };
const glm = new GolemNetwork({ logger: silent });
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const MARKET_EVENTS = [
  'demandSubscriptionStarted',
  'offerProposalReceived',
  'offerCounterProposalSent',
  'agreementApproved',
  'agreementTerminated',
  'demandSubscriptionStopped',
];
const PAYMENT_EVENTS = [
  'allocationCreated',
  'debitNoteReceived',
  'debitNoteAccepted',
  'invoiceReceived',
  'invoiceAccepted',
  'allocationReleased',
];
const ACTIVITY_EVENTS = [
  'activityCreated',
  'exeUnitInitialized',
  'scriptSent',
  'scriptExecuted',
  'batchResultsReceived',
  'batchEventsReceived',
  'activityDestroyed',
];
const errors = (names) => names.map((name) => `error${name}`);
const listen = (emitter, names) => {
  for (const name of names) {
    emitter.on(name, ({ error, agreement, activity, offerProposal, invoice, debitNote }) =>
      tell({
        event: name,
        agreement: (agreement ?? activity?.agreement)?.id ?? (invoice ?? debitNote)?.agreementId,
        draft: offerProposal?.isDraft(),
        provider: (agreement ?? activity?.agreement ?? offerProposal ?? invoice ?? debitNote)?.provider?.name,
        amount: invoice?.getPreciseAmount?.().toString() ?? debitNote?.getPreciseAmount?.().toString(),
        error: error && String(error),
      }),
    );
  }
};
listen(glm.market.events, [...MARKET_EVENTS, ...errors(['SendingCounterProposal']), 'agreementRejected']);
listen(glm.payment.events, [
  ...PAYMENT_EVENTS,
  ...errors(['CreatingAllocation', 'ReleasingAllocation', 'AcceptingInvoice', 'AcceptingDebitNote']),
]);
listen(glm.activity.events, [
  ...ACTIVITY_EVENTS,
  ...errors([
    'CreatingActivity',
    'DestroyingActivity',
    'InitializingExeUnit',
    'ExecutingScript',
    'GettingBatchResults',
  ]),
]);

// Each line on standard input says that something has happened that the program waits for.
const input = createInterface(process.stdin)[Symbol.asyncIterator]();
const told = () => input.next();

await glm.connect();
tell({ event: 'connected' });
await programs[process.argv[2]]({ glm, tell, told });
await glm.disconnect();
tell({ event: 'disconnected' });
process.stdin.destroy();
