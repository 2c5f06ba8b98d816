/** The devnet's SQLite file and its tables. The VM host makes its own, and so does what keeps money in `payment/`. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import type { Database } from './contract';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS identity (
  key_hash TEXT PRIMARY KEY, node_id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS allocation (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, requestor TEXT NOT NULL, platform TEXT NOT NULL,
  total TEXT NOT NULL, spent TEXT NOT NULL, created TEXT NOT NULL, timeout TEXT NOT NULL, timeout_ms INTEGER NOT NULL,
  make_deposit INTEGER NOT NULL, deposit TEXT, released INTEGER NOT NULL DEFAULT 0, released_ms INTEGER
);
CREATE INDEX IF NOT EXISTS allocation_live ON allocation (seq) WHERE released = 0;
CREATE INDEX IF NOT EXISTS allocation_live_of ON allocation (requestor, platform) WHERE released = 0;
CREATE TABLE IF NOT EXISTS expenditure (
  allocation_id TEXT NOT NULL, agreement_id TEXT NOT NULL, activity_id TEXT NOT NULL, accepted TEXT NOT NULL,
  PRIMARY KEY (allocation_id, agreement_id, activity_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS agreement (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, requestor TEXT NOT NULL, provider TEXT NOT NULL,
  demand_id TEXT NOT NULL, offer_id TEXT NOT NULL, demand TEXT NOT NULL, offer TEXT NOT NULL, created TEXT NOT NULL,
  created_ns TEXT NOT NULL, valid_to TEXT NOT NULL, valid_to_ms INTEGER NOT NULL, state TEXT NOT NULL, session TEXT,
  approved TEXT, approved_ms INTEGER, termination TEXT, closed INTEGER NOT NULL DEFAULT 0, ended_ms INTEGER
);
CREATE INDEX IF NOT EXISTS agreement_by_requestor ON agreement (requestor, seq);
CREATE INDEX IF NOT EXISTS agreement_live ON agreement (seq) WHERE state IN ('Proposal', 'Pending', 'Approved');
CREATE TABLE IF NOT EXISTS agreement_event (
  requestor TEXT NOT NULL, at INTEGER NOT NULL, session TEXT, body TEXT NOT NULL, agreement_id TEXT
);
CREATE INDEX IF NOT EXISTS agreement_event_by_time ON agreement_event (requestor, at);
CREATE TABLE IF NOT EXISTS billed_activity (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, agreement_id TEXT NOT NULL, due TEXT NOT NULL,
  accepted TEXT NOT NULL, paid TEXT NOT NULL, last_note TEXT, finished INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS billed_activity_by_agreement ON billed_activity (agreement_id);
CREATE INDEX IF NOT EXISTS billed_activity_due ON billed_activity (seq) WHERE accepted <> paid;
CREATE TABLE IF NOT EXISTS debit_note (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, requestor TEXT NOT NULL, provider TEXT NOT NULL,
  platform TEXT NOT NULL, agreement_id TEXT NOT NULL, activity_id TEXT NOT NULL, session TEXT, previous TEXT,
  created TEXT NOT NULL, created_ms INTEGER NOT NULL, due TEXT NOT NULL, usage TEXT NOT NULL, payment_due TEXT,
  payment_due_ms INTEGER, status TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS debit_note_by_activity ON debit_note (activity_id);
CREATE TABLE IF NOT EXISTS invoice (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, requestor TEXT NOT NULL, provider TEXT NOT NULL,
  platform TEXT NOT NULL, agreement_id TEXT NOT NULL, session TEXT, created TEXT NOT NULL, created_ms INTEGER NOT NULL,
  activities TEXT NOT NULL, amount TEXT NOT NULL, payment_due TEXT NOT NULL, status TEXT NOT NULL,
  accepted TEXT NOT NULL DEFAULT '0', paid TEXT NOT NULL DEFAULT '0'
);
CREATE INDEX IF NOT EXISTS invoice_by_agreement ON invoice (agreement_id);
CREATE INDEX IF NOT EXISTS invoice_accepted ON invoice (seq) WHERE status = 'ACCEPTED';
CREATE TABLE IF NOT EXISTS document_event (
  document TEXT NOT NULL, requestor TEXT NOT NULL, at INTEGER NOT NULL, session TEXT, type TEXT NOT NULL,
  body TEXT NOT NULL, agreement_id TEXT
);
CREATE INDEX IF NOT EXISTS document_event_by_time ON document_event (document, requestor, at);
CREATE TABLE IF NOT EXISTS payment (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, requestor TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS payment_part (
  payment_id TEXT NOT NULL, agreement_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS payment_part_by_agreement ON payment_part (agreement_id);
CREATE TABLE IF NOT EXISTS effect (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
);
`;

/** Columns that came later than their tables. */
const ADDED_COLUMNS = [
  ['allocation', 'released_ms', 'INTEGER'],
  ['agreement', 'ended_ms', 'INTEGER'],
  ['agreement_event', 'agreement_id', 'TEXT'],
  ['document_event', 'agreement_id', 'TEXT'],
] as const;

const INDEXES_OF_ADDED_COLUMNS = `
CREATE INDEX IF NOT EXISTS agreement_by_session ON agreement (requestor, session, seq);
CREATE INDEX IF NOT EXISTS agreement_over ON agreement (COALESCE(ended_ms, valid_to_ms)) WHERE state <> 'Approved';
CREATE INDEX IF NOT EXISTS agreement_event_by_agreement ON agreement_event (agreement_id);
CREATE INDEX IF NOT EXISTS document_event_by_agreement ON document_event (agreement_id);
CREATE INDEX IF NOT EXISTS debit_note_by_agreement ON debit_note (agreement_id);
CREATE INDEX IF NOT EXISTS allocation_over ON allocation (released_ms) WHERE released = 1;
`;

/**
 * All that `change` writes is written, or nothing of it: also when the process is killed meanwhile. It must not wait
 * for anything. Inside another one it is part of that.
 */
export function atomically<T>(database: Database, change: () => T): T {
  if (database.inTransaction) return change();
  return (database.transaction(change) as () => T)();
}

export function openDatabase(dataDir: string): Database {
  mkdirSync(dataDir, { recursive: true });
  const database = new Libsql(join(dataDir, 'devnet.sqlite'));
  shrinkable(database);
  database.pragma('journal_mode = WAL');
  // Survives a killed process; only a power cut could lose the last moments, which a devnet can bear.
  database.pragma('synchronous = NORMAL');
  database.exec(SCHEMA);
  for (const [table, column, type] of ADDED_COLUMNS) addColumn(database, table, column, type);
  database.exec(INDEXES_OF_ADDED_COLUMNS);
  return database;
}

/** Gives a table of an older devnet a column that came later. */
export function addColumn(database: Database, table: string, column: string, type: string): void {
  const columns = database.pragma(`table_info(${table})`) as { name: string }[];
  if (!columns.some(({ name }) => name === column))
    database.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
}

/** Gives the file the means to become smaller when rows are deleted; one that lacks them is written anew, once. */
function shrinkable(database: Database): void {
  const [row] = database.pragma('auto_vacuum') as { auto_vacuum: number }[];
  if (row?.auto_vacuum === 2) return;
  database.pragma('auto_vacuum = INCREMENTAL');
  database.exec('VACUUM');
}
