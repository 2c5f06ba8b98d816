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

/**
 * @param leastMs how often one looks that is alone, milliseconds
 * @param patience how many times as long it waits among many, where a look costs more or is needed less. Default 1
 */
export function lookEveryMs(leastMs: number, patience = 1): number {
  return Math.max(leastMs, (watches * patience * 1000) / LOOKS_PER_SEC);
}
