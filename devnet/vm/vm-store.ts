/** What the VM host keeps over a restart: its activities, and the results of their scripts. */
import type { Database } from '../contract';
import type { ActivityState } from './activity-state';
import { outputJson, type Output, type OutputJson } from './captured-output';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS vm_activity (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, agreement_id TEXT NOT NULL, created_ms INTEGER NOT NULL,
  listed INTEGER NOT NULL, measured INTEGER NOT NULL DEFAULT 0, cpu_sec REAL NOT NULL DEFAULT 0,
  duration_sec REAL NOT NULL DEFAULT 0, updated_ms INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
  reported INTEGER NOT NULL DEFAULT 0, reason TEXT, error_message TEXT, results_kept INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS vm_activity_unreported ON vm_activity (seq) WHERE reported = 0;
CREATE INDEX IF NOT EXISTS vm_activity_by_agreement ON vm_activity (agreement_id);
CREATE TABLE IF NOT EXISTS vm_script (
  id TEXT PRIMARY KEY, activity_id TEXT NOT NULL, commands INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vm_script_by_activity ON vm_script (activity_id);
CREATE TABLE IF NOT EXISTS vm_result (
  script_id TEXT NOT NULL, idx INTEGER NOT NULL, result TEXT NOT NULL, stdout BLOB, stdout_format TEXT, stderr BLOB,
  stderr_format TEXT, message TEXT, event_date TEXT NOT NULL, PRIMARY KEY (script_id, idx)
);
`;

/** An activity as its row has it. */
export interface ActivityRow {
  id: string;
  agreement_id: string;
  created_ms: number;
  /** 0: created when the requestor no longer waited for it, so that its yagna doesn't know it. */
  listed: 0 | 1;
  measured: 0 | 1;
  cpu_sec: number;
  duration_sec: number;
  updated_ms: number;
  /** 2: lost with its provider, so that it is not known to have ended. */
  ended: 0 | 1 | 2;
  reported: 0 | 1;
  reason: string | null;
  error_message: string | null;
  /** 1: its results are served although it has ended. */
  results_kept: 0 | 1;
}

export interface CommandResult {
  result: 'Ok' | 'Error';
  stdout: Output | undefined;
  stderr: Output | undefined;
  message: string | null;
  eventDate: string;
}

/** A command's result as the API gives it, but for `isBatchFinished`, which depends on the question. */
export interface ResultJson {
  index: number;
  result: 'Ok' | 'Error';
  stdout: OutputJson | null;
  stderr: OutputJson | null;
  message: string | null;
  eventDate: string;
}

/** A result that was not read yet. */
export interface FinishedCommand {
  index: number;
  result: 'Ok' | 'Error';
  /** Length of its output. */
  bytes: number;
}

interface ResultRow {
  idx: number;
  result: 'Ok' | 'Error';
  stdout: Buffer | null;
  stdout_format: 'str' | 'bin' | null;
  stderr: Buffer | null;
  stderr_format: 'str' | 'bin' | null;
  message: string | null;
  event_date: string;
}

export interface Usage {
  measured: boolean;
  cpuSec: number;
  durationSec: number;
}

export class VmStore {
  private readonly sql;

  constructor(database: Database) {
    database.exec(SCHEMA);
    this.sql = {
      add: database.prepare(
        'INSERT INTO vm_activity (id, agreement_id, created_ms, updated_ms, listed) VALUES (?, ?, ?, ?, ?)',
      ),
      get: database.prepare('SELECT * FROM vm_activity WHERE id = ?'),
      of: database.prepare('SELECT * FROM vm_activity WHERE agreement_id = ? ORDER BY seq'),
      usage: database.prepare(
        'UPDATE vm_activity SET measured = ?, cpu_sec = ?, duration_sec = ?, updated_ms = ? WHERE id = ?',
      ),
      end: database.prepare(
        'UPDATE vm_activity SET ended = ?, reason = ?, error_message = ?, results_kept = ? WHERE id = ?',
      ),
      report: database.prepare('UPDATE vm_activity SET reported = 1 WHERE id = ?'),
      unreported: database.prepare('SELECT * FROM vm_activity WHERE ended > 0 AND reported = 0 ORDER BY seq'),
      living: database.prepare('SELECT * FROM vm_activity WHERE ended = 0 AND reported = 0 ORDER BY seq'),
      addScript: database.prepare('INSERT INTO vm_script (id, activity_id, commands) VALUES (?, ?, ?)'),
      script: database.prepare('SELECT commands FROM vm_script WHERE id = ? AND activity_id = ?'),
      addResult: database.prepare('INSERT INTO vm_result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'),
      results: database.prepare(
        `SELECT idx, result, message, event_date, stdout_format, stderr_format,
           CASE WHEN ?2 < 0 OR idx = ?2 THEN stdout END AS stdout, CASE WHEN ?2 < 0 OR idx = ?2 THEN stderr END AS stderr
         FROM vm_result WHERE script_id = ?1 AND (?2 < 0 OR idx <= ?2) ORDER BY idx`,
      ),
      finished: database.prepare(
        `SELECT idx AS "index", result, COALESCE(LENGTH(stdout), 0) + COALESCE(LENGTH(stderr), 0) AS bytes
         FROM vm_result WHERE script_id = ? ORDER BY idx`,
      ),
      result: database.prepare('SELECT * FROM vm_result WHERE script_id = ? AND idx = ?'),
      dropResults: database.prepare(
        'DELETE FROM vm_result WHERE script_id IN (SELECT id FROM vm_script WHERE activity_id = ?)',
      ),
      dropScripts: database.prepare('DELETE FROM vm_script WHERE activity_id = ?'),
    };
  }

  addActivity(id: string, agreementId: string, createdMs: number, listed: boolean): void {
    this.sql.add.run(id, agreementId, createdMs, createdMs, Number(listed));
  }

  activity(id: string): ActivityRow | undefined {
    return this.sql.get.get(id) as ActivityRow | undefined;
  }

  /** Oldest first. */
  activitiesOf(agreementId: string): ActivityRow[] {
    return this.sql.of.all(agreementId) as ActivityRow[];
  }

  /** The newest known usage: what is left to go by should the daemon be killed. */
  saveUsage(id: string, usage: Usage): void {
    this.sql.usage.run(Number(usage.measured), usage.cpuSec, usage.durationSec, Date.now(), id);
  }

  endActivity(id: string, state: Partial<ActivityState>, resultsKept: boolean): void {
    const ended = state.state?.[0] === 'Unresponsive' ? 2 : 1;
    this.sql.end.run(ended, state.reason ?? null, state.errorMessage ?? null, Number(resultsKept), id);
  }

  /** Ended, and the provider knows it. */
  markReported(id: string): void {
    this.sql.report.run(id);
  }

  unreported(): ActivityRow[] {
    return this.sql.unreported.all() as ActivityRow[];
  }

  living(): ActivityRow[] {
    return this.sql.living.all() as ActivityRow[];
  }

  addScript(id: string, activityId: string, commands: number): void {
    this.sql.addScript.run(id, activityId, commands);
  }

  /** How many commands a script has; undefined when it is not one of the activity's. */
  scriptLength(id: string, activityId: string): number | undefined {
    return (this.sql.script.get(id, activityId) as { commands: number } | undefined)?.commands;
  }

  addResult(
    scriptId: string,
    index: number,
    { result, stdout, stderr, message, eventDate }: CommandResult,
  ): void {
    this.sql.addResult.run(
      ...[scriptId, index, result],
      ...[stdout?.bytes ?? null, stdout?.format ?? null, stderr?.bytes ?? null, stderr?.format ?? null],
      ...[message, eventDate],
    );
  }

  /** Results so far, those up to `commandIndex` when given, with the output of that command only. */
  results(scriptId: string, commandIndex?: number): ResultJson[] {
    return (this.sql.results.all(scriptId, commandIndex ?? -1) as ResultRow[]).map(resultJson);
  }

  /** The results so far, without their output. */
  finished(scriptId: string): FinishedCommand[] {
    return this.sql.finished.all(scriptId) as FinishedCommand[];
  }

  result(scriptId: string, index: number): ResultJson | undefined {
    const row = this.sql.result.get(scriptId, index) as ResultRow | undefined;
    return row && resultJson(row);
  }

  dropScripts(activityId: string): void {
    this.sql.dropResults.run(activityId);
    this.sql.dropScripts.run(activityId);
  }
}

function resultJson(row: ResultRow): ResultJson {
  return {
    index: row.idx,
    result: row.result,
    stdout: outputJson(output(row.stdout, row.stdout_format)),
    stderr: outputJson(output(row.stderr, row.stderr_format)),
    message: row.message,
    eventDate: row.event_date,
  };
}

function output(bytes: Buffer | null, format: 'str' | 'bin' | null): Output | undefined {
  return bytes && format ? { bytes: Buffer.from(bytes), format } : undefined;
}
