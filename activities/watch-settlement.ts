/** Watches what a settlement waits for: documents to decide, payments, and the end of job and rentals. */
import { Context } from '@temporalio/activity';
import { isNoteOf } from '../model/note-pace';
import { providerOf } from '../model/offer';
import { eachAtOnce } from './at-once';
import { attempt } from './attempt';
import type { DocumentRef, GolemActivities, SettlementNews, WatchSettlementInput } from './contract';
import { allAfter, upTo } from './document-events';
import type { ActivityEnvironment } from './environment';
import { amounts, event } from './events';
import { appSessionId, bearsMark } from './marks';
import { watchOwners } from './owners';
import { waitFor } from './wait';
import type { DocumentKind, Documents, EventStreams, Yagna } from './yagna';

/** A look all the same when nothing has woken us for so long: a stream hears nothing while yagna is away. */
const LOOK_MS = 60_000;
/** Documents of a kind that are told at once, about: thousands may be there when a settlement takes over. */
const ENOUGH = 200;

export function settlementWatchActivities(
  env: ActivityEnvironment,
): Pick<GolemActivities, 'golemWatchSettlement'> {
  return {
    /**
     * Waits until there is something to decide or to book, or until the owners have closed.
     *
     * Effect: none.
     * Retry: reads the events after the same cursor again.
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemWatchSettlement(input) {
      return await attempt(async ({ signal }) => {
        const { connections } = env;
        const yagna = connections.get(input.job.connection);
        const streams = connections.streams(input.job.connection);
        const documents = connections.documents(input.job.connection);
        return await watch(yagna, streams, documents, input, signal);
      });
    },
  };
}

async function watch(
  yagna: Yagna,
  streams: EventStreams,
  documents: Documents,
  input: WatchSettlementInput,
  signal: AbortSignal,
): Promise<SettlementNews> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const wait = waitFor(signal);
  // The events of a connection are those of all its jobs: each wakes its own job, and is looked up once for all.
  const wakeIfOurs = (kind: DocumentKind, id: string): void => {
    documents.originOf(kind, id).then((origin) => {
      // One that yagna does not show yet may be ours.
      if (!origin || bearsMark(input.job, origin.marked)) wait.wake();
    }, wait.wake);
  };
  const unsubscribe = [
    streams.subscribe('debitNote', ({ debitNoteId }) => wakeIfOurs('debitNote', debitNoteId)),
    streams.subscribe('invoice', ({ invoiceId }) => wakeIfOurs('invoice', invoiceId)),
  ];
  let owners: SettlementNews['owners'];
  let ownersError: unknown;
  /** Resolves when the owners are known to have closed, or known to run. */
  let ownersKnown = Promise.resolve();
  const { owners: whose } = input;
  if (whose !== 'none') {
    ownersKnown = new Promise<void>((resolve) => {
      watchOwners(Context.current().client, input, whose, both, resolve)
        .then(
          (closed) => {
            owners = closed;
          },
          (error: unknown) => {
            ownersError = error;
          },
        )
        .finally(() => {
          resolve();
          wait.wake();
        });
    });
  }
  const { ignoredNotes = [] } = input;
  let { cursor } = input;
  try {
    for (;;) {
      const seen = await look(yagna, documents, { ...input, cursor }, signal);
      const found = { ...seen, documents: seen.documents.filter((each) => !isNoteOf(ignoredNotes, each)) };
      const passedOver = seen.documents.length > 0 && seen.cursor.debitNotes !== cursor.debitNotes;
      ({ cursor } = seen);
      const news = found.documents.length + found.settled.length + found.settledNotes.length;
      const leftMs = (input.untilMs ?? Infinity) - Date.now();
      // Where documents come fast, each watch ends soon: none of them must end before it knows of the owners.
      if (news > 0 || leftMs <= 0) await ownersKnown;
      if (news > 0 || owners) return { ...found, owners };
      if (ownersError !== undefined) throw ownersError;
      if (leftMs <= 0) return found;
      // There may be more behind it.
      if (passedOver) continue;
      await wait.next(Math.min(LOOK_MS, leftMs));
    }
  } finally {
    stop.abort();
    for (const end of unsubscribe) end();
  }
}

async function look(
  yagna: Yagna,
  known: Documents,
  input: WatchSettlementInput,
  signal: AbortSignal,
): Promise<SettlementNews> {
  const session = appSessionId(input.job);
  const allNotes = await allAfter(
    input.cursor.debitNotes,
    (query) => yagna.debitNoteEvents({ ...query, appSessionId: session }, signal),
    (events) => events.filter(isReceived).length >= ENOUGH,
  );
  const allInvoices = await allAfter(
    input.cursor.invoices,
    (query) => yagna.invoiceEvents({ ...query, appSessionId: session }, signal),
    (events) => events.filter(isReceived).length >= ENOUGH,
  );
  // An invoice is not decided before notes that came before it.
  const notes = upTo(allNotes, input.cursor.debitNotes, allInvoices);
  const invoices = upTo(allInvoices, input.cursor.invoices, allNotes);
  const documents: DocumentRef[] = [
    ...notes.events
      .filter(isReceived)
      .map(({ debitNoteId, eventDate }) => ({ kind: 'debitNote' as const, id: debitNoteId, eventDate })),
    ...invoices.events
      .filter(isReceived)
      .map(({ invoiceId, eventDate }) => ({ kind: 'invoice' as const, id: invoiceId, eventDate })),
  ].sort((a, b) => (a.eventDate < b.eventDate ? -1 : a.eventDate > b.eventDate ? 1 : 0));
  await eachAtOnce(documents, async (document) => {
    document.agreementId = await known.agreementOf(document.kind, document.id);
  });
  return {
    documents,
    cursor: { debitNotes: notes.cursor, invoices: invoices.cursor },
    settled: await settledAmong(yagna, input.awaitingPayment, signal),
    settledNotes: notes.events.flatMap(({ eventType, debitNoteId }) =>
      eventType === 'DebitNoteSettledEvent' ? [debitNoteId] : [],
    ),
  };
}

const isReceived = ({ eventType }: { eventType: string }): boolean =>
  eventType === 'DebitNoteReceivedEvent' || eventType === 'InvoiceReceivedEvent';

async function settledAmong(
  yagna: Yagna,
  invoiceIds: readonly string[],
  signal: AbortSignal,
): Promise<SettlementNews['settled']> {
  const settled: SettlementNews['settled'] = [];
  for (const invoiceId of invoiceIds) {
    const invoice = await yagna.invoice(invoiceId, signal);
    if (invoice?.status !== 'SETTLED') continue;
    const { agreementId, amount, issuerId } = invoice;
    const agreement = await yagna.agreement(agreementId, signal);
    const provider = providerOf(agreement?.offer ?? { providerId: issuerId, properties: {} });
    const details = { id: invoiceId, agreementId, provider, ...amounts(amount) };
    settled.push({ invoiceId, agreementId, amount, event: event('PaymentConfirmed', details) });
  }
  return settled;
}
