/**
 * The ledger of a job: what each agreement has cost, what was accepted and what is paid. Pure functions over
 * plain data; all amounts are decimal strings of GLM.
 */
import { addAmounts, exact, GLM_DECIMALS, toAmount } from '../../model/amount';
import type { AgreementSoFar, Decision } from '../../activities/contract';
import type { NewEvent } from '../../model/events';
import type {
  AgreementId,
  Amount,
  DebitNoteId,
  GolemActivityId,
  InvoiceId,
  Timestamp,
} from '../../model/ids';
import type { Bills } from './budget';
import type { AgreementMoney, EarlierAgreements, Money, ProviderInfo } from '../../model/result';

export interface LedgerEntry extends AgreementSoFar {
  agreementId: AgreementId;
  provider: ProviderInfo;
  invoiceId?: InvoiceId;
  invoiceAmount?: Amount;
  /** Accepted debit notes that are not known to be paid: yagna pays each, payable or not, in its next cycle. */
  unpaidNotes: Record<DebitNoteId, { activityId: GolemActivityId; amount: Amount; payable?: boolean }>;
  /** Paid by debit notes, per Golem activity: it stays paid even if the invoice never comes. */
  paidByNotes: Record<GolemActivityId, Amount>;
  /** Debit notes decided whose counts are not among `notes` any more. */
  notesBefore?: number;
  /** Its notes came too often: the invoice pays what is owed, and no more of them is looked at. */
  notesIgnored?: boolean;
  state: AgreementMoney['state'];
  /** Why nothing more is paid, if so. */
  refusal?: string;
}

export interface Ledger {
  budget: Amount;
  reserved: Amount;
  platform: string;
  entries: LedgerEntry[];
  /** Debit notes decided already; the newest ones, against a repeat of an event. */
  decided: (DebitNoteId | InvoiceId)[];
  /** Debit notes that yagna said were paid before their acceptance was booked; the newest ones. */
  paidEarly: DebitNoteId[];
  /** What the oldest agreements came to that are paid and are no entries any more. */
  earlier?: EarlierAgreements & { ids: string[] };
}

/** yagna writes 18 decimals; here an amount has one spelling. */
const plain = (amount: Amount): Amount => toAmount(exact(amount));

const larger = (a: Amount, b: Amount): Amount => (exact(a).gt(exact(b)) ? a : b);

export function newLedger(budget: Amount, platform: string): Ledger {
  return { budget, reserved: '0', platform, entries: [], decided: [], paidEarly: [] };
}

export function entryOf(ledger: Ledger, agreementId: AgreementId, provider: ProviderInfo): LedgerEntry {
  const found = ledger.entries.find((entry) => entry.agreementId === agreementId);
  if (found) return found;
  const entry: LedgerEntry = {
    ...{
      agreementId,
      provider,
      acceptedByActivity: {},
      notes: {},
      lastUsage: {},
      lastNoteAt: {},
      unpaidNotes: {},
      paidByNotes: {},
    },
    ...{ invoiceAccepted: false, state: 'open' },
  };
  ledger.entries.push(entry);
  return entry;
}

/** Gives agreements that were found on yagna their place in the books; those that are paid and forgotten have had it. */
export function know(
  ledger: Ledger,
  agreements: readonly { agreementId: AgreementId; provider: ProviderInfo }[],
): void {
  for (const { agreementId, provider } of agreements)
    if (!isEarlier(ledger, agreementId)) entryOf(ledger, agreementId, provider);
}

const isEarlier = ({ earlier }: Ledger, agreementId: AgreementId): boolean =>
  earlier?.ids.includes(shortId(agreementId)) ?? false;

const DECIDED_KEPT = 200;
/** Accepted notes of one Golem activity that are not known to be paid. The payment of a newer one counts for those before. */
const UNPAID_KEPT = 200;
/** The job is told of each more than once, for every news brings the newest again. */
const INVOICED_TOLD = 50;

/** A payable debit note that was paid while its agreement lasted. */
export interface PaidNote {
  id: DebitNoteId;
  activityId: GolemActivityId;
  agreementId: AgreementId;
  provider: ProviderInfo;
  /** What its activity had cost by then. */
  amount: Amount;
}

/** The event that the guide has for a payment. */
export function paymentConfirmed({ amount, ...note }: PaidNote, at: Timestamp): NewEvent {
  const amountPrecise = exact(amount).toFixed(GLM_DECIMALS);
  return { name: 'PaymentConfirmed', at, details: { ...note, amount, amountPrecise } };
}

