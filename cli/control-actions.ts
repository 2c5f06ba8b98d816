/** What `golem-temporal key | grant | revoke` do: thin over the client. */
import { writeFile } from 'node:fs/promises';
import { ControlSigner, GolemClient, GolemRentalError, type Permission } from '../client/index';
import { fileProblem } from '../model/file-problem';
import { usageError } from './failure';
import { readSigner } from './key-file';
import { withTemporal } from './temporal-client';

export async function key(file: string, { show }: { show?: boolean }): Promise<void> {
  if (file === '') throw usageError('no file is named for the private key');
  const signer = show ? await readSigner(file) : await newKey(file);
  console.log(signer.key);
}

async function newKey(file: string): Promise<ControlSigner> {
  const signer = await ControlSigner.generate();
  try {
    await writeFile(file, `${JSON.stringify(signer.toJwk())}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const why = isThere ? 'it is there already, and no key is written over' : fileProblem(error, 'write');
    throw usageError(`cannot write ${file}: ${why}`);
  }
  return signer;
}

export async function grant(
  rental: string,
  to: string,
  options: { may: Permission[]; until: string; key: string },
): Promise<void> {
  const { may: permissions, until } = options;
  const signer = await readSigner(options.key);
  await withTemporal(async (client) => {
    await new GolemClient({ client, signer }).grant(rental, { key: to, permissions, until });
    console.log(`${to} may ${permissions.join(', ')} with ${rental} until ${until}`);
  });
}

export async function revoke(rental: string, from: string, options: { key: string }): Promise<void> {
  const signer = await readSigner(options.key);
  await withTemporal(async (client) => {
    try {
      await new GolemClient({ client, signer }).revoke(rental, from);
    } catch (error) {
      // Or never granted: who has mistyped the key is not to think that it is done.
      if (!(error instanceof GolemRentalError) || !error.reason.includes('has no grant here')) throw error;
      throw usageError(`${from} has no grant for ${rental}, or none any more: there is nothing to revoke`);
    }
    console.log(`${from} may do nothing with ${rental} any more, nor may those that had it from there`);
  });
}
