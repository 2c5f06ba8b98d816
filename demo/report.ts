/** What the demo says at its end: who computed what, what it cost, what was paid. */
import Decimal from 'decimal.js';
import { unit } from '../cli/job-view';
import type { JobResult, SettlementResult } from '../model/result';

/** A table of one line a provider, and a line with the sums. */
export function costLines(result: JobResult, settlement: SettlementResult): string[] {
  const coin = unit(settlement.money.platform);
  const rows = settlement.agreements.map((agreement) => {
    const tiles = result.tasks.filter((task) => task.attempts.at(-1)?.agreementId === agreement.agreementId);
    return [
      agreement.provider.name,
      tiles.map((task) => task.name.replace('tile-', '')).join(' '),
      shown(agreement.accepted),
      shown(agreement.paid),
    ];
  });
  const { accepted, paid } = settlement.money;
  return table([
    ['provider', 'tiles (row-column)', `cost, ${coin}`, `paid, ${coin}`],
    ...rows,
    ['', `${result.tasks.length} in all`, shown(accepted), shown(paid)],
  ]);
}

/** To nine digits after the point; what was paid has eighteen. */
function shown(amount: string): string {
  return new Decimal(amount).toFixed(9);
}

function table(rows: string[][]): string[] {
  const widths = rows.reduce<number[]>(
    (all, row) => row.map((cell, i) => Math.max(cell.length, all[i] ?? 0)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Whether a task that was done before `at` was started again after it. */
export function repeatedAfter(result: JobResult, at: number): { doneBefore: number; repeated: string[] } {
  const doneBefore = result.tasks.filter((task) =>
    task.attempts.some(({ state, finishedAt }) => state === 'done' && Date.parse(finishedAt) <= at),
  );
  const repeated = doneBefore.filter((task) =>
    task.attempts.some(({ startedAt }) => Date.parse(startedAt) > at),
  );
  return { doneBefore: doneBefore.length, repeated: repeated.map((task) => task.name) };
}

/** True when all that was accepted is paid. */
export function isPaid({ money }: SettlementResult): boolean {
  return new Decimal(money.accepted).equals(money.paid);
}
