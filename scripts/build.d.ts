/** For tests that run what is built. */
export function buildIfStale(): Promise<void>;
/** True when a source is newer than the last build. */
export function isStale(): boolean;
