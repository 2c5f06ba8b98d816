/** The table that a bench prints, with its notes, and the files that it leaves. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { tableLines } from '../cli/table';
import { plotOf } from './plot';
import { figureOf, isReached, type Row, type Unit } from './row';
import { spread } from './statistics';

const RESULTS = join(__dirname, 'results');
const HEADS = [
  'measure',
  'latency',
  'ours (middle half)',
  'beside',
  '(middle half)',
  'ratio',
  'to reach',
  '',
];

export function tableOf(rows: readonly Row[]): string[] {
  return tableLines(
    HEADS.map((head) => ({ head })),
    rows.map((row) => [
      row.measure,
      row.latency ?? '',
      shown(row.ours, row.unit),
      row.beside?.name ?? '',
      row.beside ? shown(row.beside.values, row.unit) : '',
      row.beside ? figureOf(row).toFixed(2) : '',
      limit(row),
      verdict(row),
    ]),
  );
}

/** What a reader must know, by measure; each is told once. */
export function notesOf(rows: readonly Row[]): string[] {
  const notes = new Map<string, string>();
  for (const { measure, note } of rows) if (note !== undefined) notes.set(note, notes.get(note) ?? measure);
  return [...notes].map(([note, measure]) => `${measure}: ${note}`);
}

/**
 * @param name of the file, as the measures that it holds
 * @param size of the run, which says how large its measures were, and how often they ran
 */
export function keep(name: string, rows: readonly Row[], size: 'quick' | 'usual' | 'long'): void {
  mkdirSync(RESULTS, { recursive: true });
  const machine = { cores: cpus().length, cpu: cpus()[0]?.model, memGib: Math.round(totalmem() / 2 ** 30) };
  const kept = { at: new Date().toISOString(), size, node: process.version, machine, rows };
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(kept, undefined, 1)}\n`);
}

/** The plot of a whole run. @returns its file */
export function keepPlot(rows: readonly Row[]): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, 'bench.svg');
  writeFileSync(file, plotOf(rows));
  return file;
}

function verdict(row: Row): string {
  const reached = isReached(row);
  return reached === undefined ? '' : reached ? 'yes' : 'NO';
}

function limit({ toReach, beside, unit }: Row): string {
  if (!toReach) return '';
  const [sign, figure] = 'atMost' in toReach ? ['≤', toReach.atMost] : ['≥', toReach.atLeast];
  return `${sign} ${beside ? figure : shown([figure], unit)}`;
}

function shown(values: readonly number[], unit: Unit): string {
  const { median, low, high } = spread(values);
  const [scale, name] =
    unit === 'ms' ? [1000, ' s'] : [1, unit === 'each' || unit === 'ratio' ? '' : ` ${unit}`];
  const text = (value: number): string => {
    const scaled = value / scale;
    return scaled >= 100 || Number.isInteger(scaled) ? scaled.toFixed(0) : scaled.toFixed(2);
  };
  return values.length > 1 ? `${text(median)}${name} (${text(low)}–${text(high)})` : `${text(median)}${name}`;
}
