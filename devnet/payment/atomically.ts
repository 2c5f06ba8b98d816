/** Transactions over several modules' tables: SQLite knows no nested ones. */
import type { Database } from '../contract';

/** Does all of it or nothing, in a transaction of its own or in the one that is open already. */
export function atomically<T>(database: Database, action: () => T): T {
  return database.inTransaction ? action() : database.transaction(action)();
}
