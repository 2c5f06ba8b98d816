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
  agreement_id: string;
}

export class DocumentEvents {
  readonly streams = new Streams();
  private readonly insert;
  private readonly select;

  constructor(database: Database) {
    this.insert = database.prepare(
      `INSERT INTO document_event (document, requestor, at, session, type, body, agreement_id)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.select = database.prepare(
      `SELECT body FROM document_event WHERE document = ?1 AND requestor = ?2 AND at > ?3
       AND (?4 IS NULL OR session = ?4) AND type IN (SELECT value FROM json_each(?5)) ORDER BY at LIMIT ?6`,
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
    this.insert.run(
      ...[kind, requestor, Number(at / 1000n), session],
      ...[type.toUpperCase(), JSON.stringify(body), document.agreement_id],
    );
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
    const rows = this.select.all(
      kind,
      requestor,
      afterMicros,
      session ?? null,
      JSON.stringify(types),
      max,
    ) as {
      body: string;
    }[];
    return rows.length === 0 ? undefined : rows.map((row) => JSON.parse(row.body) as unknown);
  }
}

/** Name of the stream of one kind of events, all or those of one session. */
export function eventStream(kind: DocumentKind, requestor: string, session: string | undefined): string {
  return session === undefined ? `${kind} ${requestor}` : `${kind} ${requestor} ${session}`;
}
