/** The events of a job's documents that came after some time, page by page. */
import type { Timestamp } from '../model/ids';
import type { DocumentEventsQuery } from './yagna';

/** Events read at once. */
const PAGE = 100;

/** @returns the events, and the time of the newest: what comes after that is new. */
export async function allAfter<E extends { eventDate: Timestamp }>(
  after: Timestamp,
  read: (query: DocumentEventsQuery) => Promise<E[]>,
): Promise<{ events: E[]; cursor: Timestamp }> {
  const events: E[] = [];
  let cursor = after;
  for (;;) {
    const page = await read({ afterTimestamp: cursor, timeoutSec: 0, maxEvents: PAGE });
    events.push(...page);
    const newest = page.at(-1)?.eventDate ?? cursor;
    const isMore = page.length >= PAGE && newest !== cursor;
    cursor = newest;
    if (!isMore) return { events, cursor };
  }
}
