/** Jobs as lines to read. */
import Decimal from 'decimal.js';
import type { ListedJob } from '../client/index';
import { unit } from './job-view';
import { tableLines } from './table';

const COLUMNS = [
  ...['JOB', 'STATUS', 'PHASE'].map((head) => ({ head })),
  ...['TASKS', 'VMS', 'COST'].map((head) => ({ head, isNumber: true })),
  ...['STARTED', 'WHY'].map((head) => ({ head })),
];

export function jobLines(jobs: readonly ListedJob[]): string[] {
  if (jobs.length === 0) return ['no jobs'];
  return tableLines(COLUMNS, jobs.map(cells));
}

function cells(job: ListedJob): string[] {
  const { jobId, status, phase, tasks, rentals, startedAt, failure } = job;
  const failed = tasks && tasks.failed > 0 ? `, ${tasks.failed} failed` : '';
  const progress = tasks && tasks.total > 0 ? `${tasks.done}/${tasks.total}${failed}` : '-';
  const started = `${startedAt.slice(0, 19).replace('T', ' ')}Z`;
  return [
    ...[jobId, status, phase ?? '-', progress, rentals === undefined ? '-' : String(rentals), costOf(job)],
    ...[started, failure ? failure.type : ''],
  ];
}

/** What is accepted, and what has accrued since. */
function costOf({ money, cost }: ListedJob): string {
  if (!money) return '-';
  const sum = new Decimal(money.accepted).plus(cost?.accrued ?? 0);
  return `${sum.toSignificantDigits(4).toFixed()} ${unit(money.platform)}`;
}
