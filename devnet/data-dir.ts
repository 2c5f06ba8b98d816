/** The folder of a devnet's state: for one devnet at a time, and gone with it when it is a temporary one. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import type { Database } from './contract';
import { openDatabase } from './database';
import { removeTreeSync } from './vm/remove-tree';

/** The folder cannot be used; the message says why. */
export class DataDirError extends Error {}

const DATABASE = 'devnet.sqlite';
const LOCK = 'devnet.lock';
/** Everything that a devnet makes in its folder. */
const OWN = new RegExp(`^((${DATABASE}|${LOCK})(-wal|-shm|-journal)?|vms)$`);

export class DataDir {
  readonly path: string;
  readonly database: Database;
  private readonly temporary: boolean;
  private readonly isNew: boolean;
  private readonly lock: Libsql.Database;

  /**
   * @param path default: a temporary one, which even a process that ends without closing it removes
   * @param options.fresh whether what a devnet has left in it is removed first
   * @throws DataDirError - another devnet is at work in it, its state cannot be read, or more than a devnet's would go
   */
  constructor(path?: string, { fresh = false } = {}) {
    this.temporary = path === undefined;
    this.isNew = path === undefined || !existsSync(path) || readdirSync(path).length === 0;
    this.path = path ?? mkdtempSync(join(tmpdir(), 'golem-devnet-'));
    mkdirSync(this.path, { recursive: true });
    if (fresh) requireOwn(this.path);
    this.lock = lock(this.path);
    try {
      if (fresh) removeState(this.path);
      this.database = openDatabase(this.path);
    } catch (error) {
      this.leave(true);
      if (!/not a database|malformed/.test(String(error))) throw error;
      throw new DataDirError(`${this.path} holds a broken ${DATABASE}: remove it, or give another folder`);
    }
    if (this.temporary) removeAtExit(this.path);
  }

  /** Lets others have it. @param failed whether the devnet never came up: what was new or empty goes, too */
  close({ failed = false } = {}): void {
    // Else most of the state stays in the write-ahead log, where it looks lost.
    this.database.pragma('wal_checkpoint(TRUNCATE)');
    this.database.close();
    this.leave(failed);
  }

  private leave(failed: boolean): void {
    this.lock.close();
    atExit.delete(this.path);
    if (this.temporary || (failed && this.isNew)) rmSync(this.path, { recursive: true, force: true });
  }
}

/** Temporary folders in use. */
const atExit = new Set<string>();
let watched = false;

function removeAtExit(path: string): void {
  atExit.add(path);
  if (watched) return;
  watched = true;
  process.once('exit', () => atExit.forEach((each) => rmSync(each, { recursive: true, force: true })));
}

/** @throws DataDirError - not everything in the folder is a devnet's, or nothing there says that it is */
function requireOwn(path: string): void {
  const entries = readdirSync(path);
  const foreign = entries.find((name) => !OWN.test(name)) ?? entries[0];
  if (foreign === undefined || (OWN.test(foreign) && entries.includes(DATABASE))) return;
  throw new DataDirError(`${path} is not emptied, for ${foreign} may be no devnet's: give another folder`);
}

/** All but the lock, which is held. The database goes last: until then the folder is seen to be a devnet's. */
function removeState(path: string): void {
  const state = readdirSync(path).filter((name) => !name.startsWith(LOCK) && name !== DATABASE);
  for (const name of [...state, DATABASE]) removeTreeSync(join(path, name));
}

/** Held until it is closed or the process ends, however it ends: by a transaction that nobody else can begin. */
function lock(path: string): Libsql.Database {
  const database = new Libsql(join(path, LOCK), { timeout: 0 });
  try {
    database.exec('BEGIN IMMEDIATE');
    return database;
  } catch (error) {
    database.close();
    if (!/locked|busy/i.test(String(error))) throw error;
    throw new DataDirError(
      `${path} is in use by another devnet: stop that one, or give this one another folder`,
    );
  }
}
