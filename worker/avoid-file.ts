/**
 * A file in which the workers of one machine remember providers that broke faith: one JSON object a line, only ever
 * added to, so that a killed worker and several at once spoil nothing. Delete a line to trust its provider again.
 */
import { appendFile, open, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { BREACHES, type AvoidedProvider, type Breach, type ProviderAvoidStore } from '../model/avoid';
import { fileProblem } from '../model/file-problem';
import { foreignText } from '../model/foreign-text';

const timestamp = z.string().refine((text) => !Number.isNaN(Date.parse(text)));
const entrySchema = z.object({
  id: z.string().min(1),
  name: z.string(),
  breach: z.enum(Object.keys(BREACHES) as Breach[]),
  reason: z.string(),
  since: timestamp,
  until: timestamp,
});

/**
 * @param path - the file; it is made at the first entry, and the folder it is in must be there
 * @returns a store whose `list` gives the newest entry of each provider, and leaves out lines that are none
 */
export function fileAvoidStore(path: string): ProviderAvoidStore {
  return {
    async list() {
      const newest = new Map<string, AvoidedProvider>();
      for (const entry of await readEntries(path)) {
        const known = newest.get(entry.id);
        if (!known || Date.parse(known.until) < Date.parse(entry.until)) newest.set(entry.id, entry);
      }
      return [...newest.values()];
    },

    async add(entry) {
      const there = await readEntries(path);
      const isKnown = there.some(
        ({ id, breach, until }) =>
          id === entry.id && breach === entry.breach && Date.parse(until) > Date.parse(entry.since),
      );
      if (isKnown) return;
      const text = `${JSON.stringify({ ...entry, reason: foreignText(entry.reason, 500) })}\n`;
      try {
        // One write at the file's end: entries of several workers do not mix.
        await appendFile(path, (await isLineOpen(path)) ? `\n${text}` : text);
      } catch (error) {
        throw new Error(`cannot write ${path}: ${fileProblem(error, 'write')}`, { cause: error });
      }
    },
  };
}

/**
 * Makes sure, before the first job, that a file can be such a store; makes it where it is not there.
 * @throws Error, one line - it cannot be read or written, or it is a file of something else
 */
export async function prepareAvoidFile(path: string): Promise<void> {
  if (path === '') throw new Error('no file is named for the providers to avoid');
  try {
    await appendFile(path, '');
  } catch (error) {
    throw new Error(`cannot write ${path}: ${fileProblem(error, 'write')}`, { cause: error });
  }
  const isOther = (await readEntries(path)).length === 0 && (await readFile(path, 'utf8')).trim() !== '';
  if (isOther) throw new Error(`${path} is no file of providers to avoid: give it a name of its own`);
}

async function readEntries(path: string): Promise<AvoidedProvider[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new Error(`cannot read ${path}: ${fileProblem(error)}`, { cause: error });
  }
  return text.split('\n').flatMap((line) => {
    const entry = entrySchema.safeParse(parsed(line));
    return entry.success ? [{ ...entry.data, id: entry.data.id.toLowerCase() }] : [];
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Somebody who edited the file, or was killed while writing, may have left its last line open. */
async function isLineOpen(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return false;
  try {
    const { size } = await file.stat();
    if (size === 0) return false;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer.toString() !== '\n';
  } finally {
    await file.close();
  }
}
