/**
 * The providers' side of payment by a broker: notes and invoices of agreements that name one are sent there, again and
 * again until it has decided. The requestor's node gets each once it is decided and the node can be reached, with what was
 * decided: so it finds all of them when it comes back.
 */
import { namedBroker } from '../../model/payer';
import { because, byProvider } from '../cause';
import { documentId, formatMillis, formatNanos, nowNanos } from '../clock';
import type { Database } from '../contract';
import { atomically } from '../database';
import type { Effects } from '../effects';
import type { Conditions } from '../faults/conditions';
import type { Agreement, Agreements } from '../market/agreements';
import { Amount, computed } from '../payment/amounts';
import type { Billing } from '../payment/billing';
import type { DebitNoteRow, Documents, InvoiceRow } from '../payment/documents';
import type { Timers } from '../timers';
import { askBroker, type BrokerAnswer } from './broker-client';

/** Between two attempts at a broker that is away or holds the money back. */
const AGAIN_MS = 250;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS broker_claim (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, agreement_id TEXT NOT NULL, activity_id TEXT,
  requestor TEXT NOT NULL, provider TEXT NOT NULL, platform TEXT NOT NULL, session TEXT, url TEXT NOT NULL,
  created TEXT NOT NULL, created_ms INTEGER NOT NULL, amount TEXT NOT NULL, usage TEXT NOT NULL, activities TEXT NOT NULL,
  payment_due TEXT, payment_due_ms INTEGER, status TEXT NOT NULL, reason TEXT, told INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS broker_claim_by_agreement ON broker_claim (agreement_id);
CREATE INDEX IF NOT EXISTS broker_claim_untold ON broker_claim (seq) WHERE told = 0;
`;

/** `covered`: what was paid for a later note of its activity pays it, too. `lost`: its provider crashed. */
type ClaimStatus = 'open' | 'settled' | 'covered' | 'refused' | 'lost';

interface ClaimRow {
  id: string;
  kind: 'debitNote' | 'invoice';
  agreement_id: string;
  activity_id: string | null;
  requestor: string;
  provider: string;
  platform: string;
  session: string | null;
  url: string;
  created: string;
  created_ms: number;
  amount: string;
  usage: string;
  activities: string;
  payment_due: string | null;
  payment_due_ms: number | null;
  status: ClaimStatus;
  reason: string | null;
}

/** A note as its lease watches over it. */
export type IssuedNote = Pick<DebitNoteRow, 'id' | 'created_ms' | 'status' | 'payment_due_ms'>;

/** What a lease hears of its notes. */
export interface ClaimListener {
  onNoteSettled(agreementId: string, noteId: string): void;
  onNoteRefused(agreementId: string, noteId: string, reason: string): void;
}

export interface ClaimParts {
  database: Database;
  documents: Documents;
  billing: Billing;
  agreements: Agreements;
  effects: Effects;
  conditions: Conditions;
  timers: Timers;
  /** Name of a provider. */
  nameOf(providerId: string): string;
}

export class BrokerClaims {
  listener: ClaimListener | undefined;
  private readonly sql;
  /** Being asked for. */
  private readonly asking = new Set<string>();

  constructor(private readonly parts: ClaimParts) {
    const { database } = parts;
    database.exec(SCHEMA);
    this.sql = {
      add: database.prepare(
        `INSERT INTO broker_claim (id, kind, agreement_id, activity_id, requestor, provider, platform, session, url, created,
         created_ms, amount, usage, activities, payment_due, payment_due_ms, status)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')`,
      ),
      get: database.prepare('SELECT * FROM broker_claim WHERE id = ?'),
      open: database.prepare("SELECT * FROM broker_claim WHERE status = 'open' ORDER BY seq"),
      ofAgreement: database.prepare('SELECT * FROM broker_claim WHERE agreement_id = ? ORDER BY seq'),
      untold: database.prepare(
        "SELECT * FROM broker_claim WHERE told = 0 AND status IN ('settled', 'covered', 'refused') ORDER BY seq",
      ),
      told: database.prepare('UPDATE broker_claim SET told = 1 WHERE id = ?'),
      decide: database.prepare('UPDATE broker_claim SET status = ?, reason = ? WHERE id = ?'),
      lose: database.prepare(
        "UPDATE broker_claim SET status = 'lost' WHERE provider = ? AND status = 'open'",
      ),
      insertNote: database.prepare(
        `INSERT INTO debit_note (id, requestor, provider, platform, agreement_id, activity_id, session, previous,
         created, created_ms, due, usage, payment_due, payment_due_ms, status)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      insertInvoice: database.prepare(
        `INSERT INTO invoice (id, requestor, provider, platform, agreement_id, session, created, created_ms, activities,
         amount, payment_due, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
    };
  }

  /** Goes on with what an earlier run has left. */
  start(): void {
    for (const { id } of this.sql.open.all() as ClaimRow[]) this.ask(id);
    this.tellRequestors();
  }

  /** Somebody may be reached again. */
  restored(): void {
    this.start();
  }

  /** It crashed, and knows nothing of what it had asked for. */
  forget(providerId: string): void {
    this.sql.lose.run(providerId);
  }

  issueNote(
    agreement: Agreement,
    activityId: string,
    amount: Amount,
    usage: readonly number[],
    paymentDueNanos: bigint | undefined,
    isLast: boolean,
  ): IssuedNote {
    const { billing, effects, database } = this.parts;
    const id = documentId();
    atomically(database, () => {
      this.add(agreement, {
        id,
        kind: 'debitNote',
        activityId,
        amount,
        usage,
        paymentDueNanos,
        activities: [],
      });
      billing.bill(activityId, amount, isLast);
      effects.record('debit-note-issued', {
        ...{ debitNoteId: id, agreementId: agreement.id, activityId, amount: computed(amount) },
      });
    });
    this.ask(id);
    return noteOf(this.sql.get.get(id) as ClaimRow);
  }

  issueInvoice(agreement: Agreement, paymentDueNanos: bigint, amount: Amount): void {
    const { documents, effects, database } = this.parts;
    const id = documentId();
    const activities = documents.activities(agreement.id).map((activity) => activity.id);
    atomically(database, () => {
      this.add(agreement, { id, kind: 'invoice', amount, usage: [], paymentDueNanos, activities });
      effects.record('invoice-issued', {
        invoiceId: id,
        agreementId: agreement.id,
        amount: computed(amount),
      });
    });
    this.ask(id);
  }

  /** Whether a note or an invoice was sent to a broker. */
  has(documentId: string): boolean {
    return this.sql.get.get(documentId) !== undefined;
  }

  /** Notes of an agreement, oldest first. */
  notesOf(agreementId: string): IssuedNote[] {
    return this.ofKind(agreementId, 'debitNote').map(noteOf);
  }

  hasInvoice(agreementId: string): boolean {
    return this.ofKind(agreementId, 'invoice').length > 0;
  }

  private ofKind(agreementId: string, kind: ClaimRow['kind']): ClaimRow[] {
    return (this.sql.ofAgreement.all(agreementId) as ClaimRow[]).filter((claim) => claim.kind === kind);
  }

  /** Agreements under which something may still be claimed from a deposit with a broker. */
  openAgreements(address: string, deposit: string): string[] {
    const { agreements } = this.parts;
    const isOf = ({ demand }: Agreement): boolean => {
      const named = namedBroker(demand.properties);
      return named?.address === address && named.deposit === deposit;
    };
    const asking = (this.sql.open.all() as ClaimRow[]).flatMap(
      ({ agreement_id }) => agreements.find(agreement_id) ?? [],
    );
    return [...new Set([...agreements.unclosed(), ...asking].filter(isOf).map(({ id }) => id))];
  }

  private add(
    { id: agreementId, requestor, provider, demand, session }: Agreement,
    claim: {
      id: string;
      kind: ClaimRow['kind'];
      activityId?: string;
      amount: Amount;
      usage: readonly number[];
      activities: string[];
      paymentDueNanos: bigint | undefined;
    },
  ): void {
    const now = nowNanos();
    const { id, kind, activityId = null, amount, usage, activities, paymentDueNanos: due } = claim;
    const platform = String(demand.properties['golem.com.payment.chosen-platform'] ?? '');
    this.sql.add.run(
      ...[id, kind, agreementId, activityId, requestor, provider, platform, session ?? null],
      ...[
        namedBroker(demand.properties)?.url ?? '',
        formatMillis(now),
        Number(now / 1_000_000n),
        computed(amount),
      ],
      ...[JSON.stringify(usage), JSON.stringify(activities)],
      ...[due === undefined ? null : formatNanos(due), due === undefined ? null : Number(due / 1_000_000n)],
    );
  }

  /** Until it is decided, overtaken by a later note, or its provider can do nothing any more. */
  private ask(id: string): void {
    const claim = this.sql.get.get(id) as ClaimRow;
    if (claim.status !== 'open' || this.asking.has(id) || !this.canAct(claim.provider)) return;
    this.asking.add(id);
    void askBroker(claim.url, {
      ...{
        kind: claim.kind,
        id,
        issuer: claim.provider,
        agreementId: claim.agreement_id,
        amount: claim.amount,
      },
      ...(claim.activity_id === null
        ? { activityIds: JSON.parse(claim.activities) as string[] }
        : { activityId: claim.activity_id, usage: JSON.parse(claim.usage) as number[] }),
    }).then((answer) => {
      this.asking.delete(id);
      const { timers, nameOf } = this.parts;
      const cause = byProvider(nameOf(claim.provider));
      if (timers.isClosed) return;
      if (answer.status === 'settled' || answer.status === 'refused')
        because(cause, () => this.onDecided(id, answer));
      else timers.after(AGAIN_MS, () => this.ask(id), cause);
    });
  }

  private canAct(provider: string): boolean {
    const { conditions, nameOf } = this.parts;
    return conditions.links.reach(undefined, nameOf(provider)) === 'up';
  }

  private onDecided(id: string, { status, reason }: BrokerAnswer): void {
    const claim = this.sql.get.get(id) as ClaimRow;
    if (claim.status !== 'open') return;
    const { database, effects } = this.parts;
    const { agreement_id: agreementId, activity_id: activityId, amount, kind } = claim;
    const settled: ClaimRow[] = [];
    atomically(database, () => {
      this.sql.decide.run(status === 'settled' ? 'settled' : 'refused', reason ?? null, id);
      effects.record('broker-decided', {
        documentId: id,
        agreementId,
        amount,
        decision: status as 'settled',
        reason,
      });
      if (status !== 'settled') return;
      settled.push(claim, ...this.coveredBy(claim));
      for (const each of settled) {
        if (each !== claim) this.sql.decide.run('covered', null, each.id);
        if (kind === 'invoice') effects.record('invoice-settled', { invoiceId: id, agreementId, amount });
        else if (activityId !== null)
          effects.record('debit-note-settled', {
            ...{ debitNoteId: each.id, agreementId, activityId, amount: each.amount },
          });
      }
    });
    if (kind === 'debitNote') {
      if (status === 'refused') this.listener?.onNoteRefused(agreementId, id, reason ?? '');
      for (const each of settled) this.listener?.onNoteSettled(agreementId, each.id);
    }
    this.tellRequestors();
  }

  /** Notes are cumulative: what is paid for one is paid for those of its activity that ask for no more. */
  private coveredBy(claim: ClaimRow): ClaimRow[] {
    return this.ofKind(claim.agreement_id, 'debitNote').filter(
      (other) =>
        claim.kind === 'debitNote' &&
        other.id !== claim.id &&
        other.status === 'open' &&
        other.activity_id === claim.activity_id &&
        new Amount(other.amount).lte(claim.amount),
    );
  }

  /** What was decided is sent to the nodes that can be reached, oldest first. */
  private tellRequestors(): void {
    const { conditions, nameOf, database } = this.parts;
    for (const claim of this.sql.untold.all() as ClaimRow[]) {
      if (!conditions.reachesRequestor(claim.provider, claim.requestor)) continue;
      because(byProvider(nameOf(claim.provider)), () =>
        atomically(database, () => {
          this.sql.told.run(claim.id);
          if (claim.kind === 'invoice') this.tellInvoice(claim);
          else this.tellNote(claim);
        }),
      );
    }
  }

  private tellNote(claim: ClaimRow): void {
    const { documents } = this.parts;
    const isPaid = claim.status !== 'refused';
    this.sql.insertNote.run(
      ...[claim.id, claim.requestor, claim.provider, claim.platform, claim.agreement_id, claim.activity_id],
      ...[
        claim.session,
        documents.lastNote(claim.activity_id ?? '')?.id ?? null,
        claim.created,
        claim.created_ms,
      ],
      ...[claim.amount, claim.usage, claim.payment_due, claim.payment_due_ms, 'RECEIVED'],
    );
    const note = documents.find(claim.id) as DebitNoteRow;
    documents.events.record('DebitNote', note, 'Received');
    if (!isPaid) return;
    documents.setNoteStatus(note, 'ACCEPTED');
    documents.setNoteStatus(note, 'SETTLED');
  }

  private tellInvoice(claim: ClaimRow): void {
    const { documents } = this.parts;
    this.sql.insertInvoice.run(
      ...[claim.id, claim.requestor, claim.provider, claim.platform, claim.agreement_id, claim.session],
      ...[claim.created, claim.created_ms, claim.activities, claim.amount, claim.payment_due, 'RECEIVED'],
    );
    const invoice = documents.find(claim.id) as InvoiceRow;
    documents.events.record('Invoice', invoice, 'Received');
    if (claim.status === 'refused') {
      const rejection = {
        rejectionReason: 'INCORRECT_AMOUNT',
        totalAmountAccepted: '0',
        message: claim.reason,
      };
      documents.setInvoiceStatus(invoice, 'REJECTED', { rejection });
      return;
    }
    documents.setInvoiceStatus(invoice, 'ACCEPTED');
    documents.setInvoiceStatus(invoice, 'SETTLED');
  }
}

function noteOf({ id, created_ms, payment_due_ms, status }: ClaimRow): IssuedNote {
  const isOpen = status === 'open';
  return {
    id,
    created_ms,
    payment_due_ms,
    status: isOpen ? 'RECEIVED' : status === 'refused' ? 'REJECTED' : 'SETTLED',
  };
}
