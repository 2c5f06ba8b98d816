/**
 * A requestor under test that rents, works, pays and remembers: every call is noted before it is made and after it was
 * answered, so that a test can compare what the devnet knows after its death with what it had promised.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Requestor, type Answer } from './devnet-requestor';

const MARKET = '/market-api/v1';
const PAYMENT = '/payment-api/v1';
const ACTIVITY = '/activity-api/v1/activity';

/** A call that changes something: asked for, or answered too. */
export type Progress = 'asked' | 'answered';

export interface Rental {
  session: string;
  allocationId?: string;
  released?: Progress;
  agreementId?: string;
  confirmed?: Progress;
  approved?: boolean;
  activityId?: string;
  ran?: boolean;
  terminated?: Progress;
  /** Amount that was accepted, by document. */
  notes: Map<string, { amount: string; accepted: Progress }>;
  invoice?: { id: string; amount: string; accepted?: Progress };
}

/** What all loops of a test have done so far. */
export class Ledger {
  readonly rentals: Rental[] = [];
  /** Agreements that were refused or given up. */
  readonly formerAgreements: string[] = [];
  readonly asked: Record<string, number> = {};
  readonly answered: Record<string, number> = {};

  count(what: string, progress: Progress): void {
    const counts = this[progress];
    counts[what] = (counts[what] ?? 0) + 1;
  }

  /** Makes a call whose effect is counted. */
  async effect<T>(what: string, call: () => Promise<T>): Promise<T> {
    this.count(what, 'asked');
    const result = await call();
    this.count(what, 'answered');
    return result;
  }
}

/** A status that no live devnet should give: the test fails, rather than taking it for the daemon's death. */
export class Unexpected extends Error {}

function ok(answer: Answer, ...statuses: number[]): Answer {
  if ((statuses.length === 0 && answer.status < 300) || statuses.includes(answer.status)) return answer;
  throw new Unexpected(`${answer.status} ${answer.text}`);
}

export class LoadingRequestor {
  constructor(
    private readonly requestor: Requestor,
    private readonly ledger: Ledger,
    /** The command line that each VM runs for a while. */
    private readonly mark: string,
  ) {}

  /** Rents again and again, taking up first what is unfinished, until the daemon is gone. */
  async loop(unfinished: Rental[]): Promise<void> {
    for (;;) {
      const rental = unfinished.shift() ?? this.begin();
      await this.advance(rental);
    }
  }

  private begin(): Rental {
    const rental: Rental = { session: `s${this.ledger.rentals.length}`, notes: new Map() };
    this.ledger.rentals.push(rental);
    return rental;
  }

  /** Brings a rental to its end from wherever it stands. */
  async advance(rental: Rental): Promise<void> {
    rental.allocationId ??= await this.allocate();
    while (!(await this.isApproved(rental))) await this.rent(rental);
    if (rental.terminated === undefined) await this.work(rental);
    await this.end(rental);
    await this.pay(rental);
    if (rental.released !== 'answered') {
      const again = rental.released === 'asked';
      rental.released = 'asked';
      const path = `${PAYMENT}/allocations/${rental.allocationId}`;
      ok(await this.requestor.delete(path), 200, ...(again ? [410] : []));
      rental.released = 'answered';
    }
  }

  private async allocate(): Promise<string> {
    const wanted = { totalAmount: '0.5', paymentPlatform: 'erc20-holesky-tglm' };
    return await this.ledger.effect(
      'allocation-created',
      async () => ok(await this.requestor.post(`${PAYMENT}/allocations`, wanted)).json.allocationId as string,
    );
  }

  /** Whether there is an agreement to go on with; one that came to nothing is put aside. */
  private async isApproved(rental: Rental): Promise<boolean> {
    const { agreementId } = rental;
    if (agreementId === undefined) return false;
    const path = `${MARKET}/agreements/${agreementId}`;
    let { state } = ok(await this.requestor.get(path)).json as { state: string };
    if (state === 'Proposal') {
      rental.confirmed = 'asked';
      await this.ledger.effect('agreement-confirmed', async () =>
        ok(await this.requestor.post(`${path}/confirm?appSessionId=${rental.session}`)),
      );
      rental.confirmed = 'answered';
    }
    if (state === 'Proposal' || state === 'Pending') {
      const waited = ok(await this.requestor.post(`${path}/wait?timeout=20`), 204, 410);
      state = waited.status === 204 ? 'Approved' : 'Rejected';
    }
    if (state === 'Approved' || state === 'Terminated') {
      rental.approved = true;
      return true;
    }
    this.ledger.formerAgreements.push(agreementId);
    rental.agreementId = rental.confirmed = undefined;
    return false;
  }