/**
 * Books a decision. A document is booked once, however often it is decided.
 * @returns payable notes that are known to be paid now
 */
export function book(ledger: Ledger, decision: Decision): PaidNote[] {
  if (['foreign', 'awaited'].includes(decision.decision) || ledger.decided.includes(decision.document.id))
    return [];
  // It is paid, and nothing that still comes changes that.
  if (isEarlier(ledger, decision.agreementId)) return [];
  ledger.decided.push(decision.document.id);
  if (ledger.decided.length > DECIDED_KEPT) ledger.decided.shift();
  const entry = entryOf(ledger, decision.agreementId, decision.provider);
  if (decision.document.kind === 'invoice') bookInvoice(entry, decision);
  else bookDebitNote(entry, decision);
  const noteId = decision.document.id as DebitNoteId; // no invoice's id is among these
  return decision.settled || ledger.paidEarly.includes(noteId) ? bookNotePayment(entry, noteId) : [];
}

function bookInvoice(entry: LedgerEntry, decision: Decision): void {
  // An invoice after an accepted one changes nothing, be that one booked or not: an agreement is paid once.
  if (entry.invoiceAccepted || decision.secondInvoice || decision.decision === 'superseded') return;
  entry.invoiceId = decision.document.id as InvoiceId; // an invoice's id, by its kind
  entry.invoiceAmount = plain(decision.amount);
  if (decision.decision === 'accepted') {
    entry.invoiceAccepted = true;
    entry.state = decision.settled ? 'settled' : 'accepted';
  } else {
    // For want of funds it is left undecided on yagna: it may still be paid by somebody.
    entry.state = decision.failure === 'BudgetExhausted' ? 'unpaid' : 'rejected';
    entry.refusal = decision.reason;
  }
}

function bookDebitNote(entry: LedgerEntry, decision: Decision): void {
  const { activityId } = decision;
  if (!activityId) return;
  const seen = entry.notes[activityId] ?? { all: 0, payable: 0 };
  entry.notes[activityId] = { all: seen.all + 1, payable: seen.payable + (decision.payable ? 1 : 0) };
  if (decision.decision === 'refused') entry.refusal = decision.reason;
  if (decision.requestorCode !== undefined) entry.notesIgnored = true;
  if (decision.decision !== 'accepted') return;
  if (decision.lastUsage) entry.lastUsage[activityId] = decision.lastUsage;
  entry.lastNoteAt[activityId] = decision.document.eventDate;
  const before = entry.acceptedByActivity[activityId] ?? '0';
  entry.acceptedByActivity[activityId] = larger(before, plain(decision.amount));
  // Of a note that adds nothing to what is paid no payment is to come.
  if (exact(decision.amount).lte(exact(entry.paidByNotes[activityId] ?? '0'))) return;
  const id = decision.document.id as DebitNoteId; // a debit note's id, by its kind
  const { payable } = decision;
  entry.unpaidNotes[id] = { activityId, amount: plain(decision.amount), ...(payable ? { payable } : {}) };
  const unpaid = Object.entries(entry.unpaidNotes).filter(([, note]) => note.activityId === activityId);
  const [[oldest = ''] = []] = unpaid;
  if (unpaid.length > UNPAID_KEPT) delete entry.unpaidNotes[oldest];
}

function bookNotePayment(entry: LedgerEntry, debitNoteId: DebitNoteId): PaidNote[] {
  const note = entry.unpaidNotes[debitNoteId];
  if (!note) return [];
  const { activityId } = note;
  const paid = larger(entry.paidByNotes[activityId] ?? '0', note.amount);
  entry.paidByNotes[activityId] = paid;
  // A note asks for all that its activity has cost until then: what is paid for it is paid for those before.
  for (const [id, each] of Object.entries(entry.unpaidNotes)) {
    if (each.activityId === activityId && exact(each.amount).lte(exact(paid)))
      delete entry.unpaidNotes[id as DebitNoteId];
  }
  const { agreementId, provider } = entry;
  return note.payable ? [{ id: debitNoteId, activityId, agreementId, provider, amount: note.amount }] : [];
}

/** yagna says that accepted debit notes are paid. @returns the payable ones that were not known to be */
export function bookNotePayments(ledger: Ledger, debitNoteIds: readonly DebitNoteId[]): PaidNote[] {
  const paid: PaidNote[] = [];
  for (const id of debitNoteIds) {
    const entry = ledger.entries.find(({ unpaidNotes }) => id in unpaidNotes);
    if (entry) paid.push(...bookNotePayment(entry, id));
    else ledger.paidEarly.push(id);
  }
  if (ledger.paidEarly.length > DECIDED_KEPT)
    ledger.paidEarly.splice(0, ledger.paidEarly.length - DECIDED_KEPT);
  return paid;
}

