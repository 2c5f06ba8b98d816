/** Which providers were shut down and not opened again: kept over restarts, by their names. */
import type { Database, EffectLog } from '../contract';
import { atomically } from '../database';

const SCHEMA = 'CREATE TABLE IF NOT EXISTS provider_shut_down (name TEXT PRIMARY KEY) WITHOUT ROWID';

export class ShutDownProviders {
  private readonly sql;

  constructor(
    private readonly database: Database,
    private readonly effects: EffectLog,
  ) {
    database.exec(SCHEMA);
    this.sql = {
      has: database.prepare('SELECT 1 FROM provider_shut_down WHERE name = ?'),
      insert: database.prepare('INSERT OR IGNORE INTO provider_shut_down VALUES (?)'),
      remove: database.prepare('DELETE FROM provider_shut_down WHERE name = ?'),
    };
  }

  has(name: string): boolean {
    return this.sql.has.get(name) !== undefined;
  }

  add(name: string): void {
    atomically(this.database, () => {
      this.sql.insert.run(name);
      this.effects.record('provider-shut-down', { provider: name });
    });
  }

  remove(name: string): void {
    atomically(this.database, () => {
      this.sql.remove.run(name);
      this.effects.record('provider-reopened', { provider: name });
    });
  }
}
