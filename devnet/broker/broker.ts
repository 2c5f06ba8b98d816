/**
 * A payer other than the requestor's node: prepaid by requestors, it decides the debit notes and invoices of agreements
 * that name one of its deposits, and pays them out of its own wallet, by the deposit's rules. It has no app key of
 * anybody's, and needs no requestor to be there.
 */
import { randomUUID } from 'node:crypto';
import { namedBroker } from '../../model/payer';
import { Amount } from '../payment/amounts';
import { BrokerBooks, type BrokerDeposit, type DecidedClaim } from './broker-books';
import { BrokerChain, ChainError } from './broker-chain';
import { judge, type Claim } from './release-rules';
import { walletOfKey } from './wallet-of-key';

export interface BrokerSettings {
  /** The devnet's admin API. */
  adminUrl: string;
  dataDir: string;
  /** How long the hour of its rules is, seconds. */
  hourSec: number;
}

export interface NewDeposit {
  /** Default: a new one. */
  id?: string;
  /** Whose agreements it pays for. */
  requestor: string;
  /** Whose transfer brings the money. Default: the requestor's. */
  funder?: string;
  platform: string;
  /** GLM. */
  amount: string;
  /** Default: `amount`. */
  perHour?: string;
  /** Default: `amount`. */
  total?: string;
}

/** What a depositor or a provider asks for cannot be done; `status` is HTTP's. */
export class BrokerRefusal extends Error {
  constructor(
    message: string,
    readonly status: 400 | 404 | 409 | 503,
  ) {
    super(message);
  }
}

export class Broker {
  private readonly books: BrokerBooks;
  private readonly chain: BrokerChain;
  readonly address: string;
  /** Decisions are made one after the other: none goes by books that another one is about to change. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly settings: BrokerSettings) {
    this.books = new BrokerBooks(settings.dataDir);
    this.chain = new BrokerChain(settings.adminUrl);
    this.address = walletOfKey(this.books.key);
  }

  get hourSec(): number {
    return this.settings.hourSec;
  }

  deposits(): BrokerDeposit[] {
    return this.books.deposits();
  }

  /** @throws BrokerRefusal 404 */
  deposit(id: string): BrokerDeposit & { spent: string; left: string } {
    const found = this.books.deposit(id);
    if (!found) throw new BrokerRefusal(`there is no deposit ${id}`, 404);
    const spent = this.books.spent(id);
    const left = found.closed ? new Amount(0) : new Amount(found.total).minus(spent);
    return { ...found, spent: spent.toFixed(), left: left.toFixed() };
  }

  claims(depositId: string): DecidedClaim[] {
    return this.books.claims(depositId);
  }

  /**
   * Takes money into its care: a transfer to its wallet that the public ledger shows and that no other deposit has.
   * @throws BrokerRefusal 400, 409
   */
  open(wanted: NewDeposit): Promise<BrokerDeposit> {
    return this.inTurn(async () => {
      const { requestor, funder = requestor, platform, amount, perHour = amount, total = amount } = wanted;
      const id = wanted.id ?? randomUUID();
      if (this.books.deposit(id)) throw new BrokerRefusal(`there is a deposit ${id} already`, 409);
      if (new Amount(total).gt(amount)) throw new BrokerRefusal('total: is more than the amount', 400);
      if (new Amount(amount).isZero()) throw new BrokerRefusal('amount: is nothing', 400);
      const taken = new Set(this.books.deposits().map(({ ledgerSeq }) => ledgerSeq));
      const transfer = (await this.chain.ledger(0)).find(
        (entry) =>
          entry.kind === 'transfer' &&
          entry.from === funder &&
          entry.to === this.address &&
          entry.platform === platform &&
          new Amount(entry.amount).eq(amount) &&
          !taken.has(entry.seq),
      );
      if (!transfer) {
        const what = `transfer of ${amount} GLM on ${platform} from ${funder} to ${this.address}`;
        throw new BrokerRefusal(`the public ledger shows no ${what} that is not a deposit already`, 409);
      }
      const deposit = { id, requestor, funder, platform, amount, perHour, total, ledgerSeq: transfer.seq };
      this.books.addDeposit(deposit);
      return { ...deposit, closed: false };
    });
  }

