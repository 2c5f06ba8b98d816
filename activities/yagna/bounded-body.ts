/** Reads an answer's body up to a limit: what a provider's program printed stands in some, and it may print without end. */

/** The most that is read of one answer, bytes. */
export const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** The body as UTF-8 text, or undefined when it is longer than `limitBytes`: then no more of it is read. */
export async function readBody(
  { body }: Response,
  limitBytes: number = MAX_BODY_BYTES,
): Promise<string | undefined> {
  if (!body) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new TextDecoder().decode(Buffer.concat(chunks, bytes));
    bytes += value.length;
    if (bytes > limitBytes) {
      // Closes the connection; whether that goes well is of no interest.
      await reader.cancel().catch(() => undefined);
      return undefined;
    }
    chunks.push(value);
  }
}