  private async rent(rental: Rental): Promise<void> {
    const { requestor } = this;
    const demandId = await this.ledger.effect('demand-created', () => requestor.subscribe());
    while (rental.agreementId === undefined) {
      for (const { eventType, proposal } of await requestor.events(demandId, 5)) {
        if (eventType !== 'ProposalEvent') continue;
        if (proposal.state === 'Initial') {
          const terms = requestor.terms({ 'golem.com.payment.chosen-platform': 'erc20-holesky-tglm' });
          await requestor.post(`${MARKET}/demands/${demandId}/proposals/${proposal.proposalId}`, terms);
        } else {
          rental.agreementId = await this.ledger.effect('agreement-created', () =>
            requestor.createAgreement(proposal.proposalId as string, 3600),
          );
          break;
        }
      }
    }
    await this.ledger.effect('demand-removed', async () =>
      ok(await requestor.delete(`${MARKET}/demands/${demandId}`)),
    );
  }

  private async work(rental: Rental): Promise<void> {
    const { requestor } = this;
    const { agreementId } = rental;
    const listed = ok(await requestor.get(`${ACTIVITY}?agreementId=${agreementId}`)).json as string[];
    rental.activityId ??= listed[0];
    rental.activityId ??= await this.ledger.effect('activity-created', async () => {
      const { json } = ok(await requestor.post(ACTIVITY, { agreementId }));
      return json.activityId as string;
    });
    const path = `${ACTIVITY}/${rental.activityId}`;
    const { state } = ok(await requestor.get(`${path}/state`)).json;
    if (rental.ran || state[0] === 'Terminated') return;
    const run = { run: { entry_point: '/bin/sh', args: ['-c', `${this.mark} & echo done`], capture: {} } };
    const text = JSON.stringify([{ deploy: {} }, { start: {} }, run]);
    const batchId = ok(await requestor.post(`${path}/exec`, { text })).json as string;
    for (let finished = false; !finished;) {
      const results = ok(await requestor.get(`${path}/exec/${batchId}?timeout=5`)).json as {
        isBatchFinished: boolean;
      }[];
      finished = results.at(-1)?.isBatchFinished ?? false;
    }
    rental.ran = true;
  }

  private async end(rental: Rental): Promise<void> {
    if (rental.terminated === 'answered') return;
    rental.terminated = 'asked';
    // 410: it has ended already, at our word that got no answer or at the provider's.
    ok(await this.requestor.terminate(rental.agreementId ?? ''), 200, 410);
    rental.terminated = 'answered';
  }

  private async pay(rental: Rental): Promise<void> {
    const { requestor } = this;
    const { session, allocationId, agreementId } = rental;
    if (rental.invoice?.accepted === 'answered') return;
    const [{ invoiceId }] = await this.events(session);
    const notes = ok(await requestor.get(`${PAYMENT}/debitNotes`)).json as Record<string, string>[];
    for (const note of notes.filter((each) => each['agreementId'] === agreementId)) {
      const [id, amount] = [note['debitNoteId'] ?? '', note['totalAmountDue'] ?? ''];
      if (rental.notes.get(id)?.accepted === 'answered') continue;
      rental.notes.set(id, { amount, accepted: 'asked' });
      ok(
        await requestor.post(`${PAYMENT}/debitNotes/${id}/accept`, {
          totalAmountAccepted: amount,
          allocationId,
        }),
      );
      rental.notes.set(id, { amount, accepted: 'answered' });
    }
    const path = `${PAYMENT}/invoices/${invoiceId}`;
    const { amount } = ok(await requestor.get(path)).json as { amount: string };
    rental.invoice = { id: invoiceId, amount, accepted: 'asked' };
    ok(await requestor.post(`${path}/accept`, { totalAmountAccepted: amount, allocationId }));
    rental.invoice.accepted = 'answered';
  }

  private async events(session: string): Promise<[{ invoiceId: string }]> {
    for (;;) {
      const { json } = ok(
        await this.requestor.get(`${PAYMENT}/invoiceEvents?timeout=20&appSessionId=${session}`),
      );
      if (json.length > 0) return json;
      await delay(50);
    }
  }
}
