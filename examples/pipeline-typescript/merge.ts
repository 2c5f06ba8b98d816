/** What the parts' outputs come to. */
export interface Station {
  count: number;
  /** Degrees. */
  min: number;
  mean: number;
  max: number;
}

export interface Report {
  readings: number;
  stations: Record<string, Station>;
}

/** @param outputs each with lines of `station,count,sum,min,max`, the last three in tenths of a degree */
export function merge(outputs: string[]): Report {
  const totals = new Map<string, { count: number; sum: number; min: number; max: number }>();
  for (const line of outputs.join('').split('\n').filter(Boolean)) {
    const [station = '', ...numbers] = line.split(',');
    const [count = NaN, sum = NaN, min = NaN, max = NaN] = numbers.map(Number);
    const before = totals.get(station) ?? { count: 0, sum: 0, min, max };
    totals.set(station, {
      count: before.count + count,
      sum: before.sum + sum,
      min: Math.min(before.min, min),
      max: Math.max(before.max, max),
    });
  }
  const stations: Report['stations'] = {};
  let readings = 0;
  for (const [name, { count, sum, min, max }] of [...totals].sort()) {
    readings += count;
    stations[name] = { count, min: min / 10, mean: sum / count / 10, max: max / 10 };
  }
  return { readings, stations };
}
