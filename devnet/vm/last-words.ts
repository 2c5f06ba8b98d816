/** Why a child process that sets something up could not. */
import type { ChildProcess } from 'node:child_process';

/** @returns gives the end of what the child has written to stderr, for as long as it runs */
export function lastWords({ stderr }: ChildProcess): () => string {
  let text = '';
  stderr?.setEncoding('utf8').on('data', (chunk: string) => (text = (text + chunk).slice(-500)));
  return () => text.trim();
}
