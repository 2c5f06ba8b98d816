/** Takes app keys out of what others said: yagna, or something before it, may quote the request that it refuses. */

/** The words with `***` for each of the secrets, in whatever way a body, a URL or a header may write it. */
export function redacted(words: string, secrets: readonly string[]): string {
  const forms = new Set(secrets.flatMap(formsOf));
  // The longest first: one may be a part of another.
  const sorted = [...forms].sort((a, b) => b.length - a.length);
  return sorted.reduce((text, form) => text.replaceAll(form, '***'), words);
}

function formsOf(secret: string): string[] {
  if (secret === '') return [];
  const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '');
  const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
  // So few characters may stand in any text by chance.
  return base64.length < 8 ? forms : [...forms, base64, Buffer.from(secret).toString('base64url')];
}
