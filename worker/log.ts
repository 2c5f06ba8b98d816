/**
 * What our worker process writes to stderr: one line a message. Its users read it to learn what is wrong with a job or
 * a yagna, so failures are told by their names and without the stack of our own code.
 */
import { DefaultLogger, Runtime, type LogEntry } from '@temporalio/worker';
import { isPutOff } from '../model/ask-again';

/** Nothing is wrong with these. */
const EXPECTED = [
  // Said at each start, because the long polls have a worker without workflows.
  'No workflows registered, not polling for workflow tasks',
  // What was answered by a worker that had been away, or had ended meanwhile.
  'Activity not found on completion',
  'Query not found when attempting to respond to it',
  // Whoever asked is told why.
  'Failing legacy query request',
];

const TOLD_KEPT = 50;

/** To be called once in a process, before anything else of Temporal's worker. */
export function logPlainly(
  write: (line: string) => void = (line) => void process.stderr.write(`${line}\n`),
): void {
  const told: string[] = [];
  const logger = new DefaultLogger('WARN', (entry) => {
    if (!isWorthTelling(entry) || isToldAlready(entry, told)) return;
    const line = logLine(entry);
    told.push(line);
    if (told.length > TOLD_KEPT) told.shift();
    write(line);
  });
  // Else the native part writes lines of its own make.
  const logging = { forward: {}, filter: { core: 'WARN' as const, other: 'ERROR' as const } };
  Runtime.install({ logger, telemetryOptions: { logging } });
}

export function isWorthTelling({ message, meta }: Pick<LogEntry, 'message' | 'meta'>): boolean {
  const { error } = (meta ?? {}) as { error?: unknown };
  if (EXPECTED.some((each) => message.startsWith(each)) || isPutOff(error)) return false;
  // What an activity made it fail for is told already, by its name; of that nothing comes from the workflow's thread.
  return message !== 'Workflow failed' || named(error) !== '';
}

/** What an activity fails for, its workflow very likely fails for next. */
function isToldAlready({ message, meta }: LogEntry, told: readonly string[]): boolean {
  if (message !== 'Workflow failed') return false;
  const { workflowId, error } = (meta ?? {}) as Record<string, unknown>;
  const why = named(error);
  return told.some((line) => line.includes(` of ${String(workflowId)}`) && line.endsWith(why));
}

export function logLine({ level, message, meta = {}, timestampNanos }: LogEntry): string {
  const at = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  const { workflowId, activityType, attempt, error } = meta as Record<string, unknown>;
  const of = [
    activityType,
    workflowId && `of ${String(workflowId)}`,
    typeof attempt === 'number' && attempt > 1 && `(attempt ${attempt})`,
  ];
  const where = of.filter(Boolean).map(String).join(' ');
  return [`${at} ${level} ${message}${where && `: ${where}`}`, error === undefined ? '' : named(error)]
    .filter(Boolean)
    .join(': ');
}

/** The innermost failure by its name; a bug of ours, which has none, with its stack. */
function named(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let last: Error & { type?: unknown } = error;
  while (last.cause instanceof Error && typeof last.type !== 'string') last = last.cause;
  if (typeof last.type === 'string') return `${last.type}: ${last.message.replaceAll('\n', '; ')}`;
  // A workflow's failure comes from another thread, without its type.
  if (last.stack?.startsWith('ApplicationFailure: ')) return last.message.replaceAll('\n', '; ');
  return last.stack ?? last.message;
}
