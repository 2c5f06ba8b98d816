/** Events of debit notes and invoices as the requestor reads them. */
import { formatNanos, nextEventNanos } from '../clock';
import type { Database } from '../contract';
import { Streams } from '../server/long-poll';

export type DocumentKind = 'DebitNote' | 'Invoice';
export type EventType = 'Received' | 'Accepted' | 'Rejected' | 'Settled' | 'Cancelled' | 'Failed';

/** What a requestor gets who does not ask for more with `X-Requestor-Events`. */
export const DEFAULT_EVENT_TYPES: readonly string[] = ['RECEIVED', 'CANCELLED'];

const ID_FIELD = { DebitNote: 'debitNoteId', Invoice: 'invoiceId' } as const;

export interface DocumentKey {
  id: string;
  requestor: string;
  session: string | null;
}

export class DocumentEvents {
  readonly streams = new Streams();
  private readonly insert;
  private readonly select;

  constructor(database: Database) {
    this.insert = database.prepare(
      'INSERT INTO document_event (document, requestor, at, session, type, body) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.select = database.prepare(
      `SELECT type, body FROM document_event WHERE document = ? AND requestor = ? AND at > ?
       AND (? IS NULL OR session = ?) ORDER BY at`,
    );
  }

  record(kind: DocumentKind, document: DocumentKey, type: EventType, details: object = {}): void {
    const at = nextEventNanos();
    const body = {
      [ID_FIELD[kind]]: document.id,
      eventDate: formatNanos(at),
      eventType: `${kind}${type}Event`,
      ...details,
    };
    const { requestor, session } = document;
    this.insert.run(kind, requestor, Number(at / 1000n), session, type.toUpperCase(), JSON.stringify(body));
    this.streams.wake(eventStream(kind, requestor, undefined));
    if (session !== null) this.streams.wake(eventStream(kind, requestor, session));
  }

  /** Events of these types after an instant (microseconds), oldest first; undefined when there is none. */
  read(
    kind: DocumentKind,
    requestor: string,
    afterMicros: number,
    session: string | undefined,
    types: readonly string[],
    max: number,
  ): unknown[] | undefined {
    const rows = this.select.all(kind, requestor, afterMicros, session ?? null, session ?? null) as {
      type: string;
      body: string;
    }[];
    const chosen = rows.filter((row) => types.includes(row.type)).slice(0, max);
    return chosen.length === 0 ? undefined : chosen.map((row) => JSON.parse(row.body) as unknown);
  }
}

/** Name of the stream of one kind of events, all or those of one session. */
export function eventStream(kind: DocumentKind, requestor: string, session: string | undefined): string {
  return session === undefined ? `${kind} ${requestor}` : `${kind} ${requestor} ${session}`;
}
