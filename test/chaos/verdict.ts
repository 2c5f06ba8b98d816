/**
 * The judge of every chaos run: which of the product's promises were broken, in plain words, by the devnet's own record.
 * What it is judged by is in evidence.ts.
 */
import type { Effect } from '../../devnet';
import type { Evidence } from './evidence';
import { judgeMoney, owedFor, readBills } from './money-verdict';
import { judgeScripts } from './script-verdict';

export interface Verdict {
  /** Empty when all promises were kept. */
  broken: string[];
  counts: Counts;
}

export interface Counts {
  /** Scripts of tasks that were started. */
  scripts: number;
  /** Of those, beyond the ones whose outcome counts. */
  scriptsRunAgain: number;
  /** Attempts whose request to run a task had no answer. */
  uncertain: number;
  /** Beyond one a job. */
  extraAllocations: number;
  /** Moments at which more than the budget was reserved. */
  doubleReservations: number;
  demands: number;
  /** Agreements that both sides signed, and those of them under which no script of a task ran. */
  agreements: number;
  idleAgreements: number;
  vms: number;
  debitNotesAccepted: number;
  invoicesAccepted: number;
  /** GLM. */
  accepted: string;
  paid: string;
}

export function judge(evidence: Evidence): Verdict {
  const { effects } = evidence;
  const money = judgeMoney(evidence);
  const scripts = judgeScripts(evidence);
  const count = (kind: Effect['kind']): number => effects.filter((effect) => effect.kind === kind).length;
  const used = new Set(
    effects.flatMap((effect) =>
      effect.kind === 'script-started' && effect.commands[0] !== 'deploy' ? effect.agreementId : [],
    ),
  );
  const approved = effects.flatMap((effect) =>
    effect.kind === 'agreement-approved' ? effect.agreementId : [],
  );
  return {
    broken: [...judgeOpen(evidence), ...scripts.broken, ...money.broken, ...judgeRentals(effects)],
    counts: {
      scripts: scripts.scripts,
      scriptsRunAgain: scripts.scriptsRunAgain,
      uncertain: scripts.uncertain,
      extraAllocations: money.extraAllocations,
      doubleReservations: money.doubleReservations,
      demands: count('demand-created'),
      agreements: approved.length,
      idleAgreements: approved.filter((id) => !used.has(id)).length,
      vms: count('activity-created'),
      debitNotesAccepted: count('debit-note-accepted'),
      invoicesAccepted: count('invoice-accepted'),
      accepted: money.accepted,
      paid: money.paid,
    },
  };
}

function judgeOpen({ open }: Evidence): string[] {
  return Object.entries(open).flatMap(([what, number]) =>
    number > 0 ? [`${number} ${what} are left open`] : [],
  );
}

/**
 * A rental is what a draft proposal became: of several agreements made of one, or several VMs alive at once under one
 * agreement, only one may ever be paid for.
 */
function judgeRentals(effects: readonly Effect[]): string[] {
  const broken: string[] = [];
  const bills = readBills(effects);
  const paidOf = new Map<string, string>();
  const live = new Map<string, Set<string>>();
  const pairs: [agreementId: string, one: string, other: string][] = [];
  for (const effect of effects) {
    if (effect.kind === 'agreement-created') {
      const { agreementId, proposalId } = effect;
      const bill = bills.get(agreementId);
      if (!bill || owedFor(bill).isZero()) continue;
      const other = paidOf.get(proposalId);
      if (other) broken.push(`agreements ${other} and ${agreementId} of one rental were both paid for`);
      paidOf.set(proposalId, agreementId);
    }
    if (effect.kind === 'activity-created') {
      const { agreementId, activityId } = effect;
      const there = live.get(agreementId) ?? new Set();
      for (const other of there) pairs.push([agreementId, other, activityId]);
      live.set(agreementId, there.add(activityId));
    }
    if (effect.kind === 'activity-destroyed') live.get(effect.agreementId)?.delete(effect.activityId);
  }
  for (const [agreementId, one, other] of pairs) {
    const bill = bills.get(agreementId);
    const isNoted = (id: string): boolean => bill?.notes.get(id)?.gt(0) ?? false;
    if (isNoted(one) && isNoted(other)) {
      broken.push(
        `VMs ${one} and ${other} lived at once under agreement ${agreementId}, and both were paid for`,
      );
    }
  }
  return broken;
}
