/**
 * Whether a broker releases money of a deposit for a debit note or an invoice: only to the provider of an agreement that
 * names the deposit, only for usage × price of that agreement, and no more than the deposit's rules let go at a time and
 * in all. Pure decisions.
 */
import { readOffer } from '../../model/offer';
import { namedBroker } from '../../model/payer';
import { billableSec } from '../../model/payment-terms';
import { checkDebitNote, checkInvoice, type AgreementTerms } from '../../model/pricing';
import { PROP, type Properties } from '../../model/properties';
import { Amount, sum } from '../payment/amounts';

/** What a provider asks for. Amounts are cumulative, as on any note and invoice. */
export interface Claim {
  kind: 'debitNote' | 'invoice';
  /** Of the note or invoice. */
  id: string;
  /** Who asks. */
  issuer: string;
  agreementId: string;
  /** Of a note. */
  activityId?: string;
  /** Of an invoice. */
  activityIds?: string[];
  /** GLM. */
  amount: string;
  /** Of a note: counters in the order of the agreement's usage vector. */
  usage?: number[];
}

/** An agreement as both sides signed it. */
export interface SignedTerms {
  requestor: string;
  provider: string;
  demand: Properties;
  offer: Properties;
  /** Absent: it was never approved. */
  approvedMs?: number;
  endedMs?: number;
  /** Activities that were ever created under it. */
  activityIds: string[];
}

/** Money that a requestor has given to the broker, and on what terms it goes out. */
export interface ReleaseTerms {
  id: string;
  requestor: string;
  platform: string;
  /** The most that goes out within any hour, GLM. */
  perHour: string;
  /** The most that goes out in all, GLM. */
  total: string;
  closed: boolean;
}

/** What the broker has released so far. */
export interface Released {
  /** From the deposit. */
  fromDeposit: { atMs: number; amount: string }[];
  /** For the agreement's activities: the newest note of each. */
  notes: { activityId: string; amount: string; usage: number[] }[];
  /** The agreement has its invoice. */
  isInvoiced: boolean;
}

export interface Case {
  claim: Claim;
  agreement: SignedTerms | undefined;
  deposit: ReleaseTerms | undefined;
  released: Released;
  /** The broker's own. */
  address: string;
  nowMs: number;
  /** How long its hour is. */
  hourSec: number;
}

/** `hold`: it is right, and the hour's money is spent; it may be asked for again, from `untilMs` on. */
export type Verdict =
  | { do: 'release'; added: string }
  | { do: 'hold'; reason: string; untilMs: number }
  | { do: 'refuse'; reason: string };

/** What clocks and a VM's end may differ by. */
const TOLERANCE = { usageSec: 5, usageRatio: 0.01 };

export function judge(asked: Case): Verdict {
  const refused = strangerReason(asked) ?? priceReason(asked);
  if (refused !== undefined) return { do: 'refuse', reason: refused };
  return releaseWithin(asked, addedBy(asked));
}

/** Why it is none of the broker's business. */
function strangerReason({ claim, agreement, deposit, address }: Case): string | undefined {
  if (!agreement) return `there is no agreement ${claim.agreementId}`;
  if (agreement.approvedMs === undefined) return 'its agreement was never approved';
  if (claim.issuer !== agreement.provider)
    return 'it comes from somebody else than the provider of its agreement';
  const named = namedBroker(agreement.demand);
  if (named?.address !== address) return 'its agreement does not name this broker as payer';
  if (!deposit) return `this broker has no deposit ${named.deposit}`;
  if (deposit.requestor !== agreement.requestor)
    return 'its agreement names the deposit of another requestor';
  if (deposit.closed) return `deposit ${deposit.id} is closed`;
  if (agreement.demand[PROP.chosenPlatform] !== deposit.platform)
    return `its agreement is not paid on ${deposit.platform}, where the deposit is`;
  return undefined;
}

/** Why the amount is not the agreement's price of what can have been used. */
function priceReason(asked: Case): string | undefined {
  const { claim, agreement, released, nowMs } = asked;
  if (!agreement) return undefined;
  const read = readOffer(agreement.offer, agreement.provider);
  if (!read.ok) return `the agreement's prices cannot be read: ${read.reason}`;
  if (released.isInvoiced) return 'its agreement has an accepted invoice already';
  const terms: AgreementTerms = { pricing: read.offer.pricing, cpuThreads: read.offer.cpuThreads };
  const endMs = Math.min(nowMs, agreement.endedMs ?? Infinity);
  const halves = { demand: { properties: agreement.demand }, offer: { properties: agreement.offer } };
  const elapsedSec = billableSec(halves, Math.max(0, endMs - (agreement.approvedMs ?? endMs)) / 1000);
  const common = { terms, tolerance: TOLERANCE, amount: claim.amount, elapsedSec, budgetLeft: claim.amount };
  if (claim.kind === 'invoice') {
    const activities = released.notes.map(({ activityId, amount, usage }) => ({
      ...{ activityId, accepted: amount, lastUsage: usage },
    }));
    const decision = checkInvoice({ ...common, activityIds: claim.activityIds ?? [], activities });
    return decision.accept ? undefined : decision.reason;
  }
  const { activityId = '', usage } = claim;
  const decision = checkDebitNote({
    ...{ ...common, usage },
    otherUsage: released.notes.filter((note) => note.activityId !== activityId).map((note) => note.usage),
    activityKnown: agreement.activityIds.includes(activityId),
    acceptedEarlier: acceptedOf(released, activityId),
  });
  return decision.accept ? undefined : decision.reason;
}

function acceptedOf({ notes }: Released, activityId: string): string {
  return notes.find((note) => note.activityId === activityId)?.amount ?? '0';
}

/** What it adds to what was released for its activity, or by an invoice for all of them, before. */
function addedBy({ claim, released }: Case): Amount {
  const before =
    claim.kind === 'invoice'
      ? sum(released.notes.map(({ amount }) => amount))
      : new Amount(acceptedOf(released, claim.activityId ?? ''));
  return Amount.max(0, new Amount(claim.amount).minus(before));
}

function releaseWithin({ deposit, released, nowMs, hourSec }: Case, added: Amount): Verdict {
  if (!deposit || added.isZero()) return { do: 'release', added: '0' };
  const { id, perHour, total } = deposit;
  const spent = sum(released.fromDeposit.map(({ amount }) => amount));
  const left = new Amount(total).minus(spent);
  const more = added.toFixed();
  if (added.gt(left))
    return {
      do: 'refuse',
      reason: `it asks for ${more} more, and ${left.toFixed()} of deposit ${id} are left`,
    };
  if (added.gt(perHour))
    return {
      do: 'refuse',
      reason: `it asks for ${more} at once, and ${perHour} an hour may go out of deposit ${id}`,
    };
  const hourMs = hourSec * 1000;
  const recent = released.fromDeposit
    .filter(({ atMs }) => atMs > nowMs - hourMs)
    .sort((a, b) => a.atMs - b.atMs);
  let room = new Amount(perHour).minus(sum(recent.map(({ amount }) => amount)));
  if (added.lte(room)) return { do: 'release', added: more };
  let untilMs = nowMs;
  for (const { atMs, amount } of recent) {
    if (added.lte(room)) break;
    room = room.plus(amount);
    untilMs = atMs + hourMs;
  }
  return {
    do: 'hold',
    reason: `${perHour} an hour go out of deposit ${id}, and this hour's are spent`,
    untilMs,
  };
}
