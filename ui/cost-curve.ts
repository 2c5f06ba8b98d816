/**
 * What a job has cost over time, from its events: what was accepted and what was paid, step by step. The rest, what
 * has accrued since the newest debit notes, is reckoned by the job and is known only of moments at which it was asked.
 */
import type { JobEvent } from '../client/index';
import { addAmounts, exact, readExact, toAmount, type ExactDecimal } from '../model/amount';
import type { Amount } from '../model/ids';
import type { JobProgress } from '../model/result';
import { textIn } from './event-fields';

export interface CostStep {
  /** ms since the epoch. */
  at: number;
  /** GLM, both. */
  accepted: Amount;
  paid: Amount;
}

/** What a job told of itself at a moment; GLM. */
export interface CostSample {
  at: number;
  /** Accepted, and accrued beyond it. */
  spent: Amount;
  accepted: Amount;
  paid: Amount;
}

export const MOST_STEPS = 400;

/** A sum over agreements: of each its invoice, or until that is there its debit notes. */
class Sum {
  private total = exact('0');
  private readonly notes = new Map<string, Map<string, ExactDecimal>>();
  private readonly invoices = new Map<string, ExactDecimal>();

  /** @param activityId - of a debit note, whose amount is all that this VM has cost by then */
  bill(agreementId: string, activityId: string | undefined, amount: ExactDecimal): void {
    const before = this.of(agreementId);
    if (activityId === undefined) this.invoices.set(agreementId, amount);
    else {
      const notes = this.notes.get(agreementId) ?? new Map<string, ExactDecimal>();
      this.notes.set(agreementId, notes.set(activityId, amount));
    }
    this.total = this.total.minus(before).plus(this.of(agreementId));
  }

  private of(agreementId: string): ExactDecimal {
    const notes = [...(this.notes.get(agreementId)?.values() ?? [])];
    return this.invoices.get(agreementId) ?? notes.reduce((sum, note) => sum.plus(note), exact('0'));
  }

  toString(): Amount {
    return toAmount(this.total);
  }
}

/**
 * @param events - of one job, in the order of time
 * @returns at most {@link MOST_STEPS} moments at which something changed
 */
export function costStepsOf(events: readonly JobEvent[]): CostStep[] {
  const [accepted, paid] = [new Sum(), new Sum()];
  const steps: CostStep[] = [];
  for (const { name, at, details } of events) {
    const agreementId = textIn(details, 'agreementId');
    const amount = readExact(details.amount);
    if (agreementId === undefined || amount === undefined) continue;
    const activityId = textIn(details, 'activityId');
    if (name === 'DebitNoteAccepted' || name === 'PaymentAccepted')
      accepted.bill(agreementId, activityId, amount);
    else if (name === 'PaymentConfirmed') paid.bill(agreementId, activityId, amount);
    else continue;
    steps.push({ at: Date.parse(at), accepted: String(accepted), paid: String(paid) });
  }
  return thinned(steps);
}

/** The last of each span of time: what was true at its end. */
function thinned(steps: CostStep[]): CostStep[] {
  const [first, last] = [steps[0], steps.at(-1)];
  if (!first || !last || steps.length <= MOST_STEPS) return steps;
  const spanMs = Math.max(1, (last.at - first.at) / (MOST_STEPS - 1));
  const bySpan = new Map<number, CostStep>();
  for (const step of steps) bySpan.set(Math.floor((step.at - first.at) / spanMs), step);
  return [...bySpan.values()];
}

const MOST_SAMPLES = 400;

/**
 * The steps with what was seen beside them: of debit notes that are not payable no event tells the payment. What is
 * accepted or paid stays so.
 */
export function stepsWith(steps: readonly CostStep[], samples: readonly CostSample[]): CostStep[] {
  const larger = (a: Amount, b: Amount): Amount => (exact(a).gte(exact(b)) ? a : b);
  const merged: CostStep[] = [];
  for (const { at, accepted, paid } of [...steps, ...samples].sort((a, b) => a.at - b.at)) {
    const last = merged.at(-1) ?? { accepted: '0', paid: '0' };
    const step = { at, accepted: larger(last.accepted, accepted), paid: larger(last.paid, paid) };
    if (step.accepted !== last.accepted || step.paid !== last.paid) merged.push(step);
  }
  return merged;
}

/** What a job has cost by now: what was accepted, and what has accrued beyond that. */
export function spentOf({
  money,
  cost,
}: Pick<JobProgress, 'money'> & Partial<Pick<JobProgress, 'cost'>>): Amount {
  return addAmounts([money.accepted, cost?.accrued ?? '0']);
}

/** Adds what a job's progress reckons now; of many samples every other is dropped. */
export function addSample(samples: CostSample[], progress: JobProgress): CostSample[] {
  const at = Date.parse(progress.cost.at);
  const { accepted, paid } = progress.money;
  const last = samples.at(-1);
  if (last && at <= last.at) return samples;
  const added = [...samples, { at, spent: spentOf(progress), accepted, paid }];
  return added.length <= MOST_SAMPLES ? added : added.filter((_, i) => i % 2 === 1);
}
