/** Agreements and their events: a state machine over the database. Who decides is elsewhere (routes, providers). */
import { agreementId, formatNanos, nextEventNanos, nowNanos } from '../clock';
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import { failure, type HttpError } from '../server/errors';
import type { Timer, Timers } from '../timers';
import { Streams } from '../server/long-poll';
import type { Proposal } from './book';
import type { Terms } from './constraints';

export const AGREEMENT_STATES = [
  'Proposal',
  'Pending',
  'Cancelled',
  'Rejected',
  'Approved',
  'Expired',
  'Terminated',
] as const;
export type AgreementState = (typeof AGREEMENT_STATES)[number];

export interface Agreement {
  id: string;
  requestor: string;
  provider: string;
  demandId: string;
  offerId: string;
  demand: Terms;
  offer: Terms;
  created: string;
  validTo: string;
  state: AgreementState;
  session: string | undefined;
  approved: string | undefined;
  approvedMs: number | undefined;
  endedMs: number | undefined;
  termination: string | undefined;
  /** The provider has done with it: its final invoice is out, or a crash has made it forget the agreement. */
  closed: boolean;
}

interface AgreementRow {
  id: string;
  requestor: string;
  provider: string;
  demand_id: string;
  offer_id: string;
  demand: string;
  offer: string;
  created: string;
  created_ns: string;
  valid_to: string;
  valid_to_ms: number;
  state: AgreementState;
  session: string | null;
  approved: string | null;
  approved_ms: number | null;
  ended_ms: number | null;
  termination: string | null;
  closed: number;
}

const NEXT: Partial<Record<AgreementState, readonly AgreementState[]>> = {
  Proposal: ['Pending', 'Cancelled', 'Expired'],
  Pending: ['Approved', 'Cancelled', 'Rejected', 'Expired'],
  Approved: ['Terminated'],
};

const TERMS_KEPT = 5000;

/** An agreement in a list. */
export type AgreementSummary = Pick<Agreement, 'id' | 'created' | 'approved' | 'state' | 'session'>;

/** What the provider of an agreement hears of it. */
export interface AgreementListener {
  onConfirmed(agreement: Agreement): void;
  onTerminated(agreement: Agreement, reason: string): void;
}

