/** The events of a job's documents that came after some time, page by page. */
import type { Timestamp } from '../model/ids';
import type { DocumentEventsQuery } from './yagna';

/** Events read at once. */
const PAGE = 100;

export interface Told<E> {
  events: E[];
  /** The time of the newest: what comes after that is new. */
  cursor: Timestamp;
  /** Newer ones are there, perhaps. */
  isCut: boolean;
}

/** @param isEnough - no further page is read; by default all are */
export async function allAfter<E extends { eventDate: Timestamp }>(
  after: Timestamp,
  read: (query: DocumentEventsQuery) => Promise<E[]>,
  isEnough: (events: readonly E[]) => boolean = () => false,
): Promise<Told<E>> {
  const events: E[] = [];
  let cursor = after;
  for (;;) {
    const page = await read({ afterTimestamp: cursor, timeoutSec: 0, maxEvents: PAGE });
    events.push(...page);
    const newest = page.at(-1)?.eventDate ?? cursor;
    const isMore = page.length >= PAGE && newest !== cursor;
    cursor = newest;
    if (!isMore || isEnough(events)) return { events, cursor, isCut: isMore };
  }
}

/** Only those up to the end of another kind that was cut, so that they are not ahead of it. */
export function upTo<E extends { eventDate: Timestamp }>(
  read: Told<E>,
  after: Timestamp,
  other: Told<{ eventDate: Timestamp }>,
): Told<E> {
  if (!other.isCut) return read;
  const ahead = read.events.findIndex(({ eventDate }) => Date.parse(eventDate) > Date.parse(other.cursor));
  if (ahead < 0) return read;
  const events = read.events.slice(0, ahead);
  return { events, cursor: events.at(-1)?.eventDate ?? after, isCut: true };
}
