/**
 * Addresses of single files that nobody can guess and that end by themselves: a path, what may be done with it and until
 * when, and a code over the three made with a secret that stays in the served folder.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

export type Access = 'GET' | 'PUT';

/** Beside the files, so that all workers which serve the folder take each other's addresses, after a restart too. */
export const SECRET_FILE = '.golem-temporal-files';
const SECRET_BYTES = 32;

/** Reads the folder's secret; the first to ask makes it. */
export async function folderSecret(folder: string): Promise<Buffer> {
  const file = join(folder, SECRET_FILE);
  const secret = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (secret) {
    if (secret.length === SECRET_BYTES) return secret;
    throw new Error(
      `${file} is not what was written there; delete it, and the addresses given so far are void`,
    );
  }
  // Whole or not at all, and only for the first of two that make it at the same time.
  const part = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(part, 'wx', 0o600);
  try {
    await handle.writeFile(randomBytes(SECRET_BYTES));
  } finally {
    await handle.close();
  }
  try {
    await link(part, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(part, { force: true });
  }
  return await folderSecret(folder);
}

/** @returns the part of an address that admits to a path until a time, ms since the epoch */
export function pass(secret: Buffer, access: Access, path: string, untilMs: number): string {
  const until = Math.ceil(untilMs / 1000).toString(36);
  return `${until}.${codeOf(secret, access, path, until).toString('base64url')}`;
}

export function admits(secret: Buffer, given: string, access: Access, path: string, nowMs: number): boolean {
  const [until = '', code = '', ...rest] = given.split('.');
  if (rest.length > 0 || !/^[0-9a-z]{1,10}$/.test(until)) return false;
  const wanted = codeOf(secret, access, path, until);
  const told = Buffer.from(code, 'base64url');
  return told.length === wanted.length && timingSafeEqual(told, wanted) && parseInt(until, 36) * 1000 > nowMs;
}

const codeOf = (secret: Buffer, access: Access, path: string, until: string): Buffer =>
  createHmac('sha256', secret).update(`${access}\n${until}\n${path}`).digest();
