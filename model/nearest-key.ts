/** Finds the name that a misspelt one was probably meant to be. */

/** Longer names are no misspelling of ours, and comparing them would cost time. */
const LONGEST_COMPARED = 60;

/** The known name most like `name`, or undefined when none is alike. Case, `_` and `-` do not count. */
export function nearestKey(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST_COMPARED) return undefined;
  const plainName = plain(name);
  let nearest: { key: string; distance: number } | undefined;
  for (const key of known) {
    const plainKey = plain(key);
    const distance = isContained(plainName, plainKey) ? 1 : editDistance(plainName, plainKey);
    const tolerated = Math.max(1, Math.floor(Math.max(plainKey.length, plainName.length) * 0.4));
    if (distance <= tolerated && (nearest === undefined || distance < nearest.distance))
      nearest = { key, distance };
  }
  return nearest?.key;
}

/** `timeout` for `timeoutSec`, `env` for nothing: what is left out or added is short of the whole. */
function isContained(a: string, b: string): boolean {
  const [shorter, longer] = a.length < b.length ? [a, b] : [b, a];
  return shorter.length >= 4 && a !== b && longer.includes(shorter);
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

/** Least number of inserted, removed, replaced or swapped neighbouring characters between the two. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
