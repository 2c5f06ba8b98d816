/** URLs of servers that a worker is told to ask. */
import { z } from 'zod';

/** fetch takes no URL with credentials, and would quote them in its error. */
export const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) URL' })
  .refine(hasNoCredentials, { error: 'must hold no user name and password' });

function hasNoCredentials(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { username, password } = new URL(url);
  return username === '' && password === '';
}