export class Agreements {
  /** Woken by an agreement's changes (name: its id) and by events (name: requestor and session, see `eventStream`). */
  readonly streams = new Streams();
  listener: AgreementListener | undefined;
  /** Terms read lately; they never change, and parsing them is most of the cost of a read. */
  private readonly terms = new Map<string, { demand: Terms; offer: Terms }>();
  private readonly expiry = new Map<string, Timer | undefined>();
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly effects: Effects,
    private readonly timers: Timers,
  ) {
    this.sql = {
      insert: database.prepare(
        `INSERT INTO agreement (id, requestor, provider, demand_id, offer_id, demand, offer, created, created_ns,
         valid_to, valid_to_ms, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'Proposal')`,
      ),
      get: database.prepare('SELECT * FROM agreement WHERE id = ?'),
      getWithoutTerms: database.prepare(
        `SELECT id, requestor, provider, demand_id, offer_id, created, valid_to, valid_to_ms, state, session, approved,
         approved_ms, ended_ms, termination, closed FROM agreement WHERE id = ?`,
      ),
      list: database.prepare(
        'SELECT id, created, approved, state, session, valid_to_ms FROM agreement WHERE requestor = ? ORDER BY seq',
      ),
      listSession: database.prepare(
        `SELECT id, created, approved, state, session, valid_to_ms FROM agreement
         WHERE requestor = ? AND session = ? ORDER BY seq`,
      ),
      unclosed: database.prepare(
        "SELECT * FROM agreement WHERE closed = 0 AND state IN ('Pending', 'Approved', 'Terminated') ORDER BY seq",
      ),
      live: database.prepare(
        `SELECT id, state, requestor, provider, created, valid_to_ms FROM agreement
         WHERE state IN ('Proposal', 'Pending', 'Approved') ORDER BY seq`,
      ),
      unsigned: database.prepare(
        "SELECT id, valid_to_ms FROM agreement WHERE state IN ('Proposal', 'Pending')",
      ),
      besides: database.prepare(
        "SELECT * FROM agreement WHERE requestor = ? AND provider = ? AND state = 'Approved' AND id <> ? LIMIT 1",
      ),
      state: database.prepare('UPDATE agreement SET state = ?, ended_ms = ? WHERE id = ?'),
      confirm: database.prepare('UPDATE agreement SET session = ? WHERE id = ?'),
      approve: database.prepare('UPDATE agreement SET approved = ?, approved_ms = ? WHERE id = ?'),
      terminate: database.prepare('UPDATE agreement SET termination = ? WHERE id = ?'),
      close: database.prepare('UPDATE agreement SET closed = 1 WHERE id = ?'),
      addEvent: database.prepare(
        'INSERT INTO agreement_event (requestor, at, session, body, agreement_id) VALUES (?, ?, ?, ?, ?)',
      ),
      events: database.prepare(
        `SELECT body FROM agreement_event WHERE requestor = ? AND at > ? AND (? IS NULL OR session = ?)
         ORDER BY at LIMIT ?`,
      ),
    };
    for (const { id, valid_to_ms } of this.sql.unsigned.all() as AgreementRow[])
      this.watchExpiry(id, valid_to_ms);
  }

  /** Makes an agreement of a provider's draft. */
  create(proposal: Proposal, validToNanos: bigint): string {
    const id = agreementId();
    const now = nowNanos();
    const demand = proposal.previous ?? proposal;
    atomically(this.database, () => {
      this.sql.insert.run(
        ...[id, proposal.demand.requestor, proposal.provider, proposal.demand.id, proposal.offer.id],
        JSON.stringify({ properties: demand.properties, constraints: demand.constraints }),
        JSON.stringify({ properties: proposal.properties, constraints: proposal.constraints }),
        ...[formatNanos(now), String(now), formatNanos(validToNanos), Number(validToNanos / 1_000_000n)],
      );
      this.effects.record('agreement-created', {
        ...{ agreementId: id, requestorId: proposal.demand.requestor, providerId: proposal.provider },
        ...{ demandId: proposal.demand.id, proposalId: proposal.id },
      });
    });
    this.watchExpiry(id, Number(validToNanos / 1_000_000n));
    return id;
  }

  find(id: string): Agreement | undefined {
    const known = this.terms.get(id);
    const row = (known ? this.sql.getWithoutTerms : this.sql.get).get(id) as AgreementRow | undefined;
    return row && this.read(row, known);
  }

  /** All, or those of one session. */
  ofRequestor(requestor: string, session?: string): AgreementSummary[] {
    const { list, listSession } = this.sql;
    const rows = session === undefined ? list.all(requestor) : listSession.all(requestor, session);
    return (rows as AgreementRow[]).map((row) => ({
      id: row.id,
      created: row.created,
      approved: row.approved ?? undefined,
      state: currentState(row),
      session: row.session ?? undefined,
    }));
  }

  /** Agreements that their provider still has something to do for: decide, serve, or send the final invoice. */
  unclosed(): Agreement[] {
    return (this.sql.unclosed.all() as AgreementRow[]).map((row) => this.read(row));
  }

  /** Agreements of all requestors that are neither over nor expired. */
  live(): Pick<Agreement, 'id' | 'state' | 'requestor' | 'provider' | 'created'>[] {
    const rows = this.sql.live.all() as AgreementRow[];
    return rows
      .map((row) => {
        const { id, requestor, provider, created } = row;
        return { id, requestor, provider, created, state: currentState(row) };
      })
      .filter(({ state }) => state !== 'Expired');
  }

  /** Another approved agreement of the same two parties. */
  besides({ id, requestor, provider }: Agreement): Agreement | undefined {
    const row = this.sql.besides.get(requestor, provider, id) as AgreementRow | undefined;
    return row && this.read(row);
  }

  confirm(agreement: Agreement, session: string | undefined): void {
    this.move(agreement, 'Pending', () => {
      this.sql.confirm.run(session ?? null, agreement.id);
      this.effects.record('agreement-confirmed', { agreementId: agreement.id, appSessionId: session });
    });
    this.listener?.onConfirmed({ ...agreement, state: 'Pending', session });
  }

  approve(agreement: Agreement): void {
    this.move(agreement, 'Approved', () => {
      const now = nowNanos();
      this.sql.approve.run(formatNanos(now), Number(now / 1_000_000n), agreement.id);
      this.effects.record('agreement-approved', { agreementId: agreement.id });
      this.announce(agreement, 'AgreementApprovedEvent', {});
    });
  }

  reject(agreement: Agreement, reason: object): void {
    this.move(agreement, 'Rejected', () => {
      this.effects.record('agreement-rejected', { agreementId: agreement.id, reason });
      this.announce(agreement, 'AgreementRejectedEvent', { reason });
    });
  }

  cancel(agreement: Agreement, reason: unknown): void {
    this.move(agreement, 'Cancelled', () => {
      this.effects.record('agreement-cancelled', { agreementId: agreement.id, reason });
      this.announce(agreement, 'AgreementCancelledEvent', reason === null ? {} : { reason });
    });
  }

  terminate(agreement: Agreement, terminator: 'Requestor' | 'Provider', reason: unknown): void {
    this.move(agreement, 'Terminated', () => {
      this.effects.record('agreement-terminated', { agreementId: agreement.id, terminator, reason });
      const event = this.announce(agreement, 'AgreementTerminatedEvent', {
        terminator,
        signature: '',
        ...(reason === null ? {} : { reason }),
      });
      this.sql.terminate.run(event, agreement.id);
    });
    const message = (reason as { message?: string } | null)?.message ?? '';
    this.listener?.onTerminated({ ...agreement, state: 'Terminated' }, message);
  }

  markClosed(id: string): void {
    this.sql.close.run(id);
    this.terms.delete(id);
  }

  /** Events after an instant (microseconds), oldest first; undefined when there is none. */
  events(
    requestor: string,
    afterMicros: number,
    session: string | undefined,
    max: number,
  ): unknown[] | undefined {
    const rows = this.sql.events.all(requestor, afterMicros, session ?? null, session ?? null, max) as {
      body: string;
    }[];
    return rows.length === 0 ? undefined : rows.map((row) => JSON.parse(row.body) as unknown);
  }

  /** Changes the state, with all that belongs to the change. @throws 409 or 410 when there is no way to it. */
  private move(agreement: Agreement, to: AgreementState, change: () => void): void {
    const from = this.find(agreement.id)?.state ?? agreement.state;
    if (!NEXT[from]?.includes(to)) throw illegalTransition(from, to);
    atomically(this.database, () => {
      this.sql.state.run(to, NEXT[to] ? null : Date.now(), agreement.id);
      change();
    });
    if (to !== 'Pending') this.unwatch(agreement.id);
  }

  /** Written down when it comes; who looks is told of it from its very millisecond on, see {@link currentState}. */
  private watchExpiry(id: string, validToMs: number): void {
    const expire = (): void => {
      this.expiry.delete(id);
      atomically(this.database, () => {
        this.sql.state.run('Expired', validToMs, id);
        this.effects.record('agreement-expired', { agreementId: id });
      });
    };
    this.expiry.set(id, this.timers.after(validToMs - Date.now(), expire, 'expiry'));
  }

  private unwatch(id: string): void {
    this.timers.cancel(this.expiry.get(id));
    this.expiry.delete(id);
  }

  private announce(agreement: Agreement, eventType: string, details: object): string {
    const at = nextEventNanos();
    const session = this.find(agreement.id)?.session ?? null;
    const body = JSON.stringify({
      eventDate: formatNanos(at),
      agreementId: agreement.id,
      eventType,
      ...details,
    });
    this.sql.addEvent.run(agreement.requestor, Number(at / 1000n), session, body, agreement.id);
    this.streams.wake(agreement.id);
    this.streams.wake(eventStream(agreement.requestor, undefined));
    if (session !== null) this.streams.wake(eventStream(agreement.requestor, session));
    return body;
  }

  private read(row: AgreementRow, terms = this.terms.get(row.id)): Agreement {
    if (!terms) {
      terms = { demand: JSON.parse(row.demand) as Terms, offer: JSON.parse(row.offer) as Terms };
      const [oldest] = this.terms.keys();
      if (oldest !== undefined && this.terms.size >= TERMS_KEPT) this.terms.delete(oldest);
      this.terms.set(row.id, terms);
    }
    return {
      id: row.id,
      requestor: row.requestor,
      provider: row.provider,
      demandId: row.demand_id,
      offerId: row.offer_id,
      ...terms,
      created: row.created,
      validTo: row.valid_to,
      state: currentState(row),
      session: row.session ?? undefined,
      approved: row.approved ?? undefined,
      approvedMs: row.approved_ms ?? undefined,
      endedMs: row.ended_ms ?? undefined,
      termination: row.termination ?? undefined,
      closed: row.closed === 1,
    };
  }
}

/** That an agreement has expired follows from the clock, whether or not it is written down yet. */
function currentState({ state, valid_to_ms }: Pick<AgreementRow, 'state' | 'valid_to_ms'>): AgreementState {
  return (state === 'Proposal' || state === 'Pending') && valid_to_ms < Date.now() ? 'Expired' : state;
}

/** Name of the stream of a requestor's agreement events, all or those of one session. */
export function eventStream(requestor: string, session: string | undefined): string {
  return session === undefined ? requestor : `${requestor} ${session}`;
}

function illegalTransition(from: AgreementState, to: AgreementState): HttpError {
  return failure(from === 'Proposal' ? 409 : 410, `Can't update Agreement state from ${from} to ${to}.`);
}