  /**
   * Gives back what is left of a deposit, once nobody can claim from it any more.
   * @throws BrokerRefusal 404, 409
   */
  close(id: string): Promise<BrokerDeposit> {
    return this.inTurn(async () => {
      const deposit = this.deposit(id);
      if (!deposit.closed) {
        const open = await this.chain.openAgreements(this.address, id);
        if (open.length > 0)
          throw new BrokerRefusal(`agreement ${open.join(', ')} may still claim from it`, 409);
        await this.payReleased();
        this.books.close(id, randomUUID());
      }
      await this.refund(id);
      return this.deposit(id);
    });
  }

  private async refund(id: string): Promise<void> {
    const { refundId, funder, requestor, platform, amount } = this.deposit(id);
    const left = new Amount(amount).minus(this.books.spent(id));
    if (refundId === undefined || left.lte(0)) return;
    await this.chain.pay({
      ...{ key: this.books.key, paymentId: refundId, kind: 'deposit-closed', to: funder, requestor },
      ...{ platform, amount: left.toFixed(), depositId: id },
    });
  }

  /** Decides a note or an invoice, and pays it. What was decided stays so, however often it is asked for. */
  decide(claim: Claim): Promise<DecidedClaim> {
    return this.inTurn(async () => {
      const before = this.books.claim(claim.id);
      if (before && !isSame(before, claim))
        throw new BrokerRefusal(`${claim.id} is the id of another note or invoice`, 409);
      if (before && before.status !== 'held') return await this.paid(before);
      const agreement = await this.chain.agreement(claim.agreementId);
      const depositId = agreement && namedBroker(agreement.demand)?.deposit;
      const deposit = depositId === undefined ? undefined : this.books.deposit(depositId);
      const nowMs = Date.now();
      const verdict = judge({
        ...{ claim, agreement, deposit, address: this.address, nowMs, hourSec: this.settings.hourSec },
        released: this.books.released(claim.agreementId, deposit?.id),
      });
      const { kind, id, issuer, agreementId, activityId, amount, usage = [] } = claim;
      const base = {
        kind,
        id,
        issuer,
        agreementId,
        activityId,
        amount,
        usage,
        depositId: deposit?.id,
        atMs: nowMs,
      };
      const decided: DecidedClaim =
        verdict.do === 'release'
          ? { ...base, status: 'released', added: verdict.added, paymentId: randomUUID() }
          : { ...base, ...verdictFields(verdict), added: '0' };
      this.books.putClaim(decided);
      return await this.paid(decided);
    });
  }

  /** Pays what an earlier run had released. */
  resume(): Promise<void> {
    return this.inTurn(() => this.payReleased());
  }

  private async payReleased(): Promise<void> {
    for (const claim of this.books.unpaid()) await this.paid(claim);
  }

  private async paid(claim: DecidedClaim): Promise<DecidedClaim> {
    if (claim.status !== 'released') return claim;
    const { id, kind, agreementId, activityId, added, depositId = '', paymentId = '', issuer } = claim;
    const deposit = this.deposit(depositId);
    if (new Amount(added).gt(0)) {
      const document = kind === 'invoice' ? { invoiceId: id } : { activityId, debitNoteId: id };
      await this.chain.pay({
        ...{
          key: this.books.key,
          paymentId,
          kind: 'payment',
          to: issuer,
          platform: deposit.platform,
          amount: added,
        },
        ...{ depositId, requestor: deposit.requestor, for: [{ agreementId, ...document, amount: added }] },
      });
    }
    // An hour's money counts from when it is out, as the ledger has it.
    const atMs = Date.now();
    this.books.settle(id, atMs);
    return { ...claim, status: 'settled', atMs };
  }

  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.turn.then(action);
    this.turn = done.catch(() => undefined);
    return done.catch((error: unknown) => {
      throw error instanceof ChainError ? new BrokerRefusal(error.message, 503) : error;
    });
  }

  /** What is under way is done; nothing more is begun. */
  async shut(): Promise<void> {
    await this.turn;
    this.books.shut();
  }
}

function isSame(before: DecidedClaim, claim: Claim): boolean {
  return (
    before.agreementId === claim.agreementId &&
    before.issuer === claim.issuer &&
    before.kind === claim.kind &&
    before.activityId === claim.activityId &&
    new Amount(before.amount).eq(claim.amount)
  );
}

function verdictFields(
  verdict: { do: 'hold'; reason: string; untilMs: number } | { do: 'refuse'; reason: string },
): Pick<DecidedClaim, 'status' | 'reason' | 'untilMs'> {
  if (verdict.do === 'refuse') return { status: 'refused', reason: verdict.reason };
  return { status: 'held', reason: verdict.reason, untilMs: verdict.untilMs };
}
