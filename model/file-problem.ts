/** Why a file that somebody named cannot be read, without Node's `ENOENT: …, open '…'`. */
export function fileProblem(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  return (code !== undefined && REASONS[code]) || message;
}

const REASONS: Record<string, string | undefined> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'you may not read it',
  EPERM: 'you may not read it',
};
