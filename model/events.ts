/**
 * The events a user can follow, named as in Golem's guide to requestor–provider interaction, and the
 * small ring of the newest ones that each workflow keeps.
 */
import type { Timestamp } from './ids';
import { jsonSize } from './result-size';

export const EVENT_NAMES = [
  'AllocationCreated',
  'DemandSubscribed',
  'ProposalReceived',
  'ProposalResponded',
  'ProposalRejected',
  'AgreementCreated',
  'AgreementConfirmed',
  'AgreementRejected',
  'ActivityCreated',
  'ActivityStateChanged',
  'ScriptSent',
  'ScriptExecuted',
  'DebitNoteReceived',
  'DebitNoteAccepted',
  'InvoiceReceived',
  'InvoiceRejected',
  'PaymentAccepted',
  'PaymentFailed',
  'PaymentConfirmed',
  'ActivityDestroyed',
  'AgreementTerminated',
  'DemandUnsubscribed',
  'AllocationReleased',
  'ControlRefused',
  'ProviderAvoided',
] as const;

export type EventName = (typeof EVENT_NAMES)[number];

/** One event. `details` hold the guide's fields of that event; amounts are decimal strings. */
export interface GolemEvent {
  /** Position among its workflow's events, from 1, through all runs that continue it; the cursor of the Query `events`. */
  seq: number;
  name: EventName;
  at: Timestamp;
  details: Record<string, unknown>;
}

/** What an activity reports to its workflow; the workflow numbers it. */
export type NewEvent = Omit<GolemEvent, 'seq'>;

export interface EventsQuery {
  /** Only events with a greater `seq`. Default 0. */
  after?: number;
  /** At most so many, the oldest first. Default 1000. */
  limit?: number;
}

/** The newest events of one workflow. Plain data: {@link carryEvents} takes it into the next run. */
export interface EventLog {
  next: number;
  kept: GolemEvent[];
}

export const EVENTS_KEPT = 1000;

/** JSON of the events that go along into a workflow's next run: what a run is given must fit into 2 MB, with all else. */
export const EVENTS_CARRIED_JSON = 500_000;

export function emptyEventLog(): EventLog {
  return { next: 1, kept: [] };
}

/** Appends events, numbering them and dropping the oldest beyond {@link EVENTS_KEPT}. */
export function appendEvents(log: EventLog, events: readonly NewEvent[]): void {
  for (const event of events) log.kept.push({ seq: log.next++, ...event });
  if (log.kept.length > EVENTS_KEPT) log.kept.splice(0, log.kept.length - EVENTS_KEPT);
}

/**
 * What the next run of a workflow that continues as new is given of its log: the newest events of at most so many bytes of
 * JSON. The numbers go on, so that a cursor holds over the runs. What is left behind can still be read from the run before.
 */
export function carryEvents(log: EventLog, limitBytes = EVENTS_CARRIED_JSON): EventLog {
  let left = limitBytes;
  let from = log.kept.length;
  while (from > 0) {
    left -= jsonSize(log.kept[from - 1]) + 1;
    if (left < 0) break;
    from -= 1;
  }
  return { next: log.next, kept: log.kept.slice(from) };
}

/** The log of a run: that of the run before it, if there is one. */
export function resumeEvents(carried?: EventLog): EventLog {
  return carried ? { next: carried.next, kept: [...carried.kept] } : emptyEventLog();
}

/** What is no number in the query is as if it were not there. */
export function readEvents(log: EventLog, query?: EventsQuery | null): GolemEvent[] {
  const after = numberIn(query?.after, 0);
  const limit = Math.max(0, Math.min(numberIn(query?.limit, EVENTS_KEPT), EVENTS_KEPT));
  return log.kept.filter((event) => event.seq > after).slice(0, limit);
}

function numberIn(value: unknown, otherwise: number): number {
  return typeof value === 'number' && !Number.isNaN(value) ? value : otherwise;
}
