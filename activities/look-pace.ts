/**
 * How often watches look at what nothing tells of. Where a process has many of them they look more rarely, so that yagna and the
 * worker are not kept busy by things at rest.
 */

/** All watches of the process together. */
const LOOKS_PER_SEC = 10;

let watches = 0;

/** @returns what ends it */
export function beginWatch(): () => void {
  watches += 1;
  return () => {
    watches -= 1;
  };
}

/** @param leastMs how often one looks that is alone, milliseconds */
export function lookEveryMs(leastMs: number): number {
  return Math.max(leastMs, (watches * 1000) / LOOKS_PER_SEC);
}