export function bookPayment(ledger: Ledger, agreementId: AgreementId): void {
  const entry = ledger.entries.find((each) => each.agreementId === agreementId);
  if (entry?.invoiceAccepted) entry.state = 'settled';
}

/** Of what a run takes along: agreements that are paid, the newest; notes that wait for their payment; ids of those earlier. */
const PAID_CARRIED = 1000;
const UNPAID_CARRIED = 3000;
const EARLIER_IDS_KEPT = 10_000;

/** Enough of an agreement's id, which is random hexadecimal, to know it again. */
const shortId = (agreementId: AgreementId): string => agreementId.slice(0, 16);

/**
 * What the next run needs of it, bounded however many agreements and notes there were. Of an agreement whose invoice is
 * accepted nothing is looked up any more but what it came to; of very many that are paid the oldest become a sum.
 */
export function compactLedger(ledger: Ledger): Ledger {
  const vms = ledger.entries.flatMap(({ unpaidNotes }) => [
    ...new Set(Object.values(unpaidNotes).map(({ activityId }) => activityId)),
  ]);
  const mostOfVm = Math.max(1, Math.floor(UNPAID_CARRIED / Math.max(1, vms.length)));
  const paid = ledger.entries.filter(({ state }) => state === 'settled');
  const folded = new Set(paid.slice(0, Math.max(0, paid.length - PAID_CARRIED)));
  const entries = ledger.entries.filter((entry) => !folded.has(entry));
  return {
    ...ledger,
    entries: entries.map((entry) => compactEntry(entry, mostOfVm)),
    ...(folded.size > 0 ? { earlier: foldAll(ledger, [...folded]) } : {}),
  };
}

function compactEntry(entry: LedgerEntry, mostOfVm: number): LedgerEntry {
  if (!entry.invoiceAccepted) return { ...entry, unpaidNotes: newestOfVms(entry.unpaidNotes, mostOfVm) };
  const nothing = { acceptedByActivity: {}, notes: {}, lastUsage: {}, lastNoteAt: {} };
  const slim = { ...entry, ...nothing, notesBefore: countNotes(entry) };
  if (entry.state === 'settled') return { ...slim, unpaidNotes: {}, paidByNotes: {} };
  // Until its invoice is paid, its notes may be; of payable ones each is told.
  const newest = newestOfVms(entry.unpaidNotes, 1);
  const told = Object.entries(entry.unpaidNotes).filter(([id, { payable }]) => payable || id in newest);
  return { ...slim, unpaidNotes: newestOfVms(Object.fromEntries(told), mostOfVm) };
}

/** Of each Golem activity so many: the payment of a newer one counts for those before. */
function newestOfVms(notes: LedgerEntry['unpaidNotes'], most: number): LedgerEntry['unpaidNotes'] {
  const left: Record<GolemActivityId, number> = {};
  const kept = Object.entries(notes)
    .reverse()
    .filter(([, { activityId }]) => (left[activityId] = (left[activityId] ?? most) - 1) >= 0);
  return Object.fromEntries(kept.reverse());
}

function foldAll(ledger: Ledger, entries: readonly LedgerEntry[]): Ledger['earlier'] {
  const { agreements = 0, accepted = '0', paid = '0', debitNotes = 0, ids = [] } = ledger.earlier ?? {};
  return {
    agreements: agreements + entries.length,
    accepted: addAmounts([accepted, ...entries.map(acceptedOf)]),
    paid: addAmounts([paid, ...entries.map(paidOf)]),
    debitNotes: entries.reduce((sum, entry) => sum + countNotes(entry), debitNotes),
    ids: [...ids, ...entries.map(({ agreementId }) => shortId(agreementId))].slice(-EARLIER_IDS_KEPT),
  };
}

/** What is accepted of one agreement: its invoice, or the newest debit notes before that. */
export function acceptedOf(entry: LedgerEntry): Amount {
  if (entry.invoiceAccepted && entry.invoiceAmount !== undefined) return entry.invoiceAmount;
  return addAmounts(Object.values(entry.acceptedByActivity));
}

function paidOf(entry: LedgerEntry): Amount {
  if (entry.state === 'settled') return acceptedOf(entry);
  return addAmounts(Object.values(entry.paidByNotes));
}

