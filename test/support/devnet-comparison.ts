/** Whether a devnet's answers, its effects, its events and its money agree, with each other and with a requestor's notes. */
import { Decimal } from 'decimal.js';
import { AGREEMENT_STATES } from '../../devnet/market/agreements';
import type { Ledger } from './devnet-load';
import type { Requestor } from './devnet-requestor';

const [MARKET, PAYMENT] = ['/market-api/v1', '/payment-api/v1'];

export interface Effect {
  seq: number;
  kind: string;
  [field: string]: unknown;
}

export class Comparison {
  constructor(
    private readonly requestor: Requestor,
    private readonly ledger: Ledger,
  ) {}

  async with(all: Effect[]): Promise<void> {
    const ids = (kind: string, field: string): unknown[] =>
      all.filter((effect) => effect.kind === kind).map((effect) => effect[field]);
    for (const kind of [
      'allocation-created',
      'agreement-created',
      'agreement-confirmed',
      'activity-created',
    ]) {
      const count = all.filter((effect) => effect.kind === kind).length;
      expect([
        kind,
        count >= (this.ledger.answered[kind] ?? 0),
        count <= (this.ledger.asked[kind] ?? 0),
      ]).toEqual([kind, true, true]);
    }
    for (const [kind, field] of [
      ['allocation-released', 'allocationId'],
      ['agreement-approved', 'agreementId'],
      ['agreement-terminated', 'agreementId'],
      ['activity-destroyed', 'activityId'],
      ['invoice-issued', 'agreementId'],
      ['invoice-accepted', 'invoiceId'],
      ['invoice-settled', 'invoiceId'],
      ['debit-note-accepted', 'debitNoteId'],
      ['debit-note-settled', 'debitNoteId'],
      ['script-received', 'batchId'],
      ['script-started', 'batchId'],
      ['script-finished', 'batchId'],
    ] as const) {
      expect([kind, twice(ids(kind, field))]).toEqual([kind, []]);
    }
    for (const kind of ['command-started', 'command-finished']) {
      const commands = all.filter((effect) => effect.kind === kind);
      const which = commands.map(({ batchId, index }) => `${String(batchId)} ${String(index)}`);
      expect([kind, twice(which)]).toEqual([kind, []]);
    }
    await this.rentals(ids('activity-created', 'activityId'), ids('activity-destroyed', 'activityId'));
    await this.states(all);
    await this.money(all);
  }

  /** What is, what happened and what was told of it are the same. */
  private async states(all: Effect[]): Promise<void> {
    const ids = (kind: string, field: string): unknown[] =>
      all.filter((effect) => effect.kind === kind).map((effect) => effect[field]);
    const states = [...(await this.agreementStates())];
    const told = await this.agreementEvents();
    for (const [effect, event, ...reached] of [
      ['agreement-approved', 'AgreementApprovedEvent', 'Approved', 'Terminated'],
      ['agreement-rejected', 'AgreementRejectedEvent', 'Rejected'],
      ['agreement-terminated', 'AgreementTerminatedEvent', 'Terminated'],
    ] as const) {
      const are = states.filter(([, state]) => (reached as string[]).includes(state)).map(([id]) => id);
      const happened = ids(effect, 'agreementId');
      const heard = told.filter((one) => one['eventType'] === event).map((one) => one['agreementId']);
      expect([effect, differences(are, happened), differences(are, heard)]).toEqual([effect, [], []]);
    }
    const live = await this.liveAllocations();
    const released = ids('allocation-released', 'allocationId');
    const unreleased = ids('allocation-created', 'allocationId').filter((id) => !released.includes(id));
    expect(
      differences(
        live.map((allocation) => allocation['allocationId']),
        unreleased,
      ),
    ).toEqual([]);
    for (const [kind, field] of [
      ['invoice', 'invoiceId'],
      ['debitNote', 'debitNoteId'],
    ] as const) {
      const effect = kind === 'invoice' ? 'invoice' : 'debit-note';
      const list = await this.documents(`${kind}s`);
      const types = { 'X-Requestor-Events': 'RECEIVED,ACCEPTED' };
      const events = (await this.requestor.get(`${PAYMENT}/${kind}Events?timeout=0`, types)).json as Record<
        string,
        string
      >[];
      const idsOf = (type: string): unknown[] =>
        events.filter((event) => event['eventType']?.endsWith(`${type}Event`)).map((event) => event[field]);
      const are = list.map((document) => document[field]);
      expect([differences(are, ids(`${effect}-issued`, field)), differences(are, idsOf('Received'))]).toEqual(
        [[], []],
      );
      const accepted = ids(`${effect}-accepted`, field);
      expect(differences(accepted, idsOf('Accepted'))).toEqual([]);
      for (const document of list) {
        if (document['status'] === 'ACCEPTED') expect(accepted).toContain(document[field]);
        if (document['status'] === 'RECEIVED') expect(accepted).not.toContain(document[field]);
      }
    }
    await this.spending(live);
  }

  /** What was taken from an allocation is what was accepted with it. */
  private async spending(live: Record<string, string>[]): Promise<void> {
    const notes = await this.documents('debitNotes');
    const invoices = await this.documents('invoices');
    const accepted = (document: Record<string, string>): boolean =>
      ['ACCEPTED', 'SETTLED'].includes(document['status'] ?? '');
    for (const { allocationId, agreementId } of this.ledger.rentals) {
      const allocation = live.find((each) => each['allocationId'] === allocationId);
      if (!allocation || agreementId === undefined) continue;
      const of = (list: typeof notes): typeof notes =>
        list.filter((document) => document['agreementId'] === agreementId && accepted(document));
      const amounts = [
        ...of(notes).map((note) => note['totalAmountDue']),
        ...of(invoices).map((one) => one['amount']),
      ];
      const spent = Decimal.max(0, ...amounts.map((amount) => amount ?? '0'));
      expect([allocationId, new Decimal(allocation['spentAmount'] ?? '0').toFixed()]).toEqual([
        allocationId,
        spent.toFixed(),
      ]);
    }
  }

