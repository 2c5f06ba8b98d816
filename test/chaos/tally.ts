/** What many seeds came to: kept and broken, how the jobs ended, and how often each kind of fault acted. */
import type { SeedReport } from './run-seed';

export class Tally {
  private readonly acts = new Map<string, { planned: number; acted: number }>();
  private readonly outcomes = new Map<string, number>();
  private readonly natures = new Map<string, number>();
  private readonly sums = new Map<string, number>();
  private seconds = 0;
  readonly brokenSeeds: number[] = [];
  runs = 0;

  add(report: SeedReport): void {
    this.runs += 1;
    this.seconds += report.seconds;
    if (report.broken.length > 0) this.brokenSeeds.push(report.plan.seed);
    for (const { kind, acted } of report.acts) {
      const seen = this.acts.get(kind) ?? { planned: 0, acted: 0 };
      this.acts.set(kind, { planned: seen.planned + 1, acted: seen.acted + (acted ? 1 : 0) });
    }
    count(this.outcomes, report.outcome);
    for (const { nature } of report.plan.providers) count(this.natures, nature);
    for (const [what, number] of Object.entries(report.counts ?? {})) {
      if (typeof number === 'number') count(this.sums, what, number);
    }
  }

  lines(): string[] {
    const table = [...this.acts]
      .sort()
      .map(([kind, { planned, acted }]) => [kind, String(planned), String(acted)]);
    return [
      ...columns([['fault', 'planned', 'acted'], ...table]),
      '',
      `providers: ${inWords(this.natures)}`,
      `jobs: ${inWords(this.outcomes)}`,
      `in all: ${inWords(this.sums)}`,
      `${(this.seconds / Math.max(1, this.runs)).toFixed(1)} s a seed`,
      '',
      `${this.runs} seeds run, ${this.runs - this.brokenSeeds.length} kept all promises, ${this.brokenSeeds.length} broke one` +
        (this.brokenSeeds.length > 0 ? `: ${this.brokenSeeds.join(', ')}` : ''),
    ];
  }

  /** Kinds of which none ever acted. */
  get idle(): string[] {
    return [...this.acts].filter(([, { acted }]) => acted === 0).map(([kind]) => kind);
  }
}

function count(counts: Map<string, number>, what: string, by = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + by);
}

function inWords(counts: Map<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([what, number]) => `${number} ${what}`)
    .join(', ');
}

function columns(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
}
