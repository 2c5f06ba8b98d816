/** Whose wallet a secret key opens. The devnet has no signatures: who shows the key is who has it. */
import { createHash } from 'node:crypto';

export function walletOfKey(key: string): string {
  return `0x${createHash('sha256').update(`devnet wallet ${key}`).digest('hex').slice(0, 40)}`;
}
