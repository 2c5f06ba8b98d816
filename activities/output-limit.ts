/** Cuts captured output to what a workflow may carry. */

const MARK = (cut: number): string => `\n… [${cut} bytes cut]`;

/** The text itself, or its first `limitBytes` of UTF-8 and a mark that says how much is missing. */
export function cutOutput(text: string | null, limitBytes: number): string | null {
  if (text === null) return null;
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= limitBytes) return text;
  // A character cut in half at the end is left out.
  const kept = new TextDecoder('utf-8').decode(bytes.subarray(0, limitBytes), { stream: true });
  return kept + MARK(bytes.length - Buffer.byteLength(kept));
}
