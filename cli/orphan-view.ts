/** What `golem-temporal reconcile` found, as lines to read. */
import { exact, toAmount } from '../model/amount';
import type { Orphan, ReconcileResult } from '../model/reconcile';
import { tableLines } from './table';

const COLUMNS = ['WHAT', 'ID', 'PROVIDER', 'AGE', 'GLM', 'JOB'].map((head) => ({ head }));
const COSTS: Record<Orphan['costIs'], string> = {
  billed: '',
  atMost: ' at most',
  reserved: ' reserved',
  nothing: '',
};

export function orphanLines({ orphans, more }: ReconcileResult): string[] {
  if (orphans.length === 0) return ['nothing is left over: whatever yagna holds of ours is looked after'];
  return [
    ...tableLines(COLUMNS, orphans.map(cells)),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...orphans.flatMap(({ kind, id, left }) => (left === undefined ? [] : [`${kind} ${id} stays: ${left}`])),
  ];
}

function cells(orphan: Orphan): string[] {
  const { kind, id, provider, ageSec, cost, costIs, jobId, jobUuid } = orphan;
  const what = kind === 'golemActivity' ? 'activity' : kind;
  const shown = toAmount(exact(cost).toSignificantDigits(6)) + COSTS[costIs];
  return [what, id, provider?.name ?? '', age(ageSec), shown, jobId ?? `unknown (${jobUuid})`];
}

/** The two greatest units, as `3d 4h`. */
function age(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(first < 0 ? 3 : first, first < 0 ? 4 : first + 2);
  return shown.map(([count, unit]) => `${count}${unit}`).join(' ');
}
