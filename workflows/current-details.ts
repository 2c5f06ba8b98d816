/** The few lines that Temporal's UI shows of a running workflow (its "current details"), in Markdown. */
import type { ReconcileInput, ReconcileResult } from '../model/reconcile';
import type { JobProgress, RentalProgress, SettlementProgress } from '../model/result';

export function jobDetails(progress: JobProgress): string {
  const { tasks, money } = progress;
  const lines = [
    `**${progress.phase}** · tasks: ${tasks.done} of ${tasks.total} done, ${tasks.running} running, ${tasks.failed} failed`,
    `budget ${money.budget} · reserved ${money.reserved} · accepted ${money.accepted} · paid ${money.paid} (${money.platform})${money.low ? ' · **low**' : ''}`,
  ];
  if (progress.waitingFor) lines.push(`waits for ${progress.waitingFor}`);
  for (const rental of progress.rentals) lines.push(`- ${rentalDetails(rental)}`);
  if (progress.lastFailure)
    lines.push(`last failure: ${progress.lastFailure.type}: ${progress.lastFailure.message}`);
  return lines.join('\n');
}

export function rentalDetails(rental: RentalProgress): string {
  const task = rental.currentTask ? `, task ${rental.currentTask}` : '';
  const reason = rental.reason ? `: ${rental.reason}` : '';
  return `${rental.provider.name}: ${rental.state}${task}, ${rental.tasksDone} done${reason}`;
}

export function settlementDetails(progress: SettlementProgress): string {
  const { money } = progress;
  const lines = [
    `**${progress.phase}** · budget ${money.budget} · accepted ${money.accepted} · paid ${money.paid} (${money.platform})`,
  ];
  for (const agreement of progress.agreements) {
    lines.push(
      `- ${agreement.provider.name}: ${agreement.state}, accepted ${agreement.accepted}, paid ${agreement.paid}`,
    );
  }
  return lines.join('\n');
}

export function reconcileDetails(result: ReconcileResult, { dryRun }: ReconcileInput): string {
  const { orphans, more, settlements } = result;
  const left = orphans.filter((orphan) => orphan.left !== undefined).length;
  const lines = [
    `**${orphans.length + more} orphans**${left > 0 ? `, ${left} of them left as they are` : ''}`,
    dryRun ? 'listed only: nothing is changed' : `${settlements.length} settlements close them`,
  ];
  return lines.join('\n');
}