export function moneyOf(ledger: Ledger): Money {
  return {
    budget: ledger.budget,
    reserved: ledger.reserved,
    accepted: addAmounts([ledger.earlier?.accepted ?? '0', ...ledger.entries.map(acceptedOf)]),
    paid: addAmounts([ledger.earlier?.paid ?? '0', ...ledger.entries.map(paidOf)]),
    platform: ledger.platform,
  };
}

export function agreementsOf(ledger: Ledger): AgreementMoney[] {
  return ledger.entries.map((entry) => ({
    agreementId: entry.agreementId,
    provider: entry.provider,
    accepted: acceptedOf(entry),
    paid: paidOf(entry),
    invoiceId: entry.invoiceId,
    invoiceAmount: entry.invoiceAmount,
    state: entry.state,
    debitNotes: countNotes(entry),
  }));
}

/** What came before those of {@link agreementsOf}; nothing where that is all. */
export function earlierOf({ earlier }: Ledger): { earlier?: EarlierAgreements } {
  if (!earlier) return {};
  const { agreements, accepted, paid, debitNotes } = earlier;
  return { earlier: { agreements, accepted, paid, debitNotes } };
}

const countNotes = ({ notes, notesBefore = 0 }: LedgerEntry): number =>
  Object.values(notes).reduce((all, { all: count }) => all + count, notesBefore);

/** What debit notes say of agreements whose invoice is not decided, and whose invoices are, the newest of them. */
export function billsOf(ledger: Ledger): Bills {
  const isOpen = (entry: LedgerEntry): boolean => entry.state === 'open';
  return {
    open: ledger.entries
      .filter(isOpen)
      .map((entry) => ({ agreementId: entry.agreementId, accepted: acceptedOf(entry) })),
    invoiced: ledger.entries
      .filter((entry) => !isOpen(entry))
      .map(({ agreementId }) => agreementId)
      .slice(-INVOICED_TOLD),
  };
}

/** Agreements whose debit notes came too often: deciding them all would keep a settlement busy until it dies of it. */
export const ignoredNotes = (ledger: Ledger): AgreementId[] =>
  ledger.entries.flatMap(({ agreementId, notesIgnored }) => (notesIgnored ? agreementId : []));

/** Invoices that were accepted and are not known to be paid. */
export function awaitingPayment(ledger: Ledger): InvoiceId[] {
  return ledger.entries.flatMap((entry) =>
    entry.state === 'accepted' && entry.invoiceId ? [entry.invoiceId] : [],
  );
}

/** Every agreement has come to its end: paid, or refused, or given up. */
export function isSettled(ledger: Ledger): boolean {
  return ledger.entries.every((entry) => ['settled', 'rejected', 'unpaid'].includes(entry.state));
}

/** Where an invoice is not paid, accepted debit notes are, and that is still to come. */
export function awaitsNotePayments(ledger: Ledger): boolean {
  return ledger.entries.some(
    ({ state, unpaidNotes }) =>
      (state === 'rejected' || state === 'unpaid') && Object.keys(unpaidNotes).length > 0,
  );
}

/** No invoice came in time: what is open stays unpaid. */
export function giveUpWaiting(ledger: Ledger): void {
  for (const entry of ledger.entries)
    if (entry.state === 'open' || entry.state === 'accepted') entry.state = 'unpaid';
}

/** Their invoices were waited for long enough: they count as unpaid, unless one comes after all. */
export function giveUpInvoices(ledger: Ledger, agreementIds: readonly AgreementId[]): void {
  for (const entry of ledger.entries)
    if (entry.state === 'open' && agreementIds.includes(entry.agreementId)) entry.state = 'unpaid';
}

/** What the decision on a document of that agreement needs; of all agreements where that is not known. */
export function soFar(ledger: Ledger, agreementId?: AgreementId): Record<AgreementId, AgreementSoFar> {
  const concerned = ledger.entries.filter(
    (entry) => (agreementId ?? entry.agreementId) === entry.agreementId,
  );
  return Object.fromEntries(
    concerned.map((entry) => {
      const { agreementId: id, acceptedByActivity, notes, lastUsage, lastNoteAt, invoiceAccepted } = entry;
      if (invoiceAccepted)
        return [id, { acceptedByActivity: {}, notes: {}, lastUsage: {}, lastNoteAt: {}, invoiceAccepted }];
      const rejected = entry.state === 'rejected' ? { invoiceRejected: true } : {};
      return [id, { acceptedByActivity, notes, lastUsage, lastNoteAt, invoiceAccepted, ...rejected }];
    }),
  );
}

export const isDecided = (ledger: Ledger, id: DebitNoteId | InvoiceId): boolean =>
  ledger.decided.includes(id);
