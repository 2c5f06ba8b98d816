/** A private key in a file, which `golem-temporal key` has made: read to sign with, and never shown. */
import { stat } from 'node:fs/promises';
import { ControlSigner } from '../client/index';
import { usageError } from './failure';
import { readJsonFile } from './spec-file';

/** Everybody but the owner of the file. */
const OTHERS = 0o077;

/** @throws CliError - it cannot be read, or holds no key */
export async function readSigner(file: string): Promise<ControlSigner> {
  const jwk = await readJsonFile(file, 'private key');
  const signer = await ControlSigner.fromJwk(jwk).catch(() => {
    throw usageError(`${file} is not a private key: make one with golem-temporal key FILE`);
  });
  await warnIfOthersMayRead(file);
  return signer;
}

/** Undefined where no file is named. */
export async function signerOf({ key }: { key?: string }): Promise<ControlSigner | undefined> {
  return key === undefined ? undefined : await readSigner(key);
}

async function warnIfOthersMayRead(file: string): Promise<void> {
  // There, a file's mode says nothing of it.
  if (process.platform === 'win32') return;
  const mode = (await stat(file).catch(() => undefined))?.mode ?? 0;
  if ((mode & OTHERS) !== 0)
    console.error(`golem-temporal: warning: others may read the private key in ${file}: chmod 600 ${file}`);
}
