/**
 * A requestor program as a user of golem-js writes it: `golem-js-requestor.mjs oneOf|manyOf`, with YAGNA_API_URL,
 * YAGNA_APPKEY and GOLEM_REGISTRY_URL in its environment. Prints what happens, one JSON object a line, and ends by itself.
 */
import { GolemNetwork } from '@golem-sdk/golem-js';

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

const order = {
  demand: {
    workload: { imageTag: 'golem/alpine:latest' },
  },
  market: {
    rentHours: 0.5,
    pricing: { model: 'linear', maxStartPrice: 1, maxCpuPerHourPrice: 1, maxEnvPerHourPrice: 1 },
  },
  payment: { driver: 'erc20', network: 'holesky' },
};

async function oneOf() {
  const rental = await glm.oneOf({ order });
  const exe = await rental.getExeUnit();
  const { stdout, stderr, result } = await exe.run('echo hello; echo err >&2');
  tell({ stdout, stderr, result });
  await exe
    .beginBatch()
    .run('echo one > /golem/work/file')
    .run('cat /golem/work/file')
    .end()
    .then((results) => tell({ batch: results.map(({ stdout }) => stdout) }));
  const failed = await exe.run('exit 3');
  tell({ result: failed.result, message: failed.message });
  // Output from before golem-js listens is lost, so it goes on until some has been heard.
  const remote = await exe.runAndStream('until [ -e stop ]; do echo tick; sleep 0.05; done; echo end');
  tell({ streaming: exe.activity.id });
  const heard = new Set();
  const first = (text) => !heard.has(text) && heard.add(text) && tell({ streamed: text });
  await new Promise((resolve, reject) => {
    remote.stdout.subscribe({
      next: (text) => text?.trim().split('\n').forEach(first),
      error: reject,
      complete: resolve,
    });
  });
  await rental.stopAndFinalize();
}

async function manyOf() {
  const pool = await glm.manyOf({ poolSize: 3, order });
  let waiting = 0;
  let open;
  // Each keeps its provider until all three have one.
  const all = new Promise((resolve) => (open = resolve));
  await Promise.all(
    [1, 2, 3].map((number) =>
      pool.withRental(async (rental) => {
        const exe = await rental.getExeUnit();
        if (++waiting === 3) open();
        await all;
        const { stdout } = await exe.run(`echo task ${number}`);
        tell({ stdout, providerId: exe.provider.id, provider: exe.provider.name });
      }),
    ),
  );
  await pool.drainAndClear();
}

await glm.connect();
tell({ event: 'connected' });
await (process.argv[2] === 'manyOf' ? manyOf() : oneOf());
await glm.disconnect();
tell({ event: 'disconnected' });
