/** Removes what a VM's programs left, folders that they closed to everybody too. */
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The same for a shell whose `$1` is the folder. */
export const REMOVE_TREE = 'rm -rf "$1" 2>/dev/null || { chmod -R u+rwx "$1"; rm -rf "$1"; }';

const OPTIONS = { recursive: true, force: true, maxRetries: 5 };

export async function removeTree(directory: string): Promise<void> {
  try {
    await rm(directory, OPTIONS);
  } catch {
    openUp(directory);
    await rm(directory, OPTIONS);
  }
}

export function removeTreeSync(directory: string): void {
  try {
    rmSync(directory, OPTIONS);
  } catch {
    openUp(directory);
    rmSync(directory, OPTIONS);
  }
}

function openUp(directory: string): void {
  chmodSync(directory, 0o700);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) openUp(join(directory, entry.name));
  }
}
