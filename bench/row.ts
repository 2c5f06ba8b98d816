/** What a measure says: values of ours, of what they are measured beside, and what is to be reached. */
import type { Latency } from './bench-world';
import { median } from './statistics';

export type Unit = 'ms' | 'MB' | '% of a core' | '/s' | 'each' | 'ratio';

export interface Row {
  measure: string;
  /** Of the devnet's providers; none where none are asked. */
  latency?: Latency;
  unit: Unit;
  /** One of each run. */
  ours: readonly number[];
  /** What is measured in the same run, alternating; without it the value itself is judged. */
  beside?: { name: string; values: readonly number[] };
  /** Of the ratio of the medians where it is beside something, else of the median itself. Without it nothing is judged. */
  toReach?: { atMost: number } | { atLeast: number };
  /** What a reader must know to understand the figure. */
  note?: string;
}

/** What is judged. */
export function figureOf({ ours, beside }: Row): number {
  return beside ? median(ours) / median(beside.values) : median(ours);
}

/** Undefined where there is nothing to reach. */
export function isReached(row: Row): boolean | undefined {
  const figure = figureOf(row);
  if (!row.toReach) return undefined;
  return 'atMost' in row.toReach ? figure <= row.toReach.atMost : figure >= row.toReach.atLeast;
}
