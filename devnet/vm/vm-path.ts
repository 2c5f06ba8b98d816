/** Paths inside a VM, found on this machine without ever leaving the VM's directory. */
import { lstat, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';

export class OutsideVm extends Error {}

/**
 * The host path of a path in the VM. Symbolic links are followed as the VM sees them: an absolute one starts at the
 * VM's root. The last parts need not exist.
 * @throws OutsideVm - the path leads out of the VM, or in circles
 */
export async function resolveInside(root: string, path: string): Promise<string> {
  let pending = path.split('/');
  let inside: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const part = pending.shift();
    if (part === undefined || part === '' || part === '.') continue;
    if (part.includes('\0')) throw new OutsideVm(`invalid path ${JSON.stringify(path)}`);
    if (part === '..') {
      if (inside.pop() === undefined) throw new OutsideVm(`${path} leads out of the VM`);
      continue;
    }
    const host = join(root, ...inside, part);
    const target = await linkTarget(host);
    if (target === undefined) {
      inside.push(part);
      continue;
    }
    if (++links > 40) throw new OutsideVm(`too many symbolic links in ${path}`);
    if (posix.isAbsolute(target)) inside = [];
    pending = [...target.split('/'), ...pending];
  }
  return join(root, ...inside);
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined;
  } catch {
    return undefined;
  }
}
