/** Why a file that somebody named cannot be read, or written, without Node's `ENOENT: …, open '…'`. */
export function fileProblem(error: unknown, access: 'read' | 'write' = 'read'): string {
  const { code, message } = error as { code?: string; message: string };
  const reasons = access === 'read' ? REASONS : { ...REASONS, ...WRITING };
  return (code !== undefined && reasons[code]) || message;
}

const REASONS: Record<string, string | undefined> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'you may not read it',
  EPERM: 'you may not read it',
};

const WRITING: Record<string, string | undefined> = {
  ENOENT: 'its folder is not there',
  ENOTDIR: 'what it is to be in is no folder',
  EACCES: 'you may not write it',
  EPERM: 'you may not write it',
  EROFS: 'what it is to be in is read-only',
  ENOSPC: 'the disk is full',
};