  private async rentals(created: unknown[], destroyed: unknown[]): Promise<void> {
    // The VMs of the killed daemon are gone, and their providers know it.
    expect(created.filter((id) => !destroyed.includes(id))).toEqual([]);
    const invoices = await this.documents('invoices');
    const notes = await this.documents('debitNotes');
    const paid = (list: typeof invoices, field: string, id: string): unknown =>
      list.find((document) => document[field] === id)?.['status'];
    const live = await this.liveAllocations();
    const states = await this.agreementStates();
    for (const rental of this.ledger.rentals) {
      const { allocationId, agreementId, activityId, invoice } = rental;
      if (allocationId && rental.released !== 'asked') {
        const isLive = live.some((allocation) => allocation['allocationId'] === allocationId);
        expect([allocationId, isLive]).toEqual([allocationId, rental.released !== 'answered']);
      }
      if (agreementId) {
        const state = states.get(agreementId);
        if (rental.terminated === 'answered') expect(state).toBe('Terminated');
        else if (rental.approved) expect(['Approved', 'Terminated']).toContain(state);
        else if (rental.confirmed === 'answered')
          expect(['Pending', 'Approved', 'Rejected']).toContain(state);
        else expect(['Proposal', 'Pending', 'Approved', 'Rejected']).toContain(state);
      }
      // Of those that are over this was seen before.
      if (activityId && rental.released !== 'answered') {
        const { state } = (await this.requestor.get(`/activity-api/v1/activity/${activityId}/state`)).json;
        expect(state).toEqual(['Terminated', null]);
      }
      if (invoice?.accepted === 'answered')
        expect(['ACCEPTED', 'SETTLED']).toContain(paid(invoices, 'invoiceId', invoice.id));
      for (const [id, { accepted }] of rental.notes) {
        if (accepted === 'answered')
          expect(['ACCEPTED', 'SETTLED']).toContain(paid(notes, 'debitNoteId', id));
      }
    }
    expect(twice(invoices.map((invoice) => invoice['agreementId']))).toEqual([]);
  }

  /** Every payment is an effect, and is for what was accepted. */
  async money(all: Effect[]): Promise<Decimal> {
    const payments = (await this.requestor.get(`${PAYMENT}/payments?timeout=0&maxEvents=100000`))
      .json as Record<string, string>[];
    const effects = all.filter(({ kind }) => kind === 'paid');
    const key = (payment: Record<string, unknown>): string =>
      `${String(payment['paymentId'])} ${String(payment['amount'])}`;
    const known = new Set(payments.map(key));
    expect(effects.map(key).filter((one) => !known.has(one))).toEqual([]);
    expect(twice(payments.map((payment) => payment['paymentId']))).toEqual([]);
    const accepted = this.ledger.rentals.flatMap(({ invoice }) =>
      invoice?.accepted ? [invoice.amount] : [],
    );
    const notes = this.ledger.rentals.flatMap((rental) =>
      rental.invoice?.accepted
        ? []
        : [Decimal.max(0, ...[...rental.notes.values()].map(({ amount }) => amount)).toFixed()],
    );
    const sum = total(payments.map((payment) => payment['amount'] ?? '0'));
    expect(sum.lte(total([...accepted, ...notes]))).toBe(true);
    return sum;
  }

  private async documents(kind: 'invoices' | 'debitNotes'): Promise<Record<string, string>[]> {
    return (await this.requestor.get(`${PAYMENT}/${kind}`)).json;
  }

  private async liveAllocations(): Promise<Record<string, string>[]> {
    return (await this.requestor.get(`${PAYMENT}/allocations`)).json;
  }

  private async agreementStates(): Promise<Map<string, string>> {
    const states = new Map<string, string>();
    for (const state of AGREEMENT_STATES) {
      const { json } = await this.requestor.get(`${MARKET}/agreements?state=${state}`);
      for (const { id } of json as { id: string }[]) states.set(id, state);
    }
    return states;
  }

  private async agreementEvents(): Promise<Record<string, string>[]> {
    const all: Record<string, string>[] = [];
    for (let after = '2020-01-01T00:00:00Z'; ; after = all.at(-1)?.['eventDate'] ?? after) {
      const path = `${MARKET}/agreementEvents?timeout=0&maxEvents=100&afterTimestamp=${encodeURIComponent(after)}`;
      const page = (await this.requestor.get(path)).json as Record<string, string>[];
      if (page.length === 0) return all;
      all.push(...page);
    }
  }
}

/** What is in one list only. */
function differences(left: readonly unknown[], right: readonly unknown[]): unknown[] {
  return [...left.filter((id) => !right.includes(id)), ...right.filter((id) => !left.includes(id))];
}

function twice(list: readonly unknown[]): unknown[] {
  const once = new Set<unknown>();
  return list.filter((item) => once.has(item) || !once.add(item));
}

export function total(amounts: readonly string[]): Decimal {
  const Wide = Decimal.clone({ precision: 60 });
  return amounts.reduce<Decimal>((sum, amount) => sum.plus(amount), new Wide(0));
}
