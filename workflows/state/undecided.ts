/**
 * Documents that came and are not decided: which of them to decide now. Agreements do not wait for each other; within
 * one, documents are decided one after the other, for each decision builds on what was accepted before. Pure functions
 * over plain data.
 */
import type { DocumentRef } from '../../activities/contract';
import type { AgreementId } from '../../model/ids';
import { isNoteOf } from '../../model/note-pace';

export interface UndecidedDocument {
  document: DocumentRef;
  tries: number;
  /** When to try (again). */
  dueMs: number;
  /** Until when a try that failed may still take effect on yagna. */
  riskyUntilMs: number;
  isBeingDecided: boolean;
  /** Somebody else decides it, who pays. */
  isAwaited?: boolean;
  /** There was news of it while it was looked at. */
  isHeardOf?: boolean;
}

export type Undecided = UndecidedDocument[];

/** Decisions at the same time: more would fill a worker's slots with waiting. */
const AT_ONCE = 50;
const FIRST_RETRY_SEC = 10;
const LAST_RETRY_SEC = 300;
const TURN_MS = 60_000;
/** For so many there is room in the next run, however much else goes along. */
const LEAST_CARRIED = 1000;
/** JSON of one, bytes. */
const JSON_OF_ONE = 400;

/** One that is there already may be told again with the agreement it is of. */
export function addUndecided(undecided: Undecided, document: DocumentRef): void {
  const there = undecided.find((each) => each.document.id === document.id);
  if (there) {
    there.document.agreementId ??= document.agreementId;
    return;
  }
  undecided.push({ document, tries: 0, dueMs: 0, riskyUntilMs: 0, isBeingDecided: false });
}

/** Takes what can be decided now: new documents before those that failed, and at most one of an agreement. */
export function takeDue(undecided: Undecided, nowMs: number): UndecidedDocument[] {
  const taken: UndecidedDocument[] = [];
  for (const each of [...undecided].sort((a, b) => a.tries - b.tries)) {
    if (waitsForAnother(undecided, each) || startsAtMs(undecided, each) > nowMs) continue;
    each.isBeingDecided = true;
    taken.push(each);
  }
  return taken;
}

/** When the next one may be tried that needs no decision to end before it; Infinity when there is none. */
export function nextDueMs(undecided: Undecided): number {
  const free = undecided.filter((each) => !waitsForAnother(undecided, each));
  return Math.min(...free.map((each) => startsAtMs(undecided, each)));
}

export const isDeciding = (undecided: Undecided): boolean =>
  undecided.some(({ isBeingDecided }) => isBeingDecided);

/** Whether an invoice is still to be decided: what it asks for is in no book yet. */
export const awaitsInvoice = (undecided: Undecided): boolean =>
  undecided.some(({ document }) => document.kind === 'invoice');

/** Those of its debit notes that wait are not decided any more. */
export function dropNotes(undecided: Undecided, agreementId: AgreementId): void {
  const kept = undecided.filter(
    ({ document, isBeingDecided }) => isBeingDecided || !isNoteOf([agreementId], document),
  );
  undecided.splice(0, undecided.length, ...kept);
}

/**
 * The newest notes, where there are more than there is room for: each asks for all that those before it do.
 * @param json - room for them, bytes
 */
export function compactUndecided(undecided: Undecided, json = 0): Undecided {
  let spare = undecided.length - Math.max(LEAST_CARRIED, Math.floor(json / JSON_OF_ONE));
  return undecided.filter(({ document }) => document.kind === 'invoice' || (spare -= 1) < 0);
}

export function decided(undecided: Undecided, entry: UndecidedDocument): void {
  undecided.splice(undecided.indexOf(entry), 1);
}

/** @param lifetimeMs - after so long nothing of the try can take effect on yagna any more */
export function failedToDecide(entry: UndecidedDocument, nowMs: number, lifetimeMs: number): void {
  entry.isBeingDecided = false;
  const backoffMs = Math.min(LAST_RETRY_SEC, FIRST_RETRY_SEC * 2 ** entry.tries) * 1000;
  // What must wait for the end of its risk gets a turn before it is tried once more.
  const isLast = backoffMs === LAST_RETRY_SEC * 1000;
  entry.dueMs = nowMs + (isLast ? Math.max(backoffMs, lifetimeMs + TURN_MS) : backoffMs);
  entry.tries += 1;
  entry.riskyUntilMs = nowMs + lifetimeMs;
}

/**
 * Somebody else decides it. yagna's events tell when he has; a look all the same now and then, later and later, is for a
 * yagna that tells less than it should.
 */
export function awaited(entry: UndecidedDocument, nowMs: number): void {
  failedToDecide(entry, nowMs, 0);
  entry.isAwaited = true;
  if (entry.isHeardOf) entry.dueMs = nowMs;
  entry.isHeardOf = false;
}

export const awaitedIds = (undecided: Undecided): DocumentRef['id'][] =>
  undecided.filter(({ isAwaited }) => isAwaited).map(({ document }) => document.id);

/** What somebody else decides has very likely been decided. */
export function heardOf(undecided: Undecided, ids: readonly DocumentRef['id'][], nowMs: number): void {
  for (const each of undecided) {
    if (!ids.includes(each.document.id)) continue;
    if (each.isBeingDecided) each.isHeardOf = true;
    else each.dueMs = nowMs;
  }
}

/** It did not fit into what was reserved, which was raised since. Where that was no help before, it waits. */
export function tryAgain(entry: UndecidedDocument, nowMs: number): void {
  const waits = Math.min(LAST_RETRY_SEC, FIRST_RETRY_SEC * 2 ** (entry.tries - 1)) * 1000;
  entry.isBeingDecided = false;
  entry.dueMs = entry.tries === 0 ? nowMs : nowMs + waits;
  entry.tries += 1;
}

/** Until when a try that failed may still take effect on yagna. */
export const riskyUntilMs = (undecided: Undecided): number =>
  Math.max(0, ...undecided.map((each) => each.riskyUntilMs));

/** It is being decided, or can be when a decision that is under way has ended. */
function waitsForAnother(undecided: Undecided, entry: UndecidedDocument): boolean {
  const busy = undecided.filter(({ isBeingDecided }) => isBeingDecided);
  return busy.length >= AT_ONCE || busy.some((other) => mayShareAgreement(entry, other));
}

/**
 * Where the acceptance of an invoice or of a note may still land, no look can tell whether it did; so the other kind, or
 * another invoice, waits until it can. Notes only add up, whatever their order.
 */
function startsAtMs(undecided: Undecided, entry: UndecidedDocument): number {
  const risks = undecided.filter(
    (other) =>
      other !== entry &&
      mayShareAgreement(entry, other) &&
      (entry.document.kind === 'invoice' || other.document.kind === 'invoice'),
  );
  return Math.max(entry.dueMs, ...risks.map(({ riskyUntilMs }) => riskyUntilMs));
}

/** One whose agreement is not known may be of any. */
function mayShareAgreement({ document: a }: UndecidedDocument, { document: b }: UndecidedDocument): boolean {
  return a.agreementId === undefined || b.agreementId === undefined || a.agreementId === b.agreementId;
}
