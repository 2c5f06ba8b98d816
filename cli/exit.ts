/** How the process ends: not before its output was read, and quietly when nobody wants to read it. */

/** `golem-temporal events … | head` closes our output early, which is its right. */
export function endWithReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
}

/** Waits until all that was printed is read: `process.exit` drops what a pipe has not taken yet. */
export async function exitOnceRead(code: number): Promise<never> {
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit(code);
}

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
