/** Watches what a settlement waits for: documents to decide, payments, and the end of job and rentals. */
import { Context } from '@temporalio/activity';
import type { AgreementId } from '../model/ids';
import { isNoteOf } from '../model/note-pace';
import { providerOf } from '../model/offer';
import { eachAtOnce } from './at-once';
import { endOfAgreement, isOver } from './agreement-end';
import { attempt } from './attempt';
import type { DocumentRef, GolemActivities, JobRef, SettlementNews, WatchSettlementInput } from './contract';
import { allAfter, upTo } from './document-events';
import type { ActivityEnvironment } from './environment';
import { amounts, event } from './events';
import { isOurDocument, sessionOfDocuments } from './ours';
import { beginWatch, lookEveryMs } from './look-pace';
import { watchOwners } from './owners';
import { waitFor } from './wait';
import type { DocumentKind, DocumentOrigin, Documents, EventStreams, Yagna } from './yagna';

/** A look all the same when nothing has woken us for so long, at the least: a stream hears nothing while yagna is away. */
const LOOK_MS = 60_000;
/** Of documents the streams tell, after yagna was away as well: who waits for nothing else looks to be safe, and that takes two requests. */
const PATIENCE_AT_REST = 3;
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
      if (!origin || isOurDocument(input.job, origin)) wait.wake();
    }, wait.wake);
  };
  const unsubscribe = [
    streams.subscribe('debitNote', ({ debitNoteId }) => wakeIfOurs('debitNote', debitNoteId)),
    streams.subscribe('invoice', ({ invoiceId }) => wakeIfOurs('invoice', invoiceId)),
  ];
  const { detached = [] } = input;
  if (detached.length > 0) {
    const wakeIfDetached = ({ agreementId }: { agreementId: AgreementId }): void => {
      if (detached.includes(agreementId)) wait.wake();
    };
    unsubscribe.push(streams.subscribe('agreement', wakeIfDetached));
  }
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
  const endWatch = beginWatch();
  const { ignoredNotes = [], paymentsWaitSec = 0 } = input;
  const patience = input.awaitingPayment.length + detached.length > 0 ? 1 : PATIENCE_AT_REST;
  let { cursor } = input;
  /** Since when notes are known to be paid that nobody was told of. */
  let paidSinceMs = Infinity;
  try {
    for (;;) {
      const { isCut, ...seen } = await look(yagna, documents, { ...input, cursor }, signal);
      const { ended, nextEndMs } = await endedAmong(yagna, detached, signal);
      const found = {
        ...seen,
        documents: seen.documents.filter((each) => !isNoteOf(ignoredNotes, each)),
        ended,
      };
      const passedOver = seen.documents.length > 0 && seen.cursor.debitNotes !== cursor.debitNotes;
      const heard = found.heardOf?.length ?? 0;
      const news = found.documents.length + found.settled.length + ended.length + heard;
      const leftMs = (input.untilMs ?? Infinity) - Date.now();
      if (found.settledNotes.length > 0) paidSinceMs = Math.min(paidSinceMs, Date.now());
      const paidLeftMs = paidSinceMs + paymentsWaitSec * 1000 - Date.now();
      const isPaidAndMore = isCut && found.settledNotes.length > 0;
      const isNews = news > 0 || paidLeftMs <= 0 || isPaidAndMore;
      // Where documents come fast, each watch ends soon: none of them must end before it knows of the owners.
      if (isNews || leftMs <= 0) await ownersKnown;
      if (isNews || owners) return { ...found, owners };
      if (ownersError !== undefined) throw ownersError;
      if (leftMs <= 0) return found;
      // Payments that wait to be told are found again.
      if (paidSinceMs === Infinity) ({ cursor } = seen);
      // There may be more behind it.
      if (paidSinceMs === Infinity && (passedOver || isCut)) continue;
      const toLookMs = lookEveryMs(LOOK_MS, patience);
      await wait.next(Math.min(toLookMs, leftMs, paidLeftMs, Math.max(0, nextEndMs - yagna.now())));
    }
  } finally {
    endWatch();
    stop.abort();
    for (const end of unsubscribe) end();
  }
}

/** Those of the agreements that are over, and when the first of the others will be. */
async function endedAmong(
  yagna: Yagna,
  agreementIds: readonly AgreementId[],
  signal: AbortSignal,
): Promise<{ ended: NonNullable<SettlementNews['ended']>; nextEndMs: number }> {
  const ended: NonNullable<SettlementNews['ended']> = [];
  let nextEndMs = Infinity;
  for (const agreementId of agreementIds) {
    const agreement = await yagna.agreement(agreementId, signal);
    if (agreement && !isOver(yagna, agreement)) {
      nextEndMs = Math.min(nextEndMs, Date.parse(agreement.validTo) + 1);
      continue;
    }
    const { events } = await endOfAgreement(yagna, agreementId, agreement, signal);
    ended.push({ agreementId, events });
  }
  return { ended, nextEndMs };
}

async function look(
  yagna: Yagna,
  known: Documents,
  input: WatchSettlementInput,
  signal: AbortSignal,
): Promise<SettlementNews & { isCut: boolean }> {
  const session = sessionOfDocuments(input.job);
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
  if (session === undefined) {
    notes.events = await oursAmong(input.job, notes.events, ({ debitNoteId }) =>
      known.originOf('debitNote', debitNoteId),
    );
    invoices.events = await oursAmong(input.job, invoices.events, ({ invoiceId }) =>
      known.originOf('invoice', invoiceId),
    );
  }
  const documents: DocumentRef[] = [
    ...notes.events
      .filter(isReceived)
      .map(({ debitNoteId, eventDate }) => ({ kind: 'debitNote' as const, id: debitNoteId, eventDate })),
    ...invoices.events
      .filter(isReceived)
      .map(({ invoiceId, eventDate }) => ({ kind: 'invoice' as const, id: invoiceId, eventDate })),
  ].sort((a, b) => (a.eventDate < b.eventDate ? -1 : a.eventDate > b.eventDate ? 1 : 0));
  const { decidedElsewhere = [] } = input;
  const heardOf = [
    ...notes.events.filter((each) => !isReceived(each)).map(({ debitNoteId }) => debitNoteId),
    ...invoices.events.filter((each) => !isReceived(each)).map(({ invoiceId }) => invoiceId),
  ].filter((id) => decidedElsewhere.includes(id));
  await eachAtOnce(documents, async (document) => {
    document.agreementId = await known.agreementOf(document.kind, document.id);
  });
  return {
    documents,
    cursor: { debitNotes: notes.cursor, invoices: invoices.cursor },
    settled: await settledAmong(yagna, input.awaitingPayment, signal),
    isCut: notes.isCut || invoices.isCut,
    heardOf: [...new Set(heardOf)],
    settledNotes: notes.events.flatMap(({ eventType, debitNoteId }) =>
      eventType === 'DebitNoteSettledEvent' ? [debitNoteId] : [],
    ),
  };
}

/** Of the events of all jobs, and of other software. One that yagna does not show may be ours. */
async function oursAmong<E>(
  job: JobRef,
  events: readonly E[],
  originOf: (event: E) => Promise<DocumentOrigin | undefined>,
): Promise<E[]> {
  const ours = new Set<E>();
  await eachAtOnce(events, async (event) => {
    const origin = await originOf(event);
    if (!origin || isOurDocument(job, origin)) ours.add(event);
  });
  return events.filter((event) => ours.has(event));
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
