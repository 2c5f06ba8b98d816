/** A folder for one test file, removed after it. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function tempDir(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `golem-temporal-${name}-`));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
