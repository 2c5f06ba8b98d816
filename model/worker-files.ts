/** Places among the files that a worker serves: `files:/input/x` in a transfer. */

/** `files:` and an absolute path of plain segments; what a URL would take for something else is not among them. */
export const WORKER_FILE = /^files:(?:\/(?!\.{1,2}(?:\/|$))[^/\\\0?#]+)+$/;

export const isWorkerFile = (place: string): boolean => place.startsWith('files:');

/** The path, with its leading slash. */
export const workerPath = (place: string): string => place.slice('files:'.length);
